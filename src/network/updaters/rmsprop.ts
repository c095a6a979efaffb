/** Division by a running mean of gradient sizes. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { updater } from './updater.js';

/**
 * meanSquare = decay·meanSquare + (1 - decay)·gradient², parameter -= learningRate·gradient / sqrt(meanSquare + epsilon)
 * (Tieleman and Hinton 2012, lecture 6.5).
 *
 * @param options
 * - `learningRate`: default 1e-3; `decay`: in [0, 1), default 0.95; `epsilon`: default 1e-8
 * - `epsilonPlacement`: 'inside' the root as in Keras and DL4J (default), or 'outside' as in PyTorch
 * - `centered`: subtracts the square of the mean gradient (Graves 2013), default false
 * - `momentum`: in [0, 1), default 0: velocity = momentum·velocity + change
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.rmsprop({ learningRate: 2e-3 });
 */
export const rmsprop = updater('rmsprop', {
  options: {
    learningRate: v.optional(finiteNumber({ minimum: 0 }), 1e-3),
    decay: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.95),
    epsilon: v.optional(finiteNumber({ above: 0 }), 1e-8),
    epsilonPlacement: v.optional(v.picklist(['inside', 'outside']), 'inside'),
    centered: v.optional(v.boolean(), false),
    momentum: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0),
  },
  states: ({ centered, momentum }) => ({
    meanSquare: 0,
    ...(centered ? { meanGradient: 0 } : {}),
    ...(momentum > 0 ? { velocity: 0 } : {}),
  }),
  scalars: ({ learningRate }) => ({ rate: learningRate }),
  step: ({ gradient, meanSquare, meanGradient, velocity, rate }, options) => {
    const { decay, epsilon, epsilonPlacement, centered, momentum } = options;
    const square = lerp(meanSquare, gradient.square(), decay);
    const mean = centered ? lerp(meanGradient, gradient, decay) : undefined;
    // A variance: rounding must not take it below zero.
    const size = mean ? square.sub(mean.square()).max(0) : square;
    const root = epsilonPlacement === 'inside' ? size.add(epsilon).sqrt() : size.sqrt().add(epsilon);
    const scaled = gradient.mul(rate).div(root);
    const change = momentum > 0 ? velocity.mul(momentum).add(scaled) : scaled;
    return {
      meanSquare: square,
      ...(mean ? { meanGradient: mean } : {}),
      ...(momentum > 0 ? { velocity: change } : {}),
      change,
    };
  },
});
