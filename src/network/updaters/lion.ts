/** Steps of one size. */
import { lerp } from '../../compute/expression.js';
import { kept, learningRate, weightDecay } from './options.js';
import { updater } from './updater.js';

/**
 * Evolved sign momentum (Chen et al. 2023, algorithm 2):
 *
 *     parameter -= learningRate·(sign(beta1·m + (1 - beta1)·gradient) + weightDecay·parameter)
 *     m = beta2·m + (1 - beta2)·gradient
 *
 * @param options
 * - `learningRate`: default 1e-4 (Keras: 1e-3); the authors advise a third to a tenth of Adam's
 * - `beta1`: default 0.9; `beta2`: default 0.99
 * - `weightDecay`: of all parameters alike, default 0; the authors advise three to ten times AdamW's
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.lion({ learningRate: 3e-4, weightDecay: 0.1 });
 */
export const lion = updater('lion', {
  options: { learningRate: learningRate(1e-4), beta1: kept(0.9), beta2: kept(0.99), weightDecay: weightDecay(0) },
  states: { firstMoment: 0 },
  scalars: ({ learningRate, weightDecay }) => ({ learningRate, decay: learningRate * weightDecay }),
  step: ({ parameter, gradient, firstMoment, learningRate, decay }, { beta1, beta2, weightDecay }) => {
    const step = lerp(firstMoment, gradient, beta1).sign().mul(learningRate);
    return {
      firstMoment: lerp(firstMoment, gradient, beta2),
      change: weightDecay === 0 ? step : step.add(parameter.mul(decay)),
    };
  },
});
