/** Batches of a text: contiguous rows, each read chunk by chunk, so that recurrent state can be carried along. */
import * as v from 'valibot';
import { tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { parseOptions, wholeNumber } from '../options.js';
import type { Batch, Batches } from './batch.js';
import type { IdArray } from './symbol-ids.js';
import type { Vocabulary } from './vocabulary.js';

export const textBatchesSchema = v.strictObject({
  /** Rows read side by side. */
  batch: wholeNumber(1),
  /** Symbols of each row in one batch: how far gradients reach back. */
  steps: wholeNumber(1),
});
export type TextBatchesOptions = v.InferInput<typeof textBatchesSchema>;

/**
 * Cuts `ids` into `batch` rows of `floor(n / batch)` symbols. Row b of chunk s holds the `steps` symbols from
 * `b * floor(n / batch) + s * steps` on; its targets are the symbols one later. What is left of a row when no whole
 * chunk fits is not used.
 *
 * @param part whose ids these are, for messages: `the training part`
 * @throws {MnemeError} `invalid-option`, `insufficient-data` when not even one chunk fits
 */
export function textBatches(ids: IdArray, part: string, vocabulary: Vocabulary, options: TextBatchesOptions): Batches {
  const { batch, steps } = parseOptions(textBatchesSchema, options, 'batches');
  const row = Math.floor(ids.length / batch);
  // The last symbol of the last row needs one after it.
  const usable = Math.min(row, ids.length - 1 - (batch - 1) * row);
  const length = Math.floor(usable / steps);
  if (length < 1) throw tooShort(ids.length, part, batch, steps);
  return {
    length,
    tokens: length * batch * steps,
    vocabulary,
    *epoch() {
      for (let chunk = 0; chunk < length; chunk++) yield chunkOf(ids, chunk, { batch, steps, row });
    },
  };
}

function chunkOf(
  ids: IdArray,
  chunk: number,
  { batch, steps, row }: { readonly batch: number; readonly steps: number; readonly row: number },
): Batch {
  const inputs = new Int32Array(batch * steps);
  const targets = new Int32Array(batch * steps);
  for (let b = 0; b < batch; b++) {
    const start = b * row + chunk * steps;
    inputs.set(ids.subarray(start, start + steps), b * steps);
    targets.set(ids.subarray(start + 1, start + 1 + steps), b * steps);
  }
  return {
    inputs: tensor(inputs, [batch, steps]),
    targets: tensor(targets, [batch, steps]),
    continues: chunk > 0,
  };
}

function tooShort(length: number, part: string, batch: number, steps: number): MnemeError {
  if (length === 0) {
    return new MnemeError(
      'insufficient-data',
      `batches: ${part} is empty. Give openText a share of the text for it, such as { validation: 0.05 }.`,
    );
  }
  return new MnemeError(
    'insufficient-data',
    `batches: ${part} has ${length} symbols, but one batch of ${batch} rows of ${steps} steps takes ` +
      `${batch * steps + 1}. Use fewer rows or steps, or a longer text.`,
  );
}
