/** Division by a running mean of gradient sizes. */
import * as v from 'valibot';
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate, ratePlacement } from './options.js';
import { updater } from './updater.js';

/**
 * meanSquare = decay·meanSquare + (1 - decay)·gradient², parameter -= learningRate·gradient / sqrt(meanSquare + epsilon)
 * (Tieleman and Hinton 2012, lecture 6.5).
 *
 * @param options
 * - `learningRate`: default 0.1 as in DL4J (PyTorch: 0.01, Keras: 1e-3); `decay`: in [0, 1), default 0.95; `epsilon`: default 1e-8
 * - `epsilonPlacement`: 'inside' the root as in Keras (default), or 'outside' as in PyTorch and DL4J
 * - `centered`: subtracts the square of the mean gradient (Graves 2013), default false
 * - `momentum`: in [0, 1), default 0: velocity = momentum·velocity + learningRate·gradient / root
 * - `ratePlacement`: 'inside' the velocity as in Keras (default), or 'outside' as in PyTorch: the same while the rate
 *   does not change
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.rmsprop({ learningRate: 2e-3 });
 */
export const rmsprop = updater('rmsprop', {
  options: {
    learningRate: learningRate(0.1),
    decay: kept(0.95),
    epsilon: epsilon(1e-8),
    epsilonPlacement: v.optional(v.picklist(['inside', 'outside']), 'inside'),
    centered: v.optional(v.boolean(), false),
    momentum: kept(0),
    ratePlacement,
  },
  states: ({ centered, momentum }) => ({
    meanSquare: 0,
    ...(centered ? { meanGradient: 0 } : {}),
    ...(momentum === 0 ? {} : { velocity: 0 }),
  }),
  step: ({ gradient, meanSquare, meanGradient, velocity, learningRate }, options) => {
    const { decay, epsilon, epsilonPlacement, centered, momentum, ratePlacement } = options;
    const square = lerp(meanSquare, gradient.square(), decay);
    const mean = centered ? lerp(meanGradient, gradient, decay) : undefined;
    // A variance: rounding must not take it below zero.
    const size = mean ? square.sub(mean.square()).max(0) : square;
    const root = epsilonPlacement === 'inside' ? size.add(epsilon).sqrt() : size.sqrt().add(epsilon);
    const inside = ratePlacement === 'inside';
    const scaled = (inside ? gradient.mul(learningRate) : gradient).div(root);
    const next = momentum === 0 ? scaled : velocity.mul(momentum).add(scaled);
    return {
      meanSquare: square,
      ...(mean ? { meanGradient: mean } : {}),
      ...(momentum === 0 ? {} : { velocity: next }),
      change: inside ? next : next.mul(learningRate),
    };
  },
});
