/** Adaptive moments by how far gradients are from what was expected. */
import { lerp } from '../../compute/expression.js';
import { adamOptions, adamScalars } from './adam.js';
import { epsilon } from './options.js';
import { updater } from './updater.js';

/**
 * Adam with the variance about the running mean in place of the second moment (Zhuang et al. 2020, algorithm 2):
 *
 *     m = beta1·m + (1 - beta1)·gradient
 *     s = beta2·s + (1 - beta2)·(gradient - m)² + epsilon
 *     parameter -= learningRate·m̂ / (sqrt(ŝ) + epsilon), both corrected as in Adam
 *
 * @param options as for `updaters.adam`, of whose epsilons it is the second that `epsilonPlacement` is about (DL4J:
 *   'uncorrected'); `epsilon`: default 1e-14 as in DL4J (authors: 1e-8, later 1e-16)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adabelief({ learningRate: 2e-3 });
 */
export const adabelief = updater('adabelief', {
  options: { ...adamOptions, epsilon: epsilon(1e-14) },
  states: { firstMoment: 0, variance: 0 },
  scalars: adamScalars,
  step: ({ gradient, firstMoment, variance, rate, offset }, { beta1, beta2, epsilon }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const next = lerp(variance, gradient.sub(first).square(), beta2).add(epsilon);
    return { firstMoment: first, variance: next, change: first.mul(rate).div(next.sqrt().add(offset)) };
  },
});
