/** Squared error: regression. */
import { elementwise, elementwiseSchema } from './elementwise.js';

/**
 * (output - target)². With `features: 'sum'` it is DL4J's L2.
 *
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.meanSquaredError(), updater: updaters.adam() });
 */
export const meanSquaredError = elementwise('meanSquaredError', elementwiseSchema, (output, target) =>
  output.sub(target).square(),
);
