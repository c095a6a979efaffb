/** Stochastic gradient descent. */
import { heavyBall } from './momentum.js';

/**
 * parameter -= learningRate·gradient (Robbins and Monro 1951).
 *
 * @param options
 * - `learningRate`: default 1e-3
 * - `momentum`: in [0, 1), default 0. Above it this is `updaters.momentum`, with `ratePlacement` and `dampening` as there
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.sgd({ learningRate: 0.1 });
 */
export const sgd = heavyBall('sgd', { learningRate: 1e-3, momentum: 0 });
