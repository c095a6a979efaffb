/** Adaptive moments by the largest gradient. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * Adam with the infinity norm (Kingma and Ba 2015, algorithm 2):
 *
 *     m = beta1·m + (1 - beta1)·gradient
 *     u = max(beta2·u, |gradient|)
 *     parameter -= learningRate / (1 - beta1^t)·m / (u + epsilon)
 *
 * @param options
 * - `learningRate`: default 1e-3 (paper and PyTorch: 2e-3); `beta1`: default 0.9; `beta2`: default 0.999; `epsilon`:
 *   default 1e-8
 * - `epsilonPlacement`: 'denominator' as above, as in Keras (default), or 'maximum' as in PyTorch: u = max(beta2·u,
 *   |gradient| + epsilon), divided by u. The paper has none
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adamax({ learningRate: 2e-3 });
 */
export const adamax = updater('adamax', {
  options: {
    learningRate: learningRate(1e-3),
    beta1: kept(0.9),
    beta2: kept(0.999),
    epsilon: epsilon(1e-8),
    epsilonPlacement: v.optional(v.picklist(['denominator', 'maximum']), 'denominator'),
  },
  states: { firstMoment: 0, largest: 0 },
  scalars: ({ learningRate, beta1 }, iteration) => ({ rate: learningRate / (1 - beta1 ** iteration) }),
  step: ({ gradient, firstMoment, largest, rate }, { beta1, beta2, epsilon, epsilonPlacement }) => {
    const inMaximum = epsilonPlacement === 'maximum';
    const first = lerp(firstMoment, gradient, beta1);
    const size = inMaximum ? gradient.abs().add(epsilon) : gradient.abs();
    const next = largest.mul(beta2).max(size);
    return { firstMoment: first, largest: next, change: first.mul(rate).div(inMaximum ? next : next.add(epsilon)) };
  },
});
