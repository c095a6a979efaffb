import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { elementCount, type Tensor, tensor } from '../../src/compute/tensor.js';
import { MnemeError } from '../../src/errors.js';
import {
  formatSafetensors,
  parseSafetensors,
  readSafetensors,
  writeSafetensors,
} from '../../src/formats/safetensors.js';
import { tensorOfStored } from '../../src/formats/stored-tensor.js';

const directory = mkdtempSync(join(tmpdir(), 'mneme-safetensors-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A file of that header, whatever it says, and `data` bytes. */
function fileOf(header: unknown, data = 0): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + data);
  bytes.writeBigUInt64LE(BigInt(json.length));
  json.copy(bytes, 8);
  return bytes;
}
const entry = (dtype: string, shape: readonly unknown[], begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const parse = (pieces: readonly Uint8Array[]) => parseSafetensors(Buffer.concat(pieces));

const shape = fc.array(fc.nat(4), { minLength: 1, maxLength: 3 });
const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(shape, fc.constantFrom(Float32Array, Float64Array, Int32Array), fc.integer())
  .map(([extents, Data, start]) => {
    const data = new Data(elementCount(extents));
    return tensor(
      data.map((_, i) => start + i / 3),
      extents,
    );
  });
const anyName = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__');
const names = fc.oneof(anyName, fc.constantFrom('__proto__', 'constructor', '', '0', '1'));

describe('a safetensors file', () => {
  it('gives back what was written, bit for bit, under any name', () => {
    const strings = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, anyTensor)), strings, (list, metadata) => {
        const tensors = new Map(list);
        const read = parse(formatSafetensors(tensors, metadata));
        expect(new Map([...read.tensors].map(([name, stored]) => [name, tensorOfStored(stored, name)]))).toEqual(
          tensors,
        );
        expect([...read.metadata].sort()).toEqual(Object.entries(metadata).sort());
      }),
    );
  });

  it('has the same bytes whatever order the tensors were given in, all of them aligned', () => {
    const tensors = { b: tensor([1]), a: tensor([2]), wide: tensor(Float64Array.of(3)) };
    const one = Buffer.concat(formatSafetensors(tensors));
    const other = Buffer.concat(formatSafetensors(Object.fromEntries(Object.entries(tensors).reverse())));
    expect(one.equals(other)).toBe(true);
    expect(one.readBigUInt64LE() % 8n).toBe(0n);
    expect([...parseSafetensors(one).tensors.keys()]).toEqual(['wide', 'a', 'b']);
  });

  it('goes to disk and back', async () => {
    const path = join(directory, 'small.safetensors');
    await writeSafetensors(path, { kernel: tensor([1, 2, 3, 4, 5, 6], [2, 3]) }, { made: 'here' });
    const { tensors, metadata } = await readSafetensors(path);
    expect(tensorOfStored(tensors.get('kernel')!, 'kernel')).toEqual(tensor([1, 2, 3, 4, 5, 6], [2, 3]));
    expect(metadata.get('made')).toBe('here');
  });

  it('is read when its header is padded to no multiple of anything', () => {
    const bytes = Buffer.concat([fileOf({ x: entry('F32', [1], 0, 4) }), Buffer.from(Float32Array.of(2.5).buffer)]);
    expect((bytes.length - 4) % 4).not.toBe(0);
    expect(tensorOfStored(parseSafetensors(bytes).tensors.get('x')!, 'x').data[0]).toBe(2.5);
  });

  it('may say nothing at all', () => {
    expect(parseSafetensors(fileOf('{}   ')).tensors.size).toBe(0);
  });

  it('gives the smaller floats and the other integers as numbers', () => {
    const read = (dtype: string, data: ArrayBufferView, count: number) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const file = Buffer.concat([fileOf({ x: entry(dtype, [count], 0, bytes.length) }), bytes]);
      return [...tensorOfStored(parseSafetensors(file).tensors.get('x')!, 'x').data];
    };
    // 1, -2, the largest, the smallest normal and subnormal, infinity: from the table of IEEE 754 binary16.
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00);
    expect(read('F16', halves, 6)).toEqual([1, -2, 65504, 2 ** -14, 2 ** -24, Number.POSITIVE_INFINITY]);
    expect(read('F16', Uint16Array.of(0x7e00), 1)).toEqual([Number.NaN]);
    expect(read('BF16', Uint16Array.of(0x3f80, 0xc000, 0x4049), 3)).toEqual([1, -2, 3.140625]);
    expect(read('I64', BigInt64Array.of(-5n, 7n), 2)).toEqual([-5, 7]);
    expect(read('U64', BigUint64Array.of(5n), 1)).toEqual([5]);
    expect(read('U32', Uint32Array.of(5), 1)).toEqual([5]);
    expect(read('I16', Int16Array.of(-5), 1)).toEqual([-5]);
    expect(read('U16', Uint16Array.of(65535), 1)).toEqual([65535]);
    expect(read('I8', Int8Array.of(-5), 1)).toEqual([-5]);
    expect(read('U8', Uint8Array.of(255), 1)).toEqual([255]);
    expect(read('BOOL', Uint8Array.of(0, 1), 2)).toEqual([0, 1]);
    expect(() => read('I64', BigInt64Array.of(1n, 2n ** 40n), 2)).toThrow(/1099511627776 at element 1/);
    expect(() => read('U32', Uint32Array.of(2 ** 31), 1)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
  });

  it('keeps the bytes of types that mneme has no numbers for', () => {
    const stored = parseSafetensors(fileOf({ x: entry('F4', [3, 2], 0, 3) }, 3)).tensors.get('x')!;
    expect(stored).toMatchObject({ dtype: 'F4', shape: [3, 2], bytes: new Uint8Array(3) });
    expect(() => tensorOfStored(stored, 'x')).toThrow(/'x' has elements of type F4/);
  });

  it('holds a single number under the shape []', () => {
    const stored = parseSafetensors(fileOf({ x: entry('F32', [], 0, 4) }, 4)).tensors.get('x')!;
    expect(tensorOfStored(stored, 'x').shape).toEqual([1]);
  });
});

