/** Weights of classes: what the loss of a target is multiplied by for the class that it is. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { embedding, map, oneHot, type SoftmaxCrossEntropyOptions } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { checkVectors, type Loss, type LossContext } from './loss.js';
import { listsAmong, numberList } from './number-list.js';
import { type Reduction, reductionEntries, weightingOf } from './reduction.js';

/**
 * - `classWeights`: one a class, at least 0, default 1. A target that is a vector has each of its numbers multiplied by
 *   that class's
 * - `meanOver`: what the reduction 'mean' divides by where targets are ids: the summed 'classWeights' of the targets, as
 *   PyTorch (default), or the number of 'targets', as Keras. Always that number where they are vectors
 */
export const classEntries = {
  ...reductionEntries,
  classWeights: v.optional(numberList({ minimum: 0 })),
  meanOver: v.optional(v.picklist(['classWeights', 'targets']), 'classWeights'),
};

interface ClassSettings {
  readonly reduction: Reduction;
  readonly classWeights?: readonly number[] | undefined;
  readonly meanOver: 'classWeights' | 'targets';
  readonly labelSmoothing?: number;
}

/** What every loss over classes is, but for its formula. */
export const classLoss = (settings: ClassSettings): Pick<Loss, 'targets' | 'constants' | 'meanWeight'> => ({
  targets: ['ids', 'vectors'],
  constants: listsAmong({ classWeights: settings.classWeights }),
  meanWeight: (targets, mask) => {
    const { classWeights, meanOver } = settings;
    if (!classWeights || meanOver === 'targets' || targets.dtype !== 'i32') return undefined;
    let sum = 0;
    for (const [place, id] of targets.data.entries()) {
      const weight = mask ? mask.data[place]! : 1;
      if (weight !== 0) sum += weight * (classWeights[id] ?? 0);
    }
    return sum;
  },
});

/**
 * The targets and how their losses are weighed, with class weights and smoothing in them. Where weights of classes meet
 * smoothing, ids become vectors: then the weight of a target is spread over all classes (as in PyTorch).
 */
export function weighed(
  name: string,
  context: LossContext,
  settings: ClassSettings,
): { readonly targets: Value } & SoftmaxCrossEntropyOptions {
  const { output, targets, mask, constants } = context;
  const { reduction, meanOver, labelSmoothing = 0 } = settings;
  const classes = output.shape.at(-1)!;
  const table = constants?.classWeights;
  if (table && table.shape[0] !== classes) {
    throw new MnemeError(
      'invalid-option',
      `losses.${name}: option 'classWeights' has ${table.shape[0]} numbers, but there are ${classes} classes: give one for each.`,
    );
  }
  const vectors = (given: Value) => {
    const smoothed =
      labelSmoothing === 0 ? given : map((t) => t.mul(1 - labelSmoothing).add(labelSmoothing / classes), given);
    return table ? map((t, weight) => t.mul(weight), smoothed, table) : smoothed;
  };
  if (targets.dtype === 'f32') {
    checkVectors(name, context);
    return { targets: vectors(targets), ...weightingOf(context, reduction) };
  }
  if (!table) return { targets, smoothing: labelSmoothing, ...weightingOf(context, reduction) };
  const ofClass = reshape(embedding(targets, reshape(table, [classes, 1])), targets.shape);
  const weights = mask ? map((m, weight) => m.equal(0).select(0, m.mul(weight)), mask, ofClass) : ofClass;
  const divisor = meanOver === 'classWeights' ? weights : mask;
  return labelSmoothing === 0
    ? { targets, ...weightingOf(context, reduction, { weights, divisor }) }
    : {
        targets: vectors(oneHot(targets, classes)),
        ...weightingOf(context, reduction, { weights: mask, divisor }),
      };
}
