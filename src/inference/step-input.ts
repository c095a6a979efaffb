/** What users give a network to read, brought to the arrays its programs take. */
import {
  elementCount,
  isNumericArray,
  isTensor,
  type NumericArray,
  printShape,
  type Tensor,
  tensor,
} from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';
import { printSignal, type Signal } from '../network/layers/layer.js';

/**
 * Ids: `[batch]` for one step or `[batch, time]`; vectors: `[batch, features]` or `[batch, time, features]`. Plain
 * numbers stand for one step.
 */
export type StepInput = Tensor | readonly number[] | NumericArray;

/** An input for `time` steps of `batch` rows; `single` if it was given for one step, without the axis of time. */
export interface Steps {
  readonly data: Int32Array | Float32Array;
  readonly batch: number;
  readonly time: number;
  readonly single: boolean;
  /** Numbers of one row in one step: 1 for an id. */
  readonly width: number;
}

export interface Expectation {
  /** Rows; undefined: any number. */
  readonly batch?: number;
  /** Whether one step may be given without the axis of time. */
  readonly singleSteps: boolean;
  /** The function, for messages. */
  readonly where: string;
}

/** @throws {MnemeError} `invalid-shape`, `out-of-range` (which id, where), `invalid-argument` */
export function readSteps(input: StepInput, signal: Signal, expected: Expectation): Steps {
  const width = signal.kind === 'ids' ? 1 : signal.features;
  const given = tensorOf(input, signal, width, expected.where);
  const inner = signal.kind === 'ids' ? 0 : 1;
  const [rows = 0, time = 1] = given.shape.slice(0, given.shape.length - inner);
  const single = given.shape.length === 1 + inner;
  const fits =
    (single ? expected.singleSteps || !signal.sequence : given.shape.length === 2 + inner && signal.sequence) &&
    (inner === 0 || given.shape.at(-1) === width) &&
    (expected.batch === undefined || rows === expected.batch) &&
    rows > 0 &&
    time > 0;
  if (!fits) throw wrongShape(given, signal, expected);
  const data = signal.kind === 'ids' ? idsOf(given, signal.vocabulary, expected.where) : floatsOf(given);
  return { data, batch: rows, time, single, width };
}

/** Steps `from` to before `to` of every row. */
export function cutSteps(steps: Steps, from: number, to: number): Int32Array | Float32Array {
  const { data, batch, time, width } = steps;
  if (from === 0 && to === time) return data;
  const rows = Array.from({ length: batch }, (_, row) =>
    data.subarray((row * time + from) * width, (row * time + to) * width),
  );
  const cut =
    data instanceof Int32Array
      ? new Int32Array(batch * (to - from) * width)
      : new Float32Array(batch * (to - from) * width);
  for (const [row, values] of rows.entries()) cut.set(values, row * values.length);
  return cut;
}

function tensorOf(input: StepInput, signal: Signal, width: number, where: string): Tensor {
  if (isTensor(input)) {
    if (input.data.length === elementCount(input.shape)) return input;
    throw new MnemeError(
      'invalid-argument',
      `${where}: the tensor ${printShape(input.shape)} holds ${input.data.length} elements: was its buffer detached?`,
    );
  }
  const numeric = isNumericArray(input) || (Array.isArray(input) && input.every((x) => typeof x === 'number'));
  requireArgument(numeric, where, 'a tensor or numbers', input);
  // A detached array has no elements and cannot be gone through.
  const numbers = input.length > 0 ? Float64Array.from(input) : new Float64Array(0);
  const rows = numbers.length / width;
  return tensor(numbers, signal.kind === 'vectors' && Number.isInteger(rows) ? [rows, width] : [numbers.length]);
}

function idsOf({ data, shape }: Tensor, vocabulary: number, where: string): Int32Array {
  const wrong = data.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (wrong >= 0) {
    const steps = shape.length > 1 ? shape.at(-1)! : 1;
    const place = shape.length > 1 ? `row ${Math.floor(wrong / steps)}, step ${wrong % steps}` : `row ${wrong}`;
    throw new MnemeError(
      'out-of-range',
      `${where}: id ${data[wrong]} in ${place} is outside the vocabulary: ids are whole numbers from 0 to ${vocabulary - 1}.`,
    );
  }
  return data instanceof Int32Array ? data : Int32Array.from(data);
}

const floatsOf = ({ data }: Tensor): Float32Array => (data instanceof Float32Array ? data : Float32Array.from(data));

function wrongShape(given: Tensor, signal: Signal, { batch, singleSteps, where }: Expectation): MnemeError {
  const shape = (...leading: readonly (string | number)[]): string =>
    `[${[batch ?? 'batch', ...leading, ...(signal.kind === 'ids' ? [] : [signal.features])].join(', ')}]`;
  const shapes = [...(signal.sequence ? [shape('time')] : []), ...(singleSteps || !signal.sequence ? [shape()] : [])];
  return new MnemeError(
    'invalid-shape',
    `${where}: the model reads ${printSignal(signal)}: expected the shape ${shapes.join(' or ')}, ` +
      `got ${printShape(given.shape)}.`,
  );
}
