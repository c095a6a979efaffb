/** The pinball loss, whose minimum is a quantile: forecasts with a range. */
import * as v from 'valibot';
import { expressionOf } from '../../compute/expression.js';
import { elementwise, elementwiseEntries } from './elementwise.js';
import { numberOrList } from './number-list.js';

const inside = { above: 0, below: 1 };
const schema = v.strictObject({
  ...elementwiseEntries,
  quantiles: v.optional(numberOrList(inside), 0.5),
});

/**
 * With e = target - output: q·e where the output is too low, (q - 1)·e where it is too high (Koenker and Bassett 1978).
 * The output that makes it smallest is the quantile q of the targets; q = 0.5 is half the absolute error.
 *
 * @param options
 * - `quantiles`: a number between 0 and 1, default 0.5; or a list of them, one for each feature of the output, which are
 *   then quantiles of one and the same number: targets are `[batch, time, 1]`
 * - see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * // layers.dense({ units: 3 }) gives the lower end, the median and the upper end of what is to come.
 * createTrainer(model, { loss: losses.quantile({ quantiles: [0.1, 0.5, 0.9] }), updater: updaters.adam() });
 */
export const quantile = elementwise(
  'quantile',
  schema,
  (output, target, { quantiles }) => {
    const level = expressionOf(quantiles);
    const error = target.sub(output);
    return level.mul(error).max(level.sub(1).mul(error));
  },
  { targetFeatures: ({ quantiles }) => (Array.isArray(quantiles) ? 1 : undefined) },
);
