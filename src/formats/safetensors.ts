/**
 * The safetensors format: named tensors, readable without running anything, shared with PyTorch, Keras and others.
 *
 * A file is the length of its header (8 bytes, little-endian), the header in JSON, and the tensors' bytes without gaps.
 */
import { createHash, type Hash } from 'node:crypto';
import { dtypeOf, elementCount, isTensor, type NumericArray, type Tensor } from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';
import { writeAtomically } from './atomic.js';
import { readBytes } from './file-bytes.js';
import { longestHeader, metadataKey, parseHeader } from './safetensors-header.js';
import { type StoredTensor, storedDtypeOf } from './stored-tensor.js';

export interface Safetensors {
  /** By name, in the order of their bytes. `tensorOfStored` gives their numbers. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a file strictly: what the format does not allow is refused.
 *
 * @throws {MnemeError} `file-missing`, `file-invalid` (what is wrong, and where), `out-of-memory`
 * @example
 * const { tensors } = await readSafetensors('model.safetensors');
 * const kernel = tensorOfStored(tensors.get('lstm/kernel'), 'lstm/kernel');
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  requireArgument(typeof path === 'string' && path !== '', 'readSafetensors', 'the path of a file', path);
  return parseSafetensors(await readBytes(path), path);
}

/**
 * The same for bytes in memory, which the tensors are views of.
 *
 * @param where what the bytes are, for messages
 * @throws {MnemeError} `file-invalid`
 */
export function parseSafetensors(bytes: Uint8Array, where = 'The data'): Safetensors {
  const valid =
    ArrayBuffer.isView(bytes) && bytes instanceof Uint8Array && !(bytes.buffer instanceof SharedArrayBuffer);
  requireArgument(valid, 'parseSafetensors', 'the bytes of a file as a Uint8Array', bytes);
  requireArgument(typeof where === 'string', 'parseSafetensors', 'a name for messages', where);
  const { entries, metadata, dataStart } = parseHeader(bytes, where);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart + begin, end - begin);
    tensors.set(name, { dtype, shape, bytes: view });
  }
  return { tensors, metadata };
}

/**
 * Writes a file atomically. f32, f64 and i32 become F32, F64 and I32; the same tensors and metadata give the same bytes.
 *
 * @param tensors by name; any string but `__metadata__`
 * @throws {MnemeError} `file-write`, `invalid-argument` for a name that cannot be written
 * @example
 * await writeSafetensors('weights.safetensors', { kernel: tensor([1, 2], [1, 2]) }, { made: 'by hand' });
 */
export async function writeSafetensors(
  path: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  requireArgument(typeof path === 'string' && path !== '', 'writeSafetensors', 'the path of a file', path);
  checkContent(tensors, metadata);
  await writeAtomically(path, formatSafetensors(tensors, metadata));
}

export type NamedTensors = Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>;

/**
 * The bytes of a file, in pieces: the header, then views of the tensors' own memory.
 *
 * @throws {MnemeError} `invalid-argument` for a name that cannot be written
 */
export function formatSafetensors(
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] {
  const named: Iterable<Named> = tensors instanceof Map ? tensors : Object.entries(tensors);
  const sorted = [...named].sort(widestFirst);
  // Entries, made an object at the end: assigned to one, `__proto__` would not be a name like any other.
  const header: [string, unknown][] = [];
  const names = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (names.length > 0) header.push([metadataKey, Object.fromEntries(names)]);
  let offset = 0;
  for (const [name, { shape, data }] of sorted) {
    requireName(name);
    const end = offset + data.byteLength;
    header.push([name, { dtype: storedDtypeOf[dtypeOf(data)], shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  return [headerBytes(Object.fromEntries(header)), ...sorted.map(([, { data }]) => bytesOf(data))];
}

function checkContent(tensors: NamedTensors, metadata: Readonly<Record<string, string>>): void {
  requireArgument(typeof tensors === 'object' && tensors !== null, 'writeSafetensors', 'tensors by name', tensors);
  for (const [name, value] of tensors instanceof Map ? tensors : Object.entries(tensors)) {
    requireArgument(typeof name === 'string', 'writeSafetensors', 'names that are strings', name);
    const whole = isTensor(value) && elementCount(value.shape) === value.data.length;
    requireArgument(whole, `writeSafetensors: '${name}'`, 'a tensor whose data fit its shape', value);
  }
  requireArgument(typeof metadata === 'object' && metadata !== null, 'writeSafetensors', 'metadata', metadata);
  for (const [key, text] of Object.entries(metadata)) {
    requireArgument(typeof text === 'string', `writeSafetensors: metadata '${key}'`, 'a string', text);
  }
}

/** The SHA-256 of pieces that are one file, in hexadecimal. */
export function digestOf(pieces: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** The same, in slices between which the event loop runs. */
export async function digestInTurns(pieces: Iterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for (const slice of hashed(pieces, hash)) {
    if (slice.length === sliceLength) await new Promise((resolve) => setImmediate(resolve));
  }
  return hash.digest('hex');
}

/** Digests pieces as they are taken, in slices. */
export function* hashed(pieces: Iterable<Uint8Array>, hash: Hash): Generator<Uint8Array> {
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; start += sliceLength) {
      const slice = piece.subarray(start, start + sliceLength);
      hash.update(slice);
      yield slice;
    }
  }
}

/** Takes about a millisecond to digest. */
const sliceLength = 2 ** 20;

type Named = readonly [string, Tensor];

/** As the format's own writer sorts: wide elements first, so that all lie aligned, then by name. */
function widestFirst([nameA, a]: Named, [nameB, b]: Named): number {
  return b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (nameA < nameB ? -1 : 1);
}

/** Padded with spaces, so that the tensors begin at a multiple of 8. */
function headerBytes(header: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  if (length > longestHeader) {
    throw new MnemeError(
      'invalid-argument',
      `A safetensors header of ${length} bytes is too long: ${longestHeader} are allowed.`,
    );
  }
  const bytes = new Uint8Array(8 + length).fill(' '.charCodeAt(0));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

const bytesOf = (data: NumericArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function requireName(name: string): void {
  const problem = name === metadataKey ? 'is reserved' : /\p{Surrogate}/u.test(name) ? 'is no Unicode text' : undefined;
  if (problem)
    throw new MnemeError('invalid-argument', `A tensor cannot be called ${JSON.stringify(name)}: it ${problem}.`);
}
