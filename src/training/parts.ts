/** The trained parameters as one flat range, and what looks at parts of it. */
import { reshape, stored, type Value } from '../compute/graph.js';
import { concatenate, map, slice } from '../compute/operations/index.js';
import { elementCount } from '../compute/tensor.js';
import { clipped, type NormClip, normOf } from '../network/clipping.js';
import { constrained } from '../network/constraints.js';
import type { TrainedParameter, TrainingRule } from './rule.js';

/** Values one after another, flat. */
export const joined = (values: readonly Value[]): Value =>
  concatenate(
    values.map((value) => reshape(value, [elementCount(value.shape)])),
    0,
  );

/** Whether no frozen parameter lies between the trained ones. */
export const isOneRange = ({ trained, count }: TrainingRule): boolean => {
  const [first, last] = [trained[0]!, trained.at(-1)!];
  return last.offset + last.length - first.offset === count;
};

/** The trained parameters, flat: their range itself, or a copy where they are several. */
export const parametersOf = (rule: TrainingRule, parameters: readonly Value[]): Value =>
  isOneRange(rule)
    ? stored('parameters', rule.trained[0]!.offset, [rule.count], 'f32', 'parameters')
    : joined(rule.trained.map(({ index }) => parameters[index]!));

/** Each trained parameter of a flat value, as its constraint wants it. */
export const constrainedParts = ({ trained }: TrainingRule, flat: Value): Value[] =>
  trained.map(({ start, length, shape, constraint, group }) => {
    const part = reshape(slice(flat, { axis: 0, start, length }), shape);
    return constraint ? constrained(constraint, part, group) : part;
  });

/** A flat gradient clipped by the norm of each layer or parameter. */
export function clippedParts({ trained }: TrainingRule, gradient: Value, clip: NormClip): Value {
  const parts = clip.of === 'layer' ? byLayer(trained) : trained;
  return joined(
    parts.map(({ start, length }) => {
      const part = slice(gradient, { axis: 0, start, length });
      return map((element, norm) => clipped(clip, element, norm), part, normOf(part, clip.order));
    }),
  );
}

/** The range of each layer: its parameters lie one after another. */
function byLayer(trained: readonly TrainedParameter[]): { readonly start: number; readonly length: number }[] {
  const layers = [...new Set(trained.map(({ layer }) => layer))];
  return layers.map((layer) => {
    const own = trained.filter((parameter) => parameter.layer === layer);
    return { start: own[0]!.start, length: own.reduce((sum, { length }) => sum + length, 0) };
  });
}
