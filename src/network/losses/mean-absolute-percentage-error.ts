/** Absolute error relative to the target. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';

const schema = v.strictObject({ ...elementwiseEntries, epsilon: v.optional(finiteNumber({ above: 0 }), 1e-7) });

/**
 * 100·|output - target| / max(|target|, epsilon), in percent, as in Keras.
 *
 * @param options `epsilon`: default 1e-7; see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.meanAbsolutePercentageError(), updater: updaters.adam() });
 */
export const meanAbsolutePercentageError = elementwise(
  'meanAbsolutePercentageError',
  schema,
  (output, target, { epsilon }) => output.sub(target).abs().div(target.abs().max(epsilon)).mul(100),
);
