/** Division by the size of all gradients so far. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { updater } from './updater.js';

/**
 * sum += gradient², parameter -= learningRate·gradient / (sqrt(sum) + epsilon) (Duchi, Hazan and Singer 2011).
 *
 * @param options
 * - `learningRate`: default 0.1; `epsilon`: default 1e-6
 * - `epsilonPlacement`: 'outside' the root as in PyTorch and DL4J (default), or 'inside' as in Keras
 * - `initialSum`: default 0 (Keras: 0.1)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adagrad({ learningRate: 0.05 });
 */
export const adagrad = updater('adagrad', {
  options: {
    learningRate: v.optional(finiteNumber({ minimum: 0 }), 0.1),
    epsilon: v.optional(finiteNumber({ above: 0 }), 1e-6),
    epsilonPlacement: v.optional(v.picklist(['inside', 'outside']), 'outside'),
    initialSum: v.optional(finiteNumber({ minimum: 0 }), 0),
  },
  states: ({ initialSum }) => ({ sum: initialSum }),
  scalars: ({ learningRate }) => ({ rate: learningRate }),
  step: ({ gradient, sum, rate }, { epsilon, epsilonPlacement }) => {
    const next = sum.add(gradient.square());
    const root = epsilonPlacement === 'inside' ? next.add(epsilon).sqrt() : next.sqrt().add(epsilon);
    return { sum: next, change: gradient.mul(rate).div(root) };
  },
});
