/** Changes bytes, and files made of a header in JSON and data. */
import { type Json, jsonOf, mutateJson, printJson } from './json-mutation.js';
import type { Random } from './random.js';

/** Bits, bytes and lengths. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length);
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Uint8Array.of(random.below(256)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    case 3:
      return Buffer.concat([bytes, new Uint8Array(random.below(64))]);
    default: {
      const result = Uint8Array.from(bytes);
      for (let count = random.below(3); count >= 0; count--) {
        const place = random.below(result.length);
        result[place] = random.once(2) ? result[place]! ^ (1 << random.below(8)) : random.pick([0, 1, 127, 128, 255]);
      }
      return result;
    }
  }
}

/** Text that holds JSON: changed as a tree, or else as bytes. */
export function mutateJsonBytes(random: Random, bytes: Uint8Array, lent: Uint8Array): Uint8Array {
  const json = treeOf(bytes);
  const other = treeOf(lent);
  if (!json || !other || random.once(6)) return mutateBytes(random, bytes);
  return Buffer.from(printJson(severalTimes(random, json, other)));
}

/** A safetensors file: its header changed as a tree with the length put right, or the whole as bytes. */
export function mutateSafetensors(random: Random, bytes: Uint8Array, lent: Uint8Array): Uint8Array {
  const parts = partsOf(bytes);
  const other = partsOf(lent);
  const json = parts && treeOf(parts.header);
  const lentJson = other && treeOf(other.header);
  if (!json || !lentJson || random.once(6)) return mutateBytes(random, bytes);
  const header = Buffer.from(printJson(severalTimes(random, json, lentJson)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(random.once(20) ? random.pick(promises) : BigInt(header.length));
  const data = random.once(8) ? mutateBytes(random, parts.data) : parts.data;
  return Buffer.concat([length, header, data]);
}

/** Lengths that no file of a few bytes has. */
const promises = [0n, 1n, 100_000_000n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

function severalTimes(random: Random, json: Json, other: Json): Json {
  let result = mutateJson(random, json, other);
  while (random.once(3)) result = mutateJson(random, result, other);
  return result;
}

function partsOf(bytes: Uint8Array): { readonly header: Uint8Array; readonly data: Uint8Array } | undefined {
  if (bytes.length < 8) return undefined;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > bytes.length - 8) return undefined;
  return { header: bytes.subarray(8, 8 + length), data: bytes.subarray(8 + length) };
}

function treeOf(bytes: Uint8Array): Json | undefined {
  try {
    return jsonOf(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return undefined;
  }
}
