/** What both engines check of a submission before it is queued. */
import { MnemeError } from '../../errors.js';
import { nearestName } from '../../options.js';
import type { BufferSpecification, Port, Program } from '../program.js';
import { type Dtype, dtypeOf, elementCount, type NumericArray, printShape, type Tensor } from '../tensor.js';

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
  throw new MnemeError('invalid-argument', `submit: repeat must be a whole number of at least 1, got ${repeat}.`);
}

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
  const data = ArrayBuffer.isView(given) ? given : given.data;
  const accepted = specification.dtype === 'i32' ? ['i32'] : real;
  const isNumeric = data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array;
  if (!isNumeric || !accepted.includes(dtypeOf(data))) {
    const got = ArrayBuffer.isView(data) ? (data as object).constructor.name : typeof data;
    throw new MnemeError('invalid-argument', `${where} must be ${describe(specification)}, got ${got}.`);
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
