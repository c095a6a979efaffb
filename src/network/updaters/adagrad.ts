/** Division by the size of all gradients so far. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { epsilon, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * sum += gradient², parameter -= learningRate·gradient / (sqrt(sum) + epsilon) (Duchi, Hazan and Singer 2011).
 *
 * @param options
 * - `learningRate`: default 0.1; `epsilon`: default 1e-6. PyTorch's `lr_decay` is `schedules.inverse({ decay })`
 * - `epsilonPlacement`: 'outside' the root as in PyTorch and DL4J (default), or 'inside' as in Keras
 * - `initialSum`: default 0 (Keras: 0.1)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adagrad({ learningRate: 0.05 });
 */
export const adagrad = updater('adagrad', {
  options: {
    learningRate: learningRate(0.1),
    epsilon: epsilon(1e-6),
    epsilonPlacement: v.optional(v.picklist(['inside', 'outside']), 'outside'),
    initialSum: v.optional(finiteNumber({ minimum: 0 }), 0),
  },
  states: ({ initialSum }) => ({ sum: initialSum }),
  step: ({ gradient, sum, learningRate }, { epsilon, epsilonPlacement }) => {
    const next = sum.add(gradient.square());
    const root = epsilonPlacement === 'inside' ? next.add(epsilon).sqrt() : next.sqrt().add(epsilon);
    return { sum: next, change: gradient.mul(learningRate).div(root) };
  },
});
