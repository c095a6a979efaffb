/** Stochastic gradient descent. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { updater } from './updater.js';

/**
 * parameter -= learningRate·gradient; with `momentum` the classical heavy ball (Polyak 1964):
 * velocity = momentum·velocity + learningRate·gradient, parameter -= velocity. The learning rate is inside the
 * velocity as in Keras (PyTorch multiplies outside: the same while the rate does not change).
 *
 * @param options `learningRate`: default 1e-3; `momentum`: in [0, 1), default 0
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.sgd({ learningRate: 0.1 });
 */
export const sgd = updater('sgd', {
  options: {
    learningRate: v.optional(finiteNumber({ minimum: 0 }), 1e-3),
    momentum: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0),
  },
  states: ({ momentum }) => (momentum > 0 ? { velocity: 0 } : {}),
  scalars: ({ learningRate }) => ({ rate: learningRate }),
  step: ({ gradient, velocity, rate }, { momentum }) => {
    if (momentum === 0) return { change: gradient.mul(rate) };
    const next = velocity.mul(momentum).add(gradient.mul(rate));
    return { velocity: next, change: next };
  },
});
