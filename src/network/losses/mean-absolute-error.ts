/** Absolute error: regression that outliers move less. */
import { elementwise, elementwiseSchema } from './elementwise.js';

/**
 * |output - target|; where both are equal the gradient is 0. With `features: 'sum'` it is DL4J's L1.
 *
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.meanAbsoluteError(), updater: updaters.adam() });
 */
export const meanAbsoluteError = elementwise('meanAbsoluteError', elementwiseSchema, (output, target) =>
  output.sub(target).abs(),
);
