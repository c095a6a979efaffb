/** Adaptive moments with Nesterov's momentum. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * Adam with Nesterov's momentum, which rises from half of `beta1` to all of it (Dozat 2016, algorithm 2):
 *
 *     μ(t) = beta1·(1 - 0.96^(t·momentumDecay) / 2)          Π(t) = μ(1)·…·μ(t)
 *     m and v as in Adam
 *     m̂ = μ(t+1)·m / (1 - Π(t+1)) + (1 - μ(t))·gradient / (1 - Π(t))
 *     parameter -= learningRate·m̂ / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * @param options
 * - `learningRate`: default 1e-3 (PyTorch: 2e-3); `beta1`: default 0.9; `beta2`: default 0.999; `epsilon`: default 1e-8
 * - `momentumDecay`: at least 0, default 0.004 as in the paper and PyTorch; Keras has 1. With a large one the momentum
 *   is `beta1` throughout
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.nadam({ learningRate: 2e-3 });
 */
export const nadam = updater('nadam', {
  options: {
    learningRate: learningRate(1e-3),
    beta1: kept(0.9),
    beta2: kept(0.999),
    epsilon: epsilon(1e-8),
    momentumDecay: v.optional(finiteNumber({ minimum: 0 }), 0.004),
  },
  states: { firstMoment: 0, secondMoment: 0 },
  scalars: ({ learningRate, beta1, beta2, epsilon, momentumDecay }, iteration) => {
    const momentum = (t: number) => beta1 * (1 - 0.96 ** (t * momentumDecay) / 2);
    const product = momentumProduct(beta1, momentumDecay, iteration);
    const [now, next] = [momentum(iteration), momentum(iteration + 1)];
    // As in Adam: the root's correction moves to the numerator and to epsilon.
    const correction = Math.sqrt(1 - beta2 ** iteration);
    return {
      momentRate: (learningRate * correction * next) / (1 - product * next),
      gradientRate: (learningRate * correction * (1 - now)) / (1 - product),
      offset: epsilon * correction,
    };
  },
  step: ({ gradient, firstMoment, secondMoment, momentRate, gradientRate, offset }, { beta1, beta2 }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    const numerator = first.mul(momentRate).add(gradient.mul(gradientRate));
    return { firstMoment: first, secondMoment: second, change: numerator.div(second.sqrt().add(offset)) };
  },
});

/**
 * Π(t), without a loop over t. With q = 0.96^momentumDecay its logarithm is t·log(beta1) + Σ log(1 - q^i / 2), and as
 * log(1 - x) = -Σ x^k / k, the sum over i is one geometric series for each k: -Σ q^k·(1 - q^(k·t)) / (1 - q^k) / (k·2^k).
 */
function momentumProduct(beta1: number, momentumDecay: number, t: number): number {
  const logarithm = momentumDecay * Math.log(0.96);
  let sum = 0;
  // The terms fall at least as 2^-k does.
  for (let k = 1; k <= 60; k++) {
    const geometric = logarithm === 0 ? t : Math.expm1(k * t * logarithm) / Math.expm1(k * logarithm);
    sum -= (geometric * Math.exp(k * logarithm)) / (k * 2 ** k);
  }
  return beta1 ** t * Math.exp(sum);
}
