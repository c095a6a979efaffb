/** Gradient descent with Nesterov's momentum. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { updater } from './updater.js';

/**
 * velocity = momentum·velocity + learningRate·gradient, parameter -= momentum·velocity + learningRate·gradient with
 * the new velocity: Nesterov 1983 in the form of Sutskever et al. 2013, with the parameters kept at the looked-ahead
 * point.
 *
 * @param options `learningRate`: default 0.1; `momentum`: in [0, 1), default 0.9
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.nesterovs({ learningRate: 0.05, momentum: 0.9 });
 */
export const nesterovs = updater('nesterovs', {
  options: {
    learningRate: v.optional(finiteNumber({ minimum: 0 }), 0.1),
    momentum: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.9),
  },
  states: () => ({ velocity: 0 }),
  scalars: ({ learningRate }) => ({ rate: learningRate }),
  step: ({ gradient, velocity, rate }, { momentum }) => {
    const scaled = gradient.mul(rate);
    const next = velocity.mul(momentum).add(scaled);
    return { velocity: next, change: next.mul(momentum).add(scaled) };
  },
});
