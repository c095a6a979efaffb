/** Examples in memory: rows of one tensor, or sequences of unequal length in a list. */
import {
  elementCount,
  isTensor,
  type NumericArray,
  printShape,
  type Shape,
  type Tensor,
  tensor,
} from '../compute/tensor.js';
import { MnemeError } from '../errors.js';

export interface Examples {
  readonly count: number;
  readonly dtype: 'f32' | 'i32';
  /** Steps of each; undefined where all have those of the tensor they lie in. */
  readonly lengths: Int32Array | undefined;
  /** Of one example, the longest of a list: `[time, ...]`. */
  readonly shape: Shape;
  readonly empty: boolean;
  row(index: number): NumericArray;
}

/**
 * @param what `arrays: inputs`, for messages
 * @throws {MnemeError} `invalid-shape` where those of a list have not the same features, or `invalid-argument` not one dtype
 */
export function examplesOf(given: Tensor | readonly Tensor[], what: string): Examples {
  return isTensor(given) ? inOneTensor(given, what) : inList(given, what);
}

function inOneTensor({ data, shape, dtype }: Tensor, what: string): Examples {
  const [count = 0, ...inner] = shape;
  const size = elementCount(inner);
  return {
    count,
    dtype: dtype === 'i32' ? 'i32' : 'f32',
    lengths: undefined,
    shape: inner,
    empty: data.length === 0,
    row: (index) => {
      if (data.length === 0) throw detached(what, shape);
      return data.subarray(index * size, (index + 1) * size);
    },
  };
}

function inList(list: readonly Tensor[], what: string): Examples {
  const [first] = list;
  const dtype = first?.dtype === 'i32' ? 'i32' : 'f32';
  const features = first?.shape.slice(1) ?? [];
  for (const [index, one] of list.entries()) {
    if (
      one.shape.length !== features.length + 1 ||
      one.shape.slice(1).some((extent, axis) => extent !== features[axis])
    ) {
      throw new MnemeError(
        'invalid-shape',
        `${what}: sequences differ in their time only, but number ${index} is ${printShape(one.shape)}, and number 0 ${printShape(first!.shape)}.`,
      );
    }
    if ((one.dtype === 'i32') !== (dtype === 'i32')) {
      throw new MnemeError(
        'invalid-argument',
        `${what}: number ${index} is ${one.dtype}, and number 0 ${first!.dtype}.`,
      );
    }
  }
  const lengths = Int32Array.from(list, ({ shape }) => shape[0]!);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  return {
    count: list.length,
    dtype,
    lengths,
    shape: [longest, ...features],
    empty: longest * elementCount(features) === 0,
    row: (index) => {
      const { data, shape } = list[index]!;
      if (data.length !== elementCount(shape)) throw detached(what, shape);
      return data;
    },
  };
}

/**
 * Examples side by side, `f64` as `f32`.
 *
 * @param steps what of their time is taken; zeros where an example has fewer. Undefined: all of it, or there is none
 */
export function gather(examples: Examples, rows: readonly number[], steps?: number): Tensor {
  const shape = steps === undefined ? examples.shape : [steps, ...examples.shape.slice(1)];
  const size = elementCount(shape);
  const data = examples.dtype === 'i32' ? new Int32Array(rows.length * size) : new Float32Array(rows.length * size);
  for (const [place, row] of rows.entries()) data.set(examples.row(row).subarray(0, size), place * size);
  return tensor(data, [rows.length, ...shape]);
}

const detached = (what: string, shape: Shape) =>
  new MnemeError('invalid-argument', `${what}: the buffer behind ${printShape(shape)} was detached.`);
