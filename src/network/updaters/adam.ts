/** Adaptive moments. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/** Of all updaters with moments that are corrected as Adam's are. */
export const adamOptions = {
  learningRate: learningRate(1e-3),
  beta1: kept(0.9),
  beta2: kept(0.999),
  epsilon: epsilon(1e-8),
  epsilonPlacement: v.optional(v.picklist(['corrected', 'uncorrected']), 'corrected'),
};

/** Both corrections as factors, so that rate·m / (sqrt(v) + offset) is one fused instruction. */
export function adamScalars(
  options: {
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly epsilonPlacement: 'corrected' | 'uncorrected';
  },
  iteration: number,
) {
  const { learningRate, beta1, beta2, epsilon, epsilonPlacement } = options;
  const correction = Math.sqrt(1 - beta2 ** iteration);
  return {
    rate: (learningRate * correction) / (1 - beta1 ** iteration),
    offset: epsilonPlacement === 'corrected' ? epsilon * correction : epsilon,
  };
}

/**
 * First and second moments of the gradient with bias correction (Kingma and Ba 2015, algorithm 1):
 *
 *     m = beta1·m + (1 - beta1)·gradient          m̂ = m / (1 - beta1^t)
 *     v = beta2·v + (1 - beta2)·gradient²         v̂ = v / (1 - beta2^t)
 *     parameter -= learningRate·m̂ / (sqrt(v̂) + epsilon)
 *
 * Where `beta1` or `beta2` is scheduled, the correction takes the present one to the power of t, as PyTorch does.
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
  options: adamOptions,
  states: { firstMoment: 0, secondMoment: 0 },
  scalars: adamScalars,
  step: ({ gradient, firstMoment, secondMoment, rate, offset }, { beta1, beta2 }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    return { firstMoment: first, secondMoment: second, change: first.mul(rate).div(second.sqrt().add(offset)) };
  },
});
