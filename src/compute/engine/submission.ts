/** What both engines check of a submission before it is queued. */
import { MnemeError, printKind, printValue, requireArgument } from '../../errors.js';
import { nearestName } from '../../options.js';
import type { BufferSpecification, Port, Program } from '../program.js';
import {
  type Dtype,
  dtypeOf,
  elementCount,
  isNumericArray,
  type NumericArray,
  printShape,
  type Tensor,
} from '../tensor.js';
import type { Submission } from './engine.js';

/**
 * The input arrays in the order of the program's ports.
 *
 * @param real dtypes taken where the program says `f32`: the engine's own, and others it converts
 * @throws {MnemeError} `invalid-argument` for a port that is missing or unknown, another dtype, or a detached buffer;
 *   `invalid-shape` for another number of elements; `out-of-range` for an id outside the port's limit
 */
export function checkInputs(
  program: Program,
  inputs: Readonly<Record<string, NumericArray | Tensor>>,
  real: readonly Dtype[],
): NumericArray[] {
  const known = program.inputs.map(({ name }) => name);
  const unknown = Object.keys(inputs).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const hint = known.length > 0 ? ` Did you mean '${nearestName(unknown, known)}'?` : '';
    const list = known.map((name) => `'${name}'`).join(', ') || 'none';
    throw new MnemeError(
      'invalid-argument',
      `program '${program.name}' has no input '${unknown}'.${hint} Its inputs: ${list}.`,
    );
  }
  return program.inputs.map((port) => checkInput(program, port, inputs[port.name], real));
}

/** @throws {MnemeError} `invalid-argument` unless it is a whole number of at least 1 */
export function checkRepeat(repeat: number): number {
  if (Number.isSafeInteger(repeat) && repeat >= 1) return repeat;
  throw new MnemeError(
    'invalid-argument',
    `submit: repeat must be a whole number of at least 1, got ${printValue(repeat)}.`,
  );
}

/** @throws {MnemeError} `invalid-argument` unless it has the form of a submission */
export function checkSubmission(submission: Submission): void {
  requireArgument(isObject(submission), 'submit', 'a submission', submission);
  requireArgument(isObject(submission.memories), 'submit: memories', 'an object', submission.memories);
  requireArgument(isObject(submission.inputs), 'submit: inputs', 'an object', submission.inputs);
}

/** @throws {MnemeError} `invalid-argument` */
export function checkDtype(dtype: string): void {
  requireArgument(dtype === 'f32' || dtype === 'i32', 'read: dtype', "'f32' or 'i32'", dtype);
}

/**
 * The threads that a stream is asked to have.
 * @throws {MnemeError} `invalid-argument` unless it is a whole number of at least 1, or left out
 */
export function threadsOf(options: { readonly threads?: number } | undefined): number | undefined {
  requireArgument(options === undefined || isObject(options), 'createStream', 'an object', options);
  const threads = options?.threads;
  const valid = threads === undefined || (Number.isSafeInteger(threads) && threads >= 1 && threads <= mostThreads);
  requireArgument(valid, 'createStream: threads', `a whole number from 1 to ${mostThreads}`, threads);
  return threads;
}

const mostThreads = 256;
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

function checkInput(
  program: Program,
  port: Port,
  given: NumericArray | Tensor | undefined,
  real: readonly Dtype[],
): NumericArray {
  const where = `program '${program.name}', input '${port.name}'`;
  const specification = program.buffers[port.buffer]!;
  if (given === undefined || given === null) {
    throw new MnemeError('invalid-argument', `${where} is missing: give ${describe(specification)}.`);
  }
  const data: unknown = ArrayBuffer.isView(given) ? given : (given as Partial<Tensor>).data;
  const accepted = specification.dtype === 'i32' ? ['i32'] : real;
  if (!isNumericArray(data) || !accepted.includes(dtypeOf(data))) {
    throw new MnemeError('invalid-argument', `${where} must be ${describe(specification)}, got ${printKind(data)}.`);
  }
  const expected = elementCount(specification.shape);
  if (data.length !== expected) {
    if (data.buffer.byteLength === 0) {
      throw new MnemeError(
        'invalid-argument',
        `${where}: the buffer is detached or empty, expected ${expected} elements.`,
      );
    }
    throw new MnemeError(
      'invalid-shape',
      `${where} must have ${expected} elements ${printShape(specification.shape)}, got ${data.length}.`,
    );
  }
  if (port.limit !== undefined) checkIds(where, data, port.limit, specification);
  return data;
}

function checkIds(where: string, ids: NumericArray, limit: number, { shape }: BufferSpecification): void {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!;
    if (id < 0 || id >= limit) {
      const position = printShape(coordinates(index, shape));
      throw new MnemeError('out-of-range', `${where}: id ${id} at ${position} is not in 0 to ${limit - 1}.`);
    }
  }
}

function coordinates(index: number, shape: readonly number[]): number[] {
  let rest = index;
  const position = shape.toReversed().map((extent) => {
    const place = rest % extent;
    rest = Math.floor(rest / extent);
    return place;
  });
  return position.reverse();
}

const describe = ({ dtype, shape }: BufferSpecification): string =>
  `${dtype === 'i32' ? 'an Int32Array' : 'a Float32Array'} ${printShape(shape)}`;
