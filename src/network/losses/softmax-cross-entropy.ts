/** Cross entropy of a softmax: one of several classes. */
import * as v from 'valibot';
import { softmaxCrossEntropy as operation } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { classEntries, classLoss, weighed } from './class-weights.js';
import { beforeSoftmax } from './logits.js';
import type { Loss } from './loss.js';

const schema = v.strictObject({
  ...classEntries,
  labelSmoothing: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 0),
});
export type SoftmaxCrossEntropyLossOptions = v.InferInput<typeof schema>;

/**
 * -Σ target·log softmax(output), in nats. The network gives logits; a softmax or 'logSoftmax' at its end is seen and not
 * applied twice. Targets are ids `[batch, time]` (i32) or probabilities `[batch, time, classes]`, which need not be one-hot.
 *
 * @param options
 * - `reduction`: 'mean' over all targets (default), 'sumOverTime' with the mean over the batch, or 'sum'
 * - `labelSmoothing`: ε in [0, 1], default 0: a target t becomes (1 - ε)·t + ε / classes (Szegedy et al. 2016)
 * - `classWeights`: one a class, at least 0, default 1. An id's loss is multiplied by its class's; of a vector, each number
 *   is by that class's, and so are the parts that smoothing spreads
 * - `meanOver`: what the reduction 'mean' divides by where there are class weights and targets are ids: their summed
 *   'classWeights', as in PyTorch (default), or the number of 'targets', as in Keras. Vectors are always counted
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() });
 */
export function softmaxCrossEntropy(options: SoftmaxCrossEntropyLossOptions = {}): Loss {
  const settings = parseOptions(schema, options, 'losses.softmaxCrossEntropy');
  return {
    name: 'softmaxCrossEntropy',
    options: settings,
    ...classLoss(settings),
    origin: softmaxCrossEntropy,
    apply: (context) => {
      const { targets, ...weighting } = weighed('softmaxCrossEntropy', context, settings);
      return operation(beforeSoftmax(context.output) ?? context.output, targets, weighting);
    },
  };
}
