/** A text opened for training: its vocabulary, its ids, and its training, validation and test parts. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as v from 'valibot';
import { MnemeError, requireArgument } from '../errors.js';
import { finiteNumber, parseOptions } from '../options.js';
import type { Batches } from './batch.js';
import { createByteCollector, createSymbolCollector, type IdArray } from './symbol-ids.js';
import { type TextBatchesOptions, textBatches } from './text-batches.js';
import { createUtf8Reader } from './utf8.js';
import {
  byteVocabulary,
  characterVocabulary,
  refuseLoneSurrogates,
  type TextUnit,
  unknownSymbol,
  type Vocabulary,
} from './vocabulary.js';

/** Consecutive symbols of a text. */
export interface TextPart {
  /** Symbols in this part. */
  readonly length: number;
  /**
   * Batches of ids and of the ids that follow them, contiguous: each row goes on where it ended in the batch before.
   *
   * @throws {MnemeError} `insufficient-data` when the part is empty or shorter than one batch
   * @example
   * text.batches({ batch: 32, steps: 100 });
   */
  batches(options: TextBatchesOptions): Batches;
  /** A copy of the ids from `start` to before `end`, as `slice` counts. */
  ids(start?: number, end?: number): Int32Array;
}

/** As a whole a text is its training part: `text.batches` leaves out validation and test. */
export interface Text {
  readonly vocabulary: Vocabulary;
  /** Symbols in all three parts together. */
  readonly length: number;
  readonly training: TextPart;
  readonly validation: TextPart;
  readonly test: TextPart;
  /** `training.batches` */
  batches(options: TextBatchesOptions): Batches;
}

const share = v.optional(finiteNumber({ minimum: 0, below: 1 }), 0);
const textSchema = v.strictObject({
  /** What a symbol is. Default: as in `vocabulary`, or `character`, a Unicode code point. */
  unit: v.optional(v.picklist(['character', 'byte'])),
  /** Read with this vocabulary, such as that of a model trained on another text. Default: that of this text. */
  vocabulary: v.optional(
    v.custom<Vocabulary>((value) => typeof value === 'object' && value !== null && 'encode' in value, 'a vocabulary'),
  ),
  /** Share of the symbols, in [0, 1), taken from behind the training part. Default 0. */
  validation: share,
  /** Share of the symbols, in [0, 1), taken from the end. Default 0. */
  test: share,
  /** Stops the reading. */
  signal: v.optional(v.instance(AbortSignal)),
});
export type TextOptions = v.InferInput<typeof textSchema>;

/**
 * Reads a text of any length. It takes one, two or four bytes of memory a symbol, as the size of its vocabulary asks.
 *
 * By character, the file must be UTF-8; a byte order mark at its beginning is left out, and the vocabulary is the code
 * points that occur, in ascending order. By byte, any file will do, and the vocabulary is all 256 bytes.
 *
 * The parts follow each other in the file: training, validation, test; `validation` and `test` get
 * `floor(share * length)` symbols.
 *
 * @throws {MnemeError} `file-missing`, `invalid-text` (not UTF-8: with the offset of the byte; a symbol that the given
 *   vocabulary has not: which, and where), `insufficient-data` (empty), `invalid-option`, `aborted`
 * @example
 * const text = await openText('moby-dick.txt', { validation: 0.05 });
 * text.vocabulary.size; // 94
 */
export async function openText(path: string, options: TextOptions = {}): Promise<Text> {
  requireArgument(typeof path === 'string' && path !== '', 'openText', 'the path of a file', path);
  const parsed = parseOptions(textSchema, options, 'openText');
  const expected = await fileSize(path);
  const stream = createReadStream(path, {
    highWaterMark: 1 << 18,
    ...(parsed.signal ? { signal: parsed.signal } : {}),
  });
  try {
    const symbols =
      unitOf(parsed, 'openText') === 'byte'
        ? await readBytes(stream, expected)
        : await readCharacters(stream, path, expected);
    return makeText(symbols, parsed, path);
  } catch (error) {
    throw parsed.signal?.aborted
      ? new MnemeError('aborted', `openText: stopped while reading ${path}.`)
      : readFailure(error, path);
  }
}

/**
 * The same for a text in memory.
 *
 * @throws {MnemeError} `invalid-text` (half a surrogate pair; a symbol that the given vocabulary has not),
 *   `insufficient-data` (empty), `invalid-option`
 * @example
 * textFromString('to be or not to be').vocabulary.size; // 7
 */
