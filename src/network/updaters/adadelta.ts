/** Steps in proportion to the steps before. */
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * Zeiler 2012, algorithm 1, whose learning rate is 1:
 *
 *     meanSquare = decay·meanSquare + (1 - decay)·gradient²
 *     step = gradient·sqrt(meanSquareStep + epsilon) / sqrt(meanSquare + epsilon)
 *     meanSquareStep = decay·meanSquareStep + (1 - decay)·step²
 *     parameter -= learningRate·step
 *
 * @param options `learningRate`: default 1 (Keras: 1e-3); `decay`: in [0, 1), default 0.95; `epsilon`: default 1e-6
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adadelta();
 */
export const adadelta = updater('adadelta', {
  options: { learningRate: learningRate(1), decay: kept(0.95), epsilon: epsilon(1e-6) },
  states: { meanSquare: 0, meanSquareStep: 0 },
  step: ({ gradient, meanSquare, meanSquareStep, learningRate }, { decay, epsilon }) => {
    const square = lerp(meanSquare, gradient.square(), decay);
    const step = gradient.mul(meanSquareStep.add(epsilon).sqrt()).div(square.add(epsilon).sqrt());
    return {
      meanSquare: square,
      meanSquareStep: lerp(meanSquareStep, step.square(), decay),
      change: step.mul(learningRate),
    };
  },
});
