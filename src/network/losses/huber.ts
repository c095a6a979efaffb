/** Huber's loss: squared error that grows linearly from `delta` on. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';

const schema = v.strictObject({ ...elementwiseEntries, delta: v.optional(finiteNumber({ above: 0 }), 1) });

/**
 * With e = |output - target|: e² / 2 up to `delta`, delta·(e - delta / 2) beyond (Huber 1964), as in PyTorch and Keras.
 * PyTorch's smooth_l1_loss is this, divided by delta.
 *
 * @param options `delta`: above 0, default 1; see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.huber({ delta: 0.5 }), updater: updaters.adam() });
 */
export const huber = elementwise('huber', schema, (output, target, { delta }) => {
  const error = output.sub(target).abs();
  return error.lessOrEqual(delta).select(error.square().mul(0.5), error.sub(delta / 2).mul(delta));
});
