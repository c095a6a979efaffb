/** Squared error of logarithms: for positive numbers of many sizes. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';

const schema = v.strictObject({ ...elementwiseEntries, epsilon: v.optional(finiteNumber({ minimum: 0 }), 1e-7) });

/**
 * (log(1 + output) - log(1 + target))², where both are taken to be at least `epsilon`, as in Keras: an output below has no
 * gradient.
 *
 * @param options `epsilon`: default 1e-7; see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.meanSquaredLogarithmicError(), updater: updaters.adam() });
 */
export const meanSquaredLogarithmicError = elementwise(
  'meanSquaredLogarithmicError',
  schema,
  (output, target, { epsilon }) => output.max(epsilon).log1p().sub(target.max(epsilon).log1p()).square(),
);
