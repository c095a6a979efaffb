/** Adaptive moments. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { updater } from './updater.js';

/**
 * First and second moments of the gradient with bias correction (Kingma and Ba 2015, algorithm 1):
 *
 *     m = beta1·m + (1 - beta1)·gradient          m̂ = m / (1 - beta1^t)
 *     v = beta2·v + (1 - beta2)·gradient²         v̂ = v / (1 - beta2^t)
 *     parameter -= learningRate·m̂ / (sqrt(v̂) + epsilon)
 *
 * @param options
 * - `learningRate`: default 1e-3; `beta1`: default 0.9; `beta2`: default 0.999; `epsilon`: default 1e-8
 * - `epsilonPlacement`: 'corrected', added to sqrt(v̂) as in PyTorch and the paper (default), or 'uncorrected', added
 *   to sqrt(v), which the paper calls epsilon hat, as in Keras and DL4J
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adam({ learningRate: 2e-3 });
 */
export const adam = updater('adam', {
  options: {
    learningRate: v.optional(finiteNumber({ minimum: 0 }), 1e-3),
    beta1: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.9),
    beta2: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.999),
    epsilon: v.optional(finiteNumber({ above: 0 }), 1e-8),
    epsilonPlacement: v.optional(v.picklist(['corrected', 'uncorrected']), 'corrected'),
  },
  states: () => ({ firstMoment: 0, secondMoment: 0 }),
  // Both corrections as factors: rate·m / (sqrt(v) + offset) is one fused instruction.
  scalars: ({ learningRate, beta1, beta2, epsilon, epsilonPlacement }, iteration) => {
    const correction = Math.sqrt(1 - beta2 ** iteration);
    return {
      rate: (learningRate * correction) / (1 - beta1 ** iteration),
      offset: epsilonPlacement === 'corrected' ? epsilon * correction : epsilon,
    };
  },
  step: ({ gradient, firstMoment, secondMoment, rate, offset }, { beta1, beta2 }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    return { firstMoment: first, secondMoment: second, change: first.mul(rate).div(second.sqrt().add(offset)) };
  },
});
