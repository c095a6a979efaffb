/** The hinge loss: classes on both sides of a margin. */
import { constant, type Expression } from '../../compute/expression.js';
import { elementwise, elementwiseSchema } from './elementwise.js';

/** How far an output lacks the margin: max(0, 1 - target·output), of targets -1 and 1; 0 stands for -1. */
export const shortfall = (output: Expression, target: Expression): Expression =>
  constant(1).sub(target.equal(0).select(-1, target).mul(output)).max(0);

/**
 * max(0, 1 - target·output), targets -1 and 1. A target of 0 counts as -1, so that 0 and 1 will do as well.
 *
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.hinge(), updater: updaters.adam() });
 */
export const hinge = elementwise('hinge', elementwiseSchema, shortfall);
