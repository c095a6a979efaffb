/** Host data: a typed array with a shape. What goes into mneme and what comes out. */
import { MnemeError, printKind, printValue, requireArgument } from '../errors.js';

/** Element types. `f64` exists only on the host and in the reference engine of double precision. */
export type Dtype = 'f32' | 'f64' | 'i32';
export type NumericArray = Float32Array | Float64Array | Int32Array;
/** Extents, outermost first. `[]` never occurs: a scalar has the shape `[1]`. */
export type Shape = readonly number[];

export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** Row-major, `elementCount(shape)` elements. */
  readonly data: NumericArray;
}

/** The number of elements of a shape. */
export const elementCount = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** `[2, 3]` as it is printed in messages. */
export const printShape = (shape: Shape): string =>
  Array.isArray(shape) ? `[${shape.map(printValue).join(', ')}]` : printValue(shape);

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** The dtype of a typed array. */
export function dtypeOf(data: NumericArray): Dtype {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return 'i32';
}

/**
 * Makes a tensor of a typed array (not copied) or of numbers (copied into a Float32Array).
 *
 * @throws {MnemeError} `invalid-shape` if the shape does not hold exactly the given elements,
 *   `invalid-argument` if the data is neither numbers nor a Float32Array, Float64Array or Int32Array
 * @example
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 */
export function tensor(data: NumericArray | readonly number[], shape?: Shape): Tensor {
  const array = Array.isArray(data) ? floatsOf(data) : data;
  if (!isNumericArray(array)) {
    throw new MnemeError(
      'invalid-argument',
      `tensor: data must be a Float32Array, Float64Array, Int32Array or an array of numbers, got ${printKind(data)}.`,
    );
  }
  const actual = shape ?? [array.length];
  if (
    !Array.isArray(actual) ||
    actual.length === 0 ||
    actual.some((extent) => !Number.isSafeInteger(extent) || extent < 0)
  ) {
    throw new MnemeError('invalid-shape', `tensor: a shape is a list of whole numbers, got ${printShape(actual)}.`);
  }
  if (elementCount(actual) !== array.length) {
    throw new MnemeError(
      'invalid-shape',
      `tensor: shape ${printShape(actual)} holds ${elementCount(actual)} elements, but the data has ${array.length}.`,
    );
  }
  return { dtype: dtypeOf(array), shape: actual, data: array };
}

/** Whether it is a typed array that mneme computes with: itself, not a proxy of one. */
export const isNumericArray = (value: unknown): value is NumericArray =>
  ArrayBuffer.isView(value) &&
  (value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array);

/** Whether it has the form of a tensor; the shape may still not fit the data, whose buffer may be detached. */
export function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null || !('data' in value) || !('shape' in value)) return false;
  const { data, shape } = value;
  return (
    isNumericArray(data) && Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  );
}

function floatsOf(numbers: readonly unknown[]): Float32Array {
  const wrong = numbers.findIndex((x) => typeof x !== 'number');
  requireArgument(wrong < 0, `tensor: element ${wrong} of the data`, 'a number', numbers[wrong]);
  return Float32Array.from(numbers as readonly number[]);
}
