/** The options of `fit` about checkpoints. */
import * as v from 'valibot';
import { finiteNumber, wholeNumber } from '../options.js';

export const checkpointsSchema = v.strictObject({
  directory: v.pipe(v.string(), v.nonEmpty('the path of a directory')),
  steps: v.optional(wholeNumber(1)),
  minutes: v.optional(finiteNumber({ above: 0 })),
  keep: v.optional(wholeNumber(1), 3),
  resume: v.optional(v.picklist(['latest', 'previous'])),
  overwrite: v.optional(v.boolean(), false),
  extras: v.optional(v.custom<unknown>(isPlain, 'plain data')),
});

function isPlain(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

/**
 * - `directory`: where checkpoints lie, each a directory `step-000000500` that `loadModel` reads as a model; and `best`,
 *   the model as it was after the pass of lowest validation loss. It is made if it is not there
 * - `steps`, `minutes`: one after so many steps, or so much time; default every five minutes. There is one before the
 *   first step and one at the end, too
 * - `keep`: how many stay, default 3
 * - `resume`: goes on from the newest one ('latest'), or from the newest whole one before it ('previous'), for when the
 *   newest is damaged. Where there is none, training begins: so a program that is started again goes on by itself
 * - `overwrite`: begins anew where the directory holds a run that was not finished, and removes it; default false, which
 *   refuses to
 * - `extras`: plain data to keep in each checkpoint
 */
export type CheckpointOptions = v.InferInput<typeof checkpointsSchema>;
export type CheckpointSettings = v.InferOutput<typeof checkpointsSchema>;