export function textFromString(content: string, options: Omit<TextOptions, 'signal'> = {}): Text {
  const parsed = parseOptions(textSchema, options, 'textFromString');
  if (typeof content !== 'string') {
    throw new MnemeError('invalid-argument', `textFromString: expected a string, got ${typeof content}.`);
  }
  refuseLoneSurrogates(content, 'textFromString');
  if (unitOf(parsed, 'textFromString') === 'byte') {
    return makeText({ ids: new TextEncoder().encode(content), vocabulary: byteVocabulary() }, parsed, 'the string');
  }
  const collector = createSymbolCollector(content.length);
  for (const symbol of content) collector.push(symbol.codePointAt(0)!);
  const { symbols, ids } = collector.finish();
  return makeText({ ids, vocabulary: characterVocabulary(symbols) }, parsed, 'the string');
}

interface Symbols {
  readonly ids: IdArray;
  readonly vocabulary: Vocabulary;
}

async function readCharacters(stream: AsyncIterable<Uint8Array>, path: string, expected: number): Promise<Symbols> {
  const reader = createUtf8Reader(path);
  const collector = createSymbolCollector(expected);
  const byteOrderMark = 0xfeff;
  let first = true;
  const take = (codePoint: number): void => {
    if (!first || codePoint !== byteOrderMark) collector.push(codePoint);
    first = false;
  };
  for await (const bytes of stream) reader.read(bytes, take);
  reader.end();
  const { symbols, ids } = collector.finish();
  return { ids, vocabulary: characterVocabulary(symbols) };
}

async function readBytes(stream: AsyncIterable<Uint8Array>, expected: number): Promise<Symbols> {
  const collector = createByteCollector(expected);
  for await (const bytes of stream) collector.push(bytes);
  return { ids: collector.finish(), vocabulary: byteVocabulary() };
}

type Settings = v.InferOutput<typeof textSchema>;

function unitOf({ unit, vocabulary }: Settings, where: string): TextUnit {
  if (unit && vocabulary && unit !== vocabulary.unit) {
    throw new MnemeError(
      'invalid-option',
      `${where}: unit '${unit}' does not fit a vocabulary whose unit is '${vocabulary.unit}': leave one of them out.`,
    );
  }
  return unit ?? vocabulary?.unit ?? 'character';
}

/** The same symbols by the ids of another vocabulary of the same unit. */
function translated({ ids, vocabulary: own }: Symbols, vocabulary: Vocabulary, source: string): IdArray {
  const idOf = new Map(vocabulary.symbols.map((symbol, id) => [symbol, id]));
  const translation = own.symbols.map((symbol) => idOf.get(symbol) ?? -1);
  const unknown = ids.findIndex((id) => translation[id] === -1);
  if (unknown >= 0) throw unknownSymbol(own.symbols[ids[unknown]!]!, unknown, vocabulary.size, source);
  const { size } = vocabulary;
  const Ids = size <= 0x100 ? Uint8Array : size <= 0x10000 ? Uint16Array : Int32Array;
  const result = new Ids(ids.length);
  for (const [position, id] of ids.entries()) result[position] = translation[id]!;
  return result;
}

function makeText(symbols: Symbols, settings: Settings, source: string): Text {
  const { validation, test, vocabulary = symbols.vocabulary } = settings;
  const ids = vocabulary === symbols.vocabulary ? symbols.ids : translated(symbols, vocabulary, source);
  if (ids.length === 0) throw new MnemeError('insufficient-data', `${source} holds no text: it is empty.`);
  if (validation + test >= 1) {
    throw new MnemeError(
      'invalid-option',
      `openText: validation ${validation} and test ${test} leave nothing to train on; together they must stay below 1.`,
    );
  }
  const part = (name: string, start: number, end: number): TextPart => {
    const own = ids.subarray(start, end);
    return {
      length: own.length,
      batches: (options) => textBatches(own, `the ${name} part of ${source}`, vocabulary, options),
      ids(from, to) {
        for (const bound of [from, to]) {
          requireArgument(bound === undefined || typeof bound === 'number', 'ids', 'numbers as bounds', bound);
        }
        return Int32Array.from(own.subarray(from, to));
      },
    };
  };
  const testStart = ids.length - Math.floor(test * ids.length);
  const validationStart = testStart - Math.floor(validation * ids.length);
  const training = part('training', 0, validationStart);
  return {
    vocabulary,
    length: ids.length,
    training,
    validation: part('validation', validationStart, testStart),
    test: part('test', testStart, ids.length),
    batches: training.batches,
  };
}

async function fileSize(path: string): Promise<number> {
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw new MnemeError('file-missing', `${path} is a directory; openText reads one file.`);
    return status.size;
  } catch (error) {
    throw readFailure(error, path);
  }
}

function readFailure(error: unknown, path: string): Error {
  if (error instanceof MnemeError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const reason =
    code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'reading it is not permitted' : String(error);
  return new MnemeError('file-missing', `Cannot read ${path}: ${reason}.`, { cause: error });
}