describe('what the format does not allow is refused:', () => {
  const ok = entry('F32', [2], 0, 8);
  const long = Buffer.alloc(8 + 2);
  long.writeBigUInt64LE(100_000_001n);
  const endless = Buffer.alloc(16, 0xff);
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['a file too short for a length', Buffer.alloc(7), /has 7 bytes/],
    ['a header beyond the limit', long, /100000001 bytes long; 100000000 are allowed/],
    ['a header beyond all limits', endless, /18446744073709551615 bytes long/],
    ['a header longer than the file', fileOf({ x: ok }, 8).subarray(0, 20), /Is the file truncated/],
    ['an empty header', fileOf(''), /does not begin with/],
    ['a header that begins with a space', fileOf(' {}'), /does not begin with/],
    ['a header that is a list', fileOf('[]'), /does not begin with/],
    ['a header that is not JSON', fileOf('{"x":'), /is not JSON/],
    ['more than one header', fileOf('{}{}'), /is not JSON/],
    ['a header that is not UTF-8', Buffer.concat([fileOf({}).subarray(0, 9), Buffer.of(0xff)]), /is not UTF-8/],
    ['a name twice', fileOf('{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":null}', 8), /'x' twice/],
    ['a name twice, once escaped', fileOf('{"a":1, "\\u0061" :2}'), /'a' twice/],
    ['a key of a tensor twice', fileOf('{"x":{"dtype":"F32","dtype":"F64"}}'), /'dtype' twice/],
    ['a tensor that is none', fileOf({ x: [] }), /'x' must be an object, got a list/],
    ['a missing key', fileOf({ x: { dtype: 'F32', shape: [] } }), /'x' has no 'data_offsets'/],
    ['a key too many', fileOf({ x: { ...ok, strides: [1] } }, 8), /unknown key 'strides'/],
    ['an unknown type', fileOf({ x: entry('F33', [2], 0, 8) }, 8), /unknown type "F33"; the nearest known is F3?32/],
    ['a type from a prototype', fileOf({ x: entry('constructor', [2], 0, 8) }, 8), /unknown type/],
    ['a negative extent', fileOf({ x: entry('F32', [-2], 0, 8) }, 8), /shape of tensor 'x'/],
    ['a fraction as extent', fileOf({ x: entry('F32', [0.5], 0, 2) }, 2), /shape of tensor 'x'/],
    ['a shape that is no list', fileOf({ x: { ...ok, shape: { length: 1 } } }, 8), /shape of tensor 'x'/],
    ['a shape beyond all numbers', fileOf({ x: entry('F32', [2 ** 50, 2 ** 50], 0, 0) }), /no possible size/],
    ['the same, made nothing by a 0', fileOf({ x: entry('F32', [2 ** 50, 2 ** 50, 0], 0, 0) }), /no possible size/],
    ['half a byte', fileOf({ x: entry('F4', [3], 0, 2) }, 2), /no possible size/],
    ['one offset', fileOf({ x: { ...ok, data_offsets: [0] } }, 8), /two whole numbers/],
    ['an offset that is no number', fileOf({ x: entry('F32', [2], '0', 8) }, 8), /two whole numbers/],
    ['too few bytes for the shape', fileOf({ x: entry('F32', [2], 0, 4) }, 4), /takes 8 bytes, .* hold 4/],
    ['offsets the wrong way', fileOf({ x: entry('F32', [2], 8, 0) }, 8), /hold -8/],
    ['bytes beyond the file', fileOf({ x: ok }, 7), /ends at byte 8 of the data, but there are 7/],
    ['bytes at the end', fileOf({ x: ok }, 9), /1 bytes at its end/],
    ['a hole', fileOf({ x: ok, y: entry('F32', [1], 12, 16) }, 16), /bytes 8 to 12 .* before tensor 'y'/],
    ['a hole at the beginning', fileOf({ y: entry('F32', [1], 4, 8) }, 8), /bytes 0 to 4/],
    ['an overlap', fileOf({ x: ok, y: entry('F32', [1], 4, 8) }, 8), /'y' begins at byte 4 .* ends at 8/],
    ['metadata that is no object', fileOf({ __metadata__: 'x' }), /'__metadata__' must be an object/],
    ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }), /'__metadata__.a' must be a string, got 1/],
  ];
  it.each(cases)('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'f.safetensors')).toThrow(message);
    expect(() => parseSafetensors(bytes, 'f.safetensors')).toThrow(
      expect.objectContaining({ code: 'file-invalid', message: expect.stringMatching(/^f\.safetensors is not/) }),
    );
  });

  it('nothing else: a file changed anywhere is read or refused, and never crashes the reader', () => {
    const file = Buffer.concat(
      formatSafetensors(
        { a: tensor([1, 2], [1, 2]), ['__proto__']: tensor([1]), b: tensor(Int32Array.of(7)) },
        { k: 'v' },
      ),
    );
    const change = fc.record({
      at: fc.nat(file.length - 1),
      remove: fc.nat(9),
      insert: fc.uint8Array({ maxLength: 9 }),
    });
    const text = fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', '9', '-', 'e', 'F64', 'null', '__metadata__');
    const edit = fc.oneof(
      change,
      fc.tuple(change, text).map(([c, t]) => ({ ...c, insert: Buffer.from(t) })),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let bytes = file;
        for (const { at, remove, insert } of edits) {
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        }
        try {
          for (const [name, stored] of parseSafetensors(bytes).tensors) tensorOfStored(stored, name);
        } catch (error) {
          expect(error).toBeInstanceOf(MnemeError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('a header of a hundred thousand brackets, without a stack overflow', () => {
    for (const header of [
      `{"x":${'['.repeat(1e5)}`,
      `{"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
      `{"${'\\"'.repeat(1e5)}"}`,
    ]) {
      expect(() => parseSafetensors(fileOf(header))).toThrow(MnemeError);
    }
  });
});

describe('the writer', () => {
  it('refuses names that the format cannot hold', () => {
    expect(() => formatSafetensors({ __metadata__: tensor([1]) })).toThrow(/"__metadata__": it is reserved/);
    expect(() => formatSafetensors({ '\ud800': tensor([1]) })).toThrow(/is no Unicode text/);
  });

  it('leaves the old file as it was when it cannot write the new one', async () => {
    const path = join(directory, 'old.safetensors');
    await writeSafetensors(path, { old: tensor([1]) });
    const before = readFileSync(path);
    await expect(writeSafetensors(path, { __metadata__: tensor([2]) })).rejects.toThrow(MnemeError);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe('reading from disk', () => {
  it('names the file that is missing, and the one that is broken', async () => {
    await expect(readSafetensors(join(directory, 'none'))).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('none: there is no such file'),
    });
    await expect(readSafetensors(directory)).rejects.toThrow(/is a directory/);
    const path = join(directory, 'broken.safetensors');
    writeFileSync(path, 'hello');
    await expect(readSafetensors(path)).rejects.toThrow(/broken\.safetensors is not a valid safetensors file/);
  });
});
