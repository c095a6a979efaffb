/** No update. */
import * as v from 'valibot';
import { updater } from './updater.js';

/**
 * Parameters stay as they are, whatever the gradient: for measuring, and for looking at losses and gradients only. (DL4J's
 * NoOp leaves the gradient as it is, which is `updaters.sgd({ learningRate: 1 })`.)
 *
 * @example
 * updaters.noOp();
 */
export const noOp = updater('noOp', {
  options: { learningRate: v.optional(v.literal(0), 0) },
  step: () => ({ change: 0 }),
});
