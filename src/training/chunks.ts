/** Truncated backpropagation through time: long sequences in pieces, with the state carried and not differentiated. */
import * as v from 'valibot';
import { type NumericArray, type Tensor, tensor } from '../compute/tensor.js';
import type { Batch } from '../data/batch.js';
import { checkLengths, extentOf, within } from '../data/lengths.js';
import type { TracePart } from '../network/trace.js';
import { wholeNumber } from '../options.js';

/**
 * - `forward`: steps from one update to the next
 * - `backward`: steps over which the gradient flows back
 */
export interface Truncation {
  readonly forward: number;
  readonly backward: number;
}

/** A number stands for both. */
export const truncationOption = v.union([
  v.pipe(
    wholeNumber(1),
    v.transform((steps): Truncation => ({ forward: steps, backward: steps })),
  ),
  v.strictObject({ forward: wholeNumber(1), backward: wholeNumber(1) }),
]);

/** What a step of training goes through. */
export interface Chunk extends Batch {
  /** Steps at its beginning that were learned from before: their targets do not count. */
  readonly history?: number;
  /** Where its time is computed in parts. */
  readonly parts?: readonly TracePart[];
  /** After how many of them the states are those from which the next chunk starts. */
  readonly carry?: number;
}

/**
 * A batch cut along its time axis into pieces with at most `forward` new steps; each goes on where the one before ended.
 * Where all rows have ended there is no piece any more, but always a first one.
 *
 * Where the gradient flows back further than the new steps, pieces begin in front of them and overlap, and the state that is
 * carried is the one in front of the next piece (BPTT(h; h') of Williams and Peng 1990). Where it flows back less far, what
 * recurrent layers do in the first steps of a piece is not differentiated, as with DL4J's tBPTTBackwardLength.
 *
 * @throws {MnemeError} as `checkLengths`
 */
export function* chunksOf(batch: Batch, truncation: Truncation | undefined): Generator<Chunk> {
  const time = batch.inputs.shape[1] ?? 1;
  if (truncation === undefined) {
    yield batch;
    return;
  }
  if (batch.lengths) checkLengths('A batch', batch.lengths, batch.inputs.shape[0]!, time);
  const { forward, backward } = truncation;
  const count = chunkCount(batch, truncation);
  const ends = Array.from({ length: count }, (_, index) => Math.min(time, (index + 1) * forward));
  const startOf = (index: number) =>
    backward > forward ? Math.max(0, Math.min(index * forward, ends[index]! - backward)) : index * forward;
  for (const [index, end] of ends.entries()) {
    const [start, length] = [startOf(index), end - startOf(index)];
    const following = (index + 1 < count ? startOf(index + 1) : end) - start;
    const history = index * forward - start;
    const whole = count === 1 && length === time;
    const piece = whole
      ? batch
      : { ...cutBatch(batch, start, length, history), continues: batch.continues || index > 0 };
    const { reset, ...others } = piece;
    const parts = partsOf(length, following, backward);
    yield { ...others, ...(reset && index === 0 ? { reset } : {}), ...parts, ...(history > 0 ? { history } : {}) };
  }
}

/** How many pieces `chunksOf` gives. */
export function chunkCount({ inputs, lengths }: Batch, truncation: Truncation | undefined): number {
  if (truncation === undefined) return 1;
  const time = inputs.shape[1] ?? 1;
  const reached = lengths && time > truncation.forward ? Math.min(time, extentOf(lengths).longest) : time;
  return Math.max(1, Math.ceil(reached / truncation.forward));
}

/** @param following the step from which the next piece starts */
function partsOf(length: number, following: number, backward: number): Pick<Chunk, 'parts' | 'carry'> {
  if (following === 0) return { parts: [{ time: length }], carry: 0 };
  if (following < length) return { parts: [{ time: following }, { time: length - following }], carry: 1 };
  const before = length - backward;
  return before > 0 ? { parts: [{ time: before, detached: true }, { time: backward }] } : {};
}

function cutBatch(
  { inputs, targets, mask, lengths, inputMask, reset }: Batch,
  start: number,
  length: number,
  history: number,
) {
  const rows = inputs.shape[0]!;
  const weights = mask
    ? cut(mask, start, length)
    : history > 0 &&
      (inputMask ? cut(inputMask, start, length) : tensor(new Float32Array(rows * length).fill(1), [rows, length]));
  for (let row = 0; weights && row < rows; row++) weights.data.fill(0, row * length, row * length + history);
  return {
    inputs: cut(inputs, start, length),
    targets: cut(targets, start, length),
    ...(weights ? { mask: weights } : {}),
    ...(inputMask ? { inputMask: cut(inputMask, start, length) } : {}),
    ...(lengths ? { lengths: within(lengths, start, length) } : {}),
    reset,
  };
}

function cut({ dtype, shape, data }: Tensor, start: number, length: number): Tensor {
  const [rows, time, ...rest] = shape as [number, number, ...number[]];
  const inner = rest.reduce((product, extent) => product * extent, 1);
  const result = new (data.constructor as new (count: number) => NumericArray)(rows * length * inner);
  for (let row = 0; row < rows; row++) {
    const from = (row * time + start) * inner;
    result.set(data.subarray(from, from + length * inner), row * length * inner);
  }
  return { dtype, shape: [rows, length, ...rest], data: result };
}
