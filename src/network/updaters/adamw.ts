/** Adaptive moments, and decay beside them. */
import { lerp } from '../../compute/expression.js';
import { adamOptions, adamScalars } from './adam.js';
import { weightDecay } from './options.js';
import { updater } from './updater.js';

/**
 * Adam, and beside it parameter -= learningRate·weightDecay·parameter, of which the moments know nothing (Loshchilov and
 * Hutter 2019, algorithm 2). It decays all parameters alike, biases too, as PyTorch and Keras do; the trainer's option
 * `regularization` decays by weight group.
 *
 * @param options as for `updaters.adam`; `weightDecay`: default 0.01 as in PyTorch (Keras: 0.004)
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.adamw({ learningRate: 2e-3, weightDecay: 0.05 });
 */
export const adamw = updater('adamw', {
  options: { ...adamOptions, weightDecay: weightDecay(0.01) },
  states: { firstMoment: 0, secondMoment: 0 },
  scalars: (options, iteration) => ({
    ...adamScalars(options, iteration),
    decay: options.learningRate * options.weightDecay,
  }),
  step: ({ parameter, gradient, firstMoment, secondMoment, rate, offset, decay }, { beta1, beta2 }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    return {
      firstMoment: first,
      secondMoment: second,
      change: first.mul(rate).div(second.sqrt().add(offset)).add(parameter.mul(decay)),
    };
  },
});
