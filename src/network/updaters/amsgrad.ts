/** Adaptive moments with a step that never grows again. */
import { lerp } from '../../compute/expression.js';
import { adamOptions, adamScalars } from './adam.js';
import { weightDecay } from './options.js';
import { updater } from './updater.js';

/**
 * Adam, divided by the root of the largest second moment so far (Reddi, Kale and Kumar 2018, algorithm 2, with the
 * bias corrections that PyTorch, Keras and DL4J add: the maximum is that of the uncorrected moments, corrected as the
 * present one would be).
 *
 * @param options as for `updaters.adam`; `weightDecay`: as for `updaters.adamw`, default 0
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.amsgrad({ learningRate: 2e-3 });
 */
export const amsgrad = updater('amsgrad', {
  options: { ...adamOptions, weightDecay: weightDecay(0) },
  states: { firstMoment: 0, secondMoment: 0, largestSecondMoment: 0 },
  scalars: (options, iteration) => ({
    ...adamScalars(options, iteration),
    decay: options.learningRate * options.weightDecay,
  }),
  step: (values, { beta1, beta2, weightDecay }) => {
    const { parameter, gradient, firstMoment, secondMoment, largestSecondMoment, rate, offset, decay } = values;
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    const largest = largestSecondMoment.max(second);
    const change = first.mul(rate).div(largest.sqrt().add(offset));
    return {
      firstMoment: first,
      secondMoment: second,
      largestSecondMoment: largest,
      change: weightDecay === 0 ? change : change.add(parameter.mul(decay)),
    };
  },
});
