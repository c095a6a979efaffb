/** The squared hinge loss: smooth at the margin, and harder on what is far on the wrong side. */
import { elementwise, elementwiseSchema } from './elementwise.js';
import { shortfall } from './hinge.js';

/**
 * max(0, 1 - target·output)², targets -1 and 1. A target of 0 counts as -1, so that 0 and 1 will do as well.
 *
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.squaredHinge(), updater: updaters.adam() });
 */
export const squaredHinge = elementwise('squaredHinge', elementwiseSchema, (output, target) =>
  shortfall(output, target).square(),
);
