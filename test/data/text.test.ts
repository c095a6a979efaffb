import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createByteCollector, createSymbolCollector } from '../../src/data/symbol-ids.js';
import { openText, textFromString } from '../../src/data/text.js';
import { byteVocabulary, characterVocabulary } from '../../src/data/vocabulary.js';

const directory = mkdtempSync(join(tmpdir(), 'mneme-text-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function fileOf(content: string | Uint8Array): string {
  const path = join(directory, `${files++}.txt`);
  writeFileSync(path, content);
  return path;
}
const decoded = (text: Awaited<ReturnType<typeof openText>>): string => text.vocabulary.decode(text.training.ids());

describe('openText', () => {
  it('reads what is in the file, whatever the script', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1 }), async (content) => {
        fc.pre(content !== '\ufeff');
        const expected = content.startsWith('\ufeff') ? content.slice(1) : content;
        expect(decoded(await openText(fileOf(content)))).toBe(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps characters whole across the pieces a file is read in', async () => {
    // Pieces have 2^18 bytes: three-byte characters cannot all end with one.
    const content = `${'€'.repeat(200_000)}😀`;
    expect(decoded(await openText(fileOf(content)))).toBe(content);
  });

  it('orders the vocabulary by code point', async () => {
    const text = await openText(fileOf('b😀aéa'));
    expect(text.vocabulary.symbols).toEqual(['a', 'b', 'é', '😀']);
    expect(text.length).toBe(5);
  });

  it('holds more than 256 and more than 65536 different symbols', async () => {
    for (const count of [300, 70_000]) {
      const symbols = Array.from({ length: count }, (_, i) => String.fromCodePoint(i + 0x10000));
      const text = await openText(fileOf(symbols.join('')));
      expect(text.vocabulary.size).toBe(count);
      expect([...text.training.ids(-3)]).toEqual([count - 3, count - 2, count - 1]);
    }
  });

  it('names the offset of the first byte that is not UTF-8', async () => {
    const cases: readonly [readonly number[], number][] = [
      [[0x61, 0xff], 1], // never occurs
      [[0x61, 0x80], 1], // continues nothing
      [[0xc0, 0x80], 0], // overlong
      [[0xe0, 0x80, 0x80], 1], // overlong
      [[0xed, 0xa0, 0x80], 1], // surrogate
      [[0xf4, 0x90, 0x80, 0x80], 1], // above U+10FFFF
      [[0x61, 0xe2, 0x82, 0x61], 3], // broken off
    ];
    for (const [bytes, offset] of cases) {
      await expect(openText(fileOf(Uint8Array.from(bytes)))).rejects.toMatchObject({
        code: 'invalid-text',
        message: expect.stringContaining(`at offset ${offset} `),
      });
    }
    await expect(openText(fileOf(Uint8Array.of(0x61, 0xe2, 0x82)))).rejects.toThrow(/ends at offset 3 within/);
  });

  it('accepts exactly what the platform accepts as UTF-8', async () => {
    const platform = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const accepts = (bytes: Uint8Array): boolean => {
      try {
        platform.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const byte = fc.oneof(fc.constantFrom(0x61, 0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { minLength: 1, maxLength: 6 }), async (list) => {
        const bytes = Uint8Array.from(list);
        const opened = await openText(fileOf(bytes)).then(
          () => true,
          (error) => error.code !== 'invalid-text',
        );
        expect(opened).toBe(accepts(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('reads any file by bytes', async () => {
    const text = await openText(fileOf(Uint8Array.of(0xff, 0, 0x61)), { unit: 'byte' });
    expect([...text.training.ids()]).toEqual([0xff, 0, 0x61]);
    expect(text.vocabulary.size).toBe(256);
  });

  it('takes more symbols than the size of the file promised', () => {
    const symbols = createSymbolCollector(0);
    const bytes = createByteCollector(0);
    for (let i = 0; i < 5000; i++) {
      symbols.push(0x61 + (i % 3));
      bytes.push(Uint8Array.of(i % 3));
    }
    expect(symbols.finish()).toEqual({
      symbols: ['a', 'b', 'c'],
      ids: Uint8Array.from({ length: 5000 }, (_, i) => i % 3),
    });
    expect(bytes.finish()).toEqual(Uint8Array.from({ length: 5000 }, (_, i) => i % 3));
  });

  it('says what is missing', async () => {
    await expect(openText(join(directory, 'none.txt'))).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('none.txt: there is no such file'),
    });
    await expect(openText(directory)).rejects.toThrow(/is a directory/);
    for (const empty of ['', '\ufeff']) {
      await expect(openText(fileOf(empty))).rejects.toMatchObject({ code: 'insufficient-data' });
    }
    await expect(openText(fileOf('abc'), { validaton: 0.1 } as object)).rejects.toThrow(/Did you mean 'validation'/);
    await expect(openText(fileOf('abc'), { validation: 0.5, test: 0.5 })).rejects.toThrow(/nothing to train on/);
  });

  it('stops when told to', async () => {
    const path = fileOf('a'.repeat(1 << 20));
    const early = openText(path, { signal: AbortSignal.abort() });
    await expect(early).rejects.toMatchObject({ name: 'MnemeError', code: 'aborted' });
    const controller = new AbortController();
    const late = openText(path, { signal: controller.signal });
    controller.abort();
    await expect(late).rejects.toMatchObject({ name: 'MnemeError', code: 'aborted' });
  });
});

describe('a text read with the vocabulary of another', () => {
  const { vocabulary } = textFromString('a much longer text, with every letter of this one');

  it('says the same with the ids of that vocabulary', async () => {
    const content = 'this letter';
    expect(decoded(await openText(fileOf(content), { vocabulary }))).toBe(content);
    const text = textFromString(content, { vocabulary });
    expect(text.vocabulary).toBe(vocabulary);
    expect(text.training.ids()).toEqual(vocabulary.encode(content));
  });

  it('needs wide ids where that vocabulary does, however few symbols the text has', () => {
    const wide = characterVocabulary(Array.from({ length: 1000 }, (_, id) => String.fromCodePoint(0x4e00 + id)));
    const last = wide.symbols[999]!;
    expect(textFromString(last, { vocabulary: wide }).training.ids()).toEqual(Int32Array.of(999));
  });

  it('names a symbol that is unknown there, and where it stands', async () => {
    const path = fileOf('this létter');
    const expected = { code: 'invalid-text', message: expect.stringContaining(`${path}: 'é' (U+00E9) at position 6`) };
    await expect(openText(path, { vocabulary })).rejects.toMatchObject(expected);
  });

  it('is read by bytes where the vocabulary is of bytes, and by nothing else', () => {
    const bytes = byteVocabulary();
    expect(textFromString('é', { vocabulary: bytes }).training.ids()).toEqual(Int32Array.of(0xc3, 0xa9));
    expect(() => textFromString('é', { vocabulary: bytes, unit: 'character' })).toThrow(/'character' does not fit/);
  });
});

describe('the parts of a text', () => {
  it('follow each other and leave nothing out', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.double({ min: 0, max: 0.49, noNaN: true }),
        fc.double({ min: 0, max: 0.49, noNaN: true }),
        (content, validation, test) => {
          const text = textFromString(content, { validation, test });
          const parts = [text.training, text.validation, text.test];
          expect(parts.map((part) => text.vocabulary.decode(part.ids())).join('')).toBe(content);
          expect(text.validation.length).toBe(Math.floor(validation * text.length));
          expect(text.test.length).toBe(Math.floor(test * text.length));
        },
      ),
    );
  });

  it('say which of them is empty', () => {
    const text = textFromString('to be or not to be');
    expect(() => text.validation.batches({ batch: 1, steps: 1 })).toThrow(/validation part of the string is empty/);
  });
});

describe('batches of a text', () => {
  it('go on in every row, each target being the next symbol', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 400 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        (n, batch, steps) => {
          const row = Math.floor(n / batch);
          // Chunks that stay within their row, and whose last target is within the text.
          const within = (count: number) => count * steps <= row && (batch - 1) * row + count * steps < n;
          fc.pre(within(1));
          // Every position has a symbol of its own, so that a symbol tells where it was read.
          const content = Array.from({ length: n }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('');
          const batches = textFromString(content).batches({ batch, steps });
          const read: number[][] = Array.from({ length: batch }, () => []);
          const chunks = [...batches.epoch(0)];
          for (const [chunk, { inputs, targets, continues }] of chunks.entries()) {
            expect(continues).toBe(chunk > 0);
            expect(inputs.shape).toEqual([batch, steps]);
            for (let b = 0; b < batch; b++) {
              const ids = [...inputs.data.subarray(b * steps, (b + 1) * steps)];
              expect([...targets.data.subarray(b * steps, (b + 1) * steps)]).toEqual(ids.map((id) => id + 1));
              read[b]!.push(...ids);
            }
          }
          for (const [b, ids] of read.entries()) expect(ids).toEqual(ids.map((_, i) => b * row + i));
          expect(batches.length).toBe(chunks.length);
          expect(batches.tokens).toBe(chunks.length * batch * steps);
          expect(within(chunks.length)).toBe(true);
          expect(within(chunks.length + 1)).toBe(false);
        },
      ),
    );
  });

  it('know the vocabulary they are written in', () => {
    const text = textFromString('to be or not to be');
    expect(text.batches({ batch: 2, steps: 3 }).vocabulary).toBe(text.vocabulary);
  });

  it('need a text as long as one batch and one symbol more', () => {
    const options = { batch: 4, steps: 5 };
    expect(textFromString('a'.repeat(21)).batches(options).length).toBe(1);
    expect(() => textFromString('a'.repeat(20)).batches(options)).toThrow(
      expect.objectContaining({
        code: 'insufficient-data',
        message: expect.stringMatching(/has 20 symbols.*takes 21/),
      }),
    );
  });

  it('refuse options that make no sense', () => {
    const text = textFromString('to be or not to be');
    expect(() => text.batches({ batch: 0, steps: 5 })).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(() => text.batches({ batch: 2, step: 5 } as never)).toThrow(/'step'.*'steps'|'steps'/);
  });
});

describe('textFromString', () => {
  it('gives the same text as a file with that content', async () => {
    const content = 'Call me Ishmael. ☕ Some years ago';
    const [fromFile, fromString] = [await openText(fileOf(content)), textFromString(content)];
    expect(fromString.vocabulary.symbols).toEqual(fromFile.vocabulary.symbols);
    expect(fromString.training.ids()).toEqual(fromFile.training.ids());
    expect(textFromString(content, { unit: 'byte' }).training.ids()).toEqual(
      (await openText(fileOf(content), { unit: 'byte' })).training.ids(),
    );
  });

  it('refuses half a surrogate pair', () => {
    expect(() => textFromString('ab\ud83d')).toThrow(/U\+D83D at position 2/);
  });
});
