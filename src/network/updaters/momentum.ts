/** Gradient descent with a velocity. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import { rateOption } from '../rates.js';
import { kept, learningRate, ratePlacement } from './options.js';
import { updater } from './updater.js';

/**
 * The heavy ball (Polyak 1964): velocity = momentum·velocity + learningRate·gradient, parameter -= velocity.
 *
 * @param options
 * - `learningRate`: default 0.1; `momentum`: in [0, 1), default 0.9
 * - `ratePlacement`: 'inside' the velocity as in Keras and DL4J (default), or 'outside' as in PyTorch: velocity =
 *   momentum·velocity + gradient, parameter -= learningRate·velocity. The same while the rate does not change
 * - `dampening`: in [0, 1], default 0: from the second step on the velocity takes up 1 - dampening of the gradient
 *   (PyTorch)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.momentum({ learningRate: 0.05, momentum: 0.95 });
 */
export const momentum = heavyBall('momentum', { learningRate: 0.1, momentum: 0.9 });

/** This updater, under a name and with defaults of its own. */
export function heavyBall(name: string, standard: { readonly learningRate: number; readonly momentum: number }) {
  return updater(name, {
    options: {
      learningRate: learningRate(standard.learningRate),
      momentum: kept(standard.momentum),
      dampening: v.optional(rateOption({ minimum: 0, maximum: 1 }), 0),
      ratePlacement,
    },
    states: ({ momentum }) => (momentum === 0 ? {} : { velocity: 0 }),
    scalars: ({ learningRate, dampening }, iteration) => ({
      learningRate,
      takenUp: iteration === 1 ? 1 : 1 - dampening,
    }),
    step: ({ gradient, velocity, learningRate, takenUp }, { momentum, dampening, ratePlacement }) => {
      const inside = ratePlacement === 'inside';
      const scaled = inside ? gradient.mul(learningRate) : gradient;
      const change = (step: Expression) => (inside ? step : step.mul(learningRate));
      if (momentum === 0) return { change: change(scaled) };
      const next = velocity.mul(momentum).add(dampening === 0 ? scaled : scaled.mul(takenUp));
      return { velocity: next, change: change(next) };
    },
  });
}
