/** Log-cosh: squared error near 0, absolute error far from it, and smooth. */
import { elementwise, elementwiseSchema } from './elementwise.js';

/**
 * log cosh(output - target), computed as e + log(1 + exp(-2e)) - log 2 with e = |output - target|, which never overflows.
 *
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.logCosh(), updater: updaters.adam() });
 */
export const logCosh = elementwise('logCosh', elementwiseSchema, (output, target) => {
  const error = output.sub(target).abs();
  return error.add(error.mul(-2).exp().log1p()).sub(Math.LN2);
});
