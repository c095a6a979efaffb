/** The header of a safetensors file, read strictly: whatever the format does not allow is refused. */
import { printShape, type Shape } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { nearestName } from '../options.js';
import { duplicateKey } from './json-keys.js';
import { isStoredDtype, type StoredDtype, storedBits } from './stored-tensor.js';

export interface HeaderEntry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  /** First byte, and the one behind the last, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their bytes. */
  readonly entries: readonly HeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the tensors' bytes begin in the file. */
  readonly dataStart: number;
}

/** No file may have a longer header, so that reading one takes bounded memory. */
export const longestHeader = 100_000_000;

/** The key under which the header keeps what is no tensor. */
export const metadataKey = '__metadata__';

/**
 * @param where the file, for messages
 * @throws {MnemeError} `file-invalid`: what is not allowed, and where
 */
export function parseHeader(bytes: Uint8Array, where: string): Header {
  const refuse = refuser(where);
  if (bytes.length < 8) refuse(`it has ${bytes.length} bytes; the length of the header alone takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(longestHeader)) refuse(`its header would be ${length} bytes long; ${longestHeader} are allowed`);
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    refuse(`its header would end at byte ${dataStart}, but there are ${bytes.length}. Is the file truncated?`);
  }
  if (bytes[8] !== '{'.charCodeAt(0) || length === 0n) refuse("its header does not begin with '{'");

  const entries: HeaderEntry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of Object.entries(parseJson(bytes.subarray(8, dataStart), refuse))) {
    if (name === metadataKey) metadata = parseMetadata(value, refuse);
    else entries.push(parseEntry(name, value, refuse));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireCover(entries, bytes.length - dataStart, refuse);
  return { entries, metadata, dataStart };
}

type Refuse = (reason: string) => never;

export const refuser =
  (where: string): Refuse =>
  (reason) => {
    throw new MnemeError('file-invalid', `${where} is not a valid safetensors file: ${reason}.`);
  };

function parseJson(bytes: Uint8Array, refuse: Refuse): object {
  let text = '';
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse('its header is not UTF-8');
  }
  try {
    value = JSON.parse(text);
  } catch (error) {
    refuse(`its header is not JSON (${error instanceof Error ? error.message : error})`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) refuse(`its header has the key '${twice}' twice`);
  return value as object;
}

function parseMetadata(value: unknown, refuse: Refuse): ReadonlyMap<string, string> {
  if (!isObject(value)) return refuse(`'${metadataKey}' must be an object, got ${describe(value)}`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return refuse(`'${metadataKey}.${key}' must be a string, got ${describe(text)}`);
    metadata.set(key, text);
  }
  return metadata;
}

const entryKeys = ['dtype', 'shape', 'data_offsets'];

function parseEntry(name: string, value: unknown, refuse: Refuse): HeaderEntry {
  if (!isObject(value)) return refuse(`tensor '${name}' must be an object, got ${describe(value)}`);
  const fields = new Map(Object.entries(value));
  for (const key of entryKeys) if (!fields.has(key)) return refuse(`tensor '${name}' has no '${key}'`);
  for (const key of fields.keys()) {
    if (!entryKeys.includes(key)) return refuse(`tensor '${name}' has the unknown key '${key}'`);
  }
  const dtype = fields.get('dtype');
  if (!isStoredDtype(dtype)) {
    const nearest =
      typeof dtype === 'string' ? `; the nearest known is ${nearestName(dtype, Object.keys(storedBits))}` : '';
    return refuse(`tensor '${name}' has the unknown type ${describe(dtype)}${nearest}`);
  }
  const shape = wholeNumbers(fields.get('shape'));
  if (!shape) return refuse(`the shape of tensor '${name}' must be a list of whole numbers`);
  const offsets = wholeNumbers(fields.get('data_offsets'));
  if (offsets?.length !== 2) return refuse(`the data_offsets of tensor '${name}' must be two whole numbers`);
  const [begin, end] = offsets as [number, number];
  const size = byteCount(dtype, shape);
  if (size === undefined)
    return refuse(`tensor '${name}' of type ${dtype} and shape ${printShape(shape)} has no possible size`);
  if (end - begin !== size) {
    return refuse(
      `tensor '${name}' of type ${dtype} and shape ${printShape(shape)} takes ${size} bytes, ` +
        `but its data_offsets [${begin}, ${end}] hold ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Undefined if the product is no exact number, even where a later extent of 0 would make it so, or no whole bytes. */
function byteCount(dtype: StoredDtype, shape: Shape): number | undefined {
  let bits: number = storedBits[dtype];
  for (const extent of shape) {
    bits *= extent;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}

function requireCover(sorted: readonly HeaderEntry[], length: number, refuse: Refuse): void {
  let covered = 0;
  for (const { name, begin, end } of sorted) {
    if (begin < covered)
      refuse(`tensor '${name}' begins at byte ${begin} of the data, within the one before, which ends at ${covered}`);
    if (begin > covered)
      refuse(`bytes ${covered} to ${begin} of the data, before tensor '${name}', belong to no tensor`);
    if (end > length)
      refuse(`tensor '${name}' ends at byte ${end} of the data, but there are ${length}. Is the file truncated?`);
    covered = end;
  }
  if (covered !== length) refuse(`${length - covered} bytes at its end belong to no tensor`);
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function wholeNumbers(value: unknown): readonly number[] | undefined {
  const valid = Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  return valid ? value : undefined;
}

/** Short, for a file may hold anything, of any length and depth. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
