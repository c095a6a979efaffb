/** Adaptive moments by how far gradients are from what was expected. */
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * Adam with the variance about the running mean in place of the second moment (Zhuang et al. 2020, algorithm 2):
 *
 *     m = beta1·m + (1 - beta1)·gradient
 *     s = beta2·s + (1 - beta2)·(gradient - m)² + epsilon
 *     parameter -= learningRate·m̂ / (sqrt(ŝ) + epsilon), both corrected as in Adam
 *
 * @param options
 * - `learningRate`: default 1e-3; `beta1`: default 0.9; `beta2`: default 0.999
 * - `epsilon`: default 1e-14 as in DL4J (authors: 1e-8, later 1e-16)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adabelief({ learningRate: 2e-3 });
 */
export const adabelief = updater('adabelief', {
  options: { learningRate: learningRate(1e-3), beta1: kept(0.9), beta2: kept(0.999), epsilon: epsilon(1e-14) },
  states: { firstMoment: 0, variance: 0 },
  scalars: ({ learningRate, beta1, beta2, epsilon }, iteration) => {
    const correction = Math.sqrt(1 - beta2 ** iteration);
    return { rate: (learningRate * correction) / (1 - beta1 ** iteration), offset: epsilon * correction };
  },
  step: ({ gradient, firstMoment, variance, rate, offset }, { beta1, beta2, epsilon }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const next = lerp(variance, gradient.sub(first).square(), beta2).add(epsilon);
    return { firstMoment: first, variance: next, change: first.mul(rate).div(next.sqrt().add(offset)) };
  },
});
