/** Likelihood of classes, of a network that gives the logarithms of their probabilities. */
import * as v from 'valibot';
import { oneHot, reduceSum, softmaxCrossEntropy } from '../../compute/operations/index.js';
import { parseOptions } from '../../options.js';
import { classEntries, classLoss, weighed } from './class-weights.js';
import { beforeSoftmax } from './logits.js';
import type { Loss } from './loss.js';
import { perRow } from './reduction.js';

const schema = v.strictObject(classEntries);
export type NegativeLogLikelihoodOptions = v.InferInput<typeof schema>;

/**
 * -Σ target·output, where outputs are logarithms of probabilities. Targets are ids `[batch, time]` (i32) or probabilities
 * `[batch, time, classes]`. Of a network that ends with 'logSoftmax' it is computed from the logits, as the cross entropy
 * is; of one that ends with 'softmax' too, whose logarithm is meant (DL4J's negative log likelihood).
 *
 * @param options `reduction`, `classWeights`, `meanOver`: as those of `losses.softmaxCrossEntropy`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const model = sequential([layers.lstm({ units: 32 }), layers.dense({ units: 6, activation: 'softmax' })], {
 *   input: { features: 8 },
 * });
 * createTrainer(model, { loss: losses.negativeLogLikelihood(), updater: updaters.adam() });
 */
export function negativeLogLikelihood(options: NegativeLogLikelihoodOptions = {}): Loss {
  const settings = parseOptions(schema, options, 'losses.negativeLogLikelihood');
  return {
    name: 'negativeLogLikelihood',
    options: settings,
    ...classLoss(settings),
    origin: negativeLogLikelihood,
    apply: (context) => {
      const { output } = context;
      const { targets, ...weighting } = weighed('negativeLogLikelihood', context, settings);
      const logits = beforeSoftmax(output);
      if (logits) return softmaxCrossEntropy(logits, targets, weighting);
      const { scale, weights } = weighting;
      const vectors = targets.dtype === 'i32' ? oneHot(targets, output.shape.at(-1)!) : targets;
      return reduceSum(weights ? [output, vectors, perRow(weights)] : [output, vectors], {
        axis: 'all',
        scale,
        expression: (logarithm, target, weight) => {
          // 0 times the logarithm of 0 is 0.
          const part = target!.equal(0).select(0, target!.mul(logarithm!).neg());
          return weight ? weight.equal(0).select(0, weight.mul(part)) : part;
        },
      });
    },
  };
}
