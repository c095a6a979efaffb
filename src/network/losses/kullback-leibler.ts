/** Kullback-Leibler divergence: how far a distribution is from the one it should be. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';

const schema = v.strictObject({
  ...elementwiseEntries,
  features: v.optional(v.picklist(['mean', 'sum']), 'sum'),
  logOutput: v.optional(v.boolean(), false),
  logTargets: v.optional(v.boolean(), false),
  epsilon: v.optional(finiteNumber({ above: 0, below: 1 }), 1e-7),
});

/**
 * Σ target·(log target - log output) over the features, which are the classes, in nats (Kullback and Leibler 1951).
 *
 * Probabilities on both sides are taken to be at least `epsilon` and at most 1, as in Keras: an output beyond has no
 * gradient. With `logOutput` the network gives logarithms of probabilities, as 'logSoftmax' does, and nothing is clipped, as
 * in PyTorch's kl_div, whose reduction 'batchmean' is 'mean' here; its 'mean' is that with `features: 'mean'`.
 *
 * @param options
 * - `logOutput`: whether outputs are logarithms of probabilities, default false
 * - `logTargets`: whether targets are, default false
 * - `epsilon`: default 1e-7, as in Keras
 * - see `ElementwiseOptions` for the others; `features` is 'sum' by default
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.kullbackLeibler({ logOutput: true }), updater: updaters.adam() });
 */
export const kullbackLeibler = elementwise('kullbackLeibler', schema, (output, target, settings) => {
  const { logOutput, logTargets, epsilon } = settings;
  const clipped = (probability: Expression) => probability.max(epsilon).min(1);
  const logarithm = logOutput ? output : clipped(output).log();
  if (logTargets) return target.exp().mul(target.sub(logarithm));
  if (!logOutput) return clipped(target).mul(clipped(target).log().sub(logarithm));
  // 0 log 0 is 0.
  return target.equal(0).select(0, target.mul(target.log().sub(logarithm)));
});
