/** Rows of unequal lengths and rows with holes in batches of one shape: what does not live has no part in anything. */
import { dtypeOf, type NumericArray, printShape, sameShape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import type { Batch } from './batch.js';

/**
 * @param where for messages
 * @throws {MnemeError} `invalid-shape`, `invalid-argument`, `out-of-range` (which row, and its length) unless there is an
 *   i32 number from 0 to `time` for each row
 */
export function checkLengths(where: string, lengths: Tensor, rows: number, time: number): void {
  if (!sameShape(lengths.shape, [rows]) || lengths.data.length !== rows) {
    throw new MnemeError(
      'invalid-shape',
      `${where}: lengths hold a number for each row, [${rows}], got ${printShape(lengths.shape)}.`,
    );
  }
  if (dtypeOf(lengths.data) !== 'i32') {
    throw new MnemeError('invalid-argument', `${where}: lengths must be i32, got ${dtypeOf(lengths.data)}.`);
  }
  const wrong = lengths.data.findIndex((length) => !(length >= 0 && length <= time));
  if (wrong < 0) return;
  throw new MnemeError(
    'out-of-range',
    `${where}: the length of row ${wrong} is ${lengths.data[wrong]}, but its sequence has ${time} steps: expected 0 to ${time}.`,
  );
}

/** @throws {MnemeError} `invalid-shape`, `invalid-argument` unless there is 0 or 1 for each place */
export function checkFlags(where: string, { shape, data }: Tensor, expected: readonly number[], remedy = ''): void {
  if (!sameShape(shape, expected)) {
    throw new MnemeError(
      'invalid-shape',
      `${where} holds a number for each ${expected.length > 1 ? 'step' : 'row'}, ${printShape(expected)}, got ${printShape(shape)}.${remedy}`,
    );
  }
  const wrong = data.findIndex((value) => value !== 0 && value !== 1);
  if (wrong < 0) return;
  throw new MnemeError('invalid-argument', `${where} is 0 or 1 everywhere, got ${data[wrong]} at element ${wrong}.`);
}

/**
 * A batch with lengths or holes as programs take it: zeros in place of the inputs where rows do not live, a mask that leaves out
 * the targets there (of a row of length 0 all, also where it has one only), and holes behind the ends too. Another batch is
 * what it was.
 *
 * @param sequence whether there is a target for every step
 */
export function withoutPadding<Given extends Batch>(batch: Given, targets: { readonly sequence: boolean }): Given {
  const { lengths, inputs, inputMask } = batch;
  if (!lengths && !inputMask) return batch;
  const ended = lengths ? clearedBehind(inputs, lengths) : inputs;
  const holes = inputMask && floats(lengths ? clearedBehind(inputMask, lengths) : inputMask);
  return {
    ...batch,
    inputs: holes ? clearedAt(ended, holes) : ended,
    mask: countingMask(batch, targets),
    ...(holes ? { inputMask: holes } : {}),
  };
}

/** The mask of `withoutPadding`. */
export function countingMask(
  { lengths, inputs, mask, inputMask }: Batch,
  { sequence }: { readonly sequence: boolean },
): Tensor | undefined {
  if (!lengths && !inputMask) return mask;
  const [rows, time] = inputs.shape as [number, number];
  const lives = inputMask ? Float32Array.from(inputMask.data) : new Float32Array(rows * time).fill(1);
  for (const [row, length] of lengths?.data.entries() ?? []) lives.fill(0, row * time + length, (row + 1) * time);
  const places = sequence
    ? lives
    : Float32Array.from({ length: rows }, (_, row) => Math.max(...lives.subarray(row * time, (row + 1) * time)));
  const weigh = (weight: number, place: number): number => {
    // What the user says of targets counts in holes, and behind the end of a row it does not.
    const row = sequence ? Math.floor(place / time) : place;
    const there = !lengths || (sequence ? place % time < lengths.data[row]! : lengths.data[row]! > 0);
    return there ? weight : 0;
  };
  const weights = mask ? Float32Array.from(mask.data, weigh) : places;
  return tensor(weights, sequence ? [rows, time] : [rows]);
}

/** `[rows, time, ...]` with zeros from the end of each row on. */
export function clearedBehind(values: Tensor, lengths: Tensor): Tensor {
  const [rows, time] = values.shape as [number, number];
  const row = values.data.length / rows;
  const ends = Array.from(lengths.data, (length, index) => index * row + (length * row) / time);
  const isClear = ends.every((end, index) =>
    values.data.subarray(end, (index + 1) * row).every((value) => value === 0),
  );
  if (isClear) return values;
  const data: NumericArray = values.data.slice();
  for (const [index, end] of ends.entries()) data.fill(0, end, (index + 1) * row);
  return { ...values, data };
}

/** `[rows, time, ...]` with zeros where the mask `[rows, time]` is 0. */
function clearedAt(values: Tensor, { data: lives }: Tensor): Tensor {
  const data: NumericArray = values.data.slice();
  const width = data.length / lives.length;
  for (const [place, alive] of lives.entries()) if (alive === 0) data.fill(0, place * width, (place + 1) * width);
  return { ...values, data };
}

/** Of each row, the steps that lie in a part of `time` steps from `start` on. */
export const within = ({ shape, data }: Tensor, start: number, time: number): Tensor =>
  tensor(
    Int32Array.from(data, (length) => Math.min(time, Math.max(0, length - start))),
    shape,
  );

/** The steps of the longest row, and of all rows together. */
export function extentOf({ data }: Tensor): { readonly longest: number; readonly total: number } {
  let [longest, total] = [0, 0];
  for (const length of data) {
    longest = Math.max(longest, length);
    total += length;
  }
  return { longest, total };
}

const floats = ({ data, shape }: Tensor): Tensor => tensor(Float32Array.from(data), shape);
