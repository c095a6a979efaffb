/** Tensors as safetensors files hold them: more element types than mneme computes with, as little-endian bytes. */
import { type Dtype, elementCount, type NumericArray, type Shape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';

/** Bits of one element of each type the format knows. */
export const storedBits = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  U16: 16,
  I16: 16,
  U32: 32,
  I32: 32,
  U64: 64,
  I64: 64,
  F16: 16,
  BF16: 16,
  F32: 32,
  F64: 64,
  C64: 64,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E5M2FNUZ: 8,
  F8_E4M3FNUZ: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
} as const;
export type StoredDtype = keyof typeof storedBits;

export const isStoredDtype = (name: unknown): name is StoredDtype =>
  typeof name === 'string' && Object.hasOwn(storedBits, name);

/** The type under which mneme's own elements are stored. */
export const storedDtypeOf: { readonly [D in Dtype]: StoredDtype } = { f32: 'F32', f64: 'F64', i32: 'I32' };

export interface StoredTensor {
  readonly dtype: StoredDtype;
  /** Unlike a tensor's, a stored shape may be `[]`: one element. */
  readonly shape: Shape;
  /** Row-major, little-endian: a view of the file's bytes. */
  readonly bytes: Uint8Array;
}

/**
 * The numbers of a stored tensor: F32 and I32 as they are (without a copy where the bytes lie aligned), F16 and BF16 as
 * f32, F64 as f64, BOOL and the other integers as i32. The shape `[]` becomes `[1]`.
 *
 * @param name for messages
 * @throws {MnemeError} `out-of-range` for an integer that i32 cannot hold, `invalid-argument` for the types that mneme
 *   has no numbers for (C64 and those of 8 bits and less with a fraction), whose bytes are in `stored.bytes`
 */
export function tensorOfStored(stored: StoredTensor, name: string): Tensor {
  checkStored(stored, name);
  const shape = stored.shape.length === 0 ? [1] : stored.shape;
  return tensor(numbersOf(stored, name), shape);
}

function checkStored(stored: StoredTensor, name: string): void {
  requireArgument(typeof name === 'string', 'tensorOfStored', 'a name for messages', name);
  const where = `tensorOfStored: '${name}'`;
  requireArgument(typeof stored === 'object' && stored !== null, where, 'a stored tensor', stored);
  const { dtype, shape, bytes } = stored;
  requireArgument(isStoredDtype(dtype), `${where}, dtype`, 'one of the format', dtype);
  const valid = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  requireArgument(valid, `${where}, shape`, 'whole numbers', shape);
  requireArgument(ArrayBuffer.isView(bytes) && bytes instanceof Uint8Array, `${where}, bytes`, 'a Uint8Array', bytes);
  const expected = (storedBits[dtype] * elementCount(shape)) / 8;
  requireArgument(bytes.length === expected, `${where}, bytes`, `${expected} of them`, bytes.length);
}

function numbersOf(stored: StoredTensor, name: string): NumericArray {
  const narrow = (values: ArrayLike<number | bigint>): Int32Array => {
    const result = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      result[i] = Number(values[i]);
      if (result[i] !== Number(values[i])) throw tooLarge(name, values[i]!, i);
    }
    return result;
  };
  switch (stored.dtype) {
    case 'F32':
      return viewOf(Float32Array, stored.bytes);
    case 'F64':
      return viewOf(Float64Array, stored.bytes);
    case 'I32':
      return viewOf(Int32Array, stored.bytes);
    case 'F16':
      return Float32Array.from(viewOf(Uint16Array, stored.bytes), floatOfHalf);
    case 'BF16':
      return floatsOfBrain(viewOf(Uint16Array, stored.bytes));
    case 'BOOL':
    case 'U8':
      return narrow(stored.bytes);
    case 'I8':
      return narrow(viewOf(Int8Array, stored.bytes));
    case 'U16':
      return narrow(viewOf(Uint16Array, stored.bytes));
    case 'I16':
      return narrow(viewOf(Int16Array, stored.bytes));
    case 'U32':
      return narrow(viewOf(Uint32Array, stored.bytes));
    case 'U64':
      return narrow(viewOf(BigUint64Array, stored.bytes));
    case 'I64':
      return narrow(viewOf(BigInt64Array, stored.bytes));
    default:
      throw new MnemeError(
        'invalid-argument',
        `Tensor '${name}' has elements of type ${stored.dtype}, which mneme does not compute with; use its bytes.`,
      );
  }
}

interface ArrayType<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
}

function viewOf<A>(type: ArrayType<A>, bytes: Uint8Array): A {
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / type.BYTES_PER_ELEMENT);
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function floatOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float. */
function floatsOfBrain(upper: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(upper, (bits) => bits << 16).buffer);
}

const tooLarge = (name: string, value: number | bigint, position: number): MnemeError =>
  new MnemeError(
    'out-of-range',
    `Tensor '${name}' holds ${value} at element ${position}, more than 32 bits with sign can.`,
  );
