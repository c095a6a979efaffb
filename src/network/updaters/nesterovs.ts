/** Gradient descent with Nesterov's momentum. */
import { kept, learningRate, ratePlacement } from './options.js';
import { updater } from './updater.js';

/**
 * velocity = momentum·velocity + learningRate·gradient, parameter -= momentum·velocity + learningRate·gradient with
 * the new velocity: Nesterov 1983 in the form of Sutskever et al. 2013, with the parameters kept at the looked-ahead
 * point.
 *
 * @param options
 * - `learningRate`: default 0.1; `momentum`: in [0, 1), default 0.9
 * - `ratePlacement`: 'inside' the velocity as in Keras and DL4J (default), or 'outside' as in PyTorch: the same while the
 *   rate does not change
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.nesterovs({ learningRate: 0.05, momentum: 0.9 });
 */
export const nesterovs = updater('nesterovs', {
  options: { learningRate: learningRate(0.1), momentum: kept(0.9), ratePlacement },
  states: { velocity: 0 },
  step: ({ gradient, velocity, learningRate }, { momentum, ratePlacement }) => {
    const inside = ratePlacement === 'inside';
    const scaled = inside ? gradient.mul(learningRate) : gradient;
    const next = velocity.mul(momentum).add(scaled);
    const step = next.mul(momentum).add(scaled);
    return { velocity: next, change: inside ? step : step.mul(learningRate) };
  },
});
