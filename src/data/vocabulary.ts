/** A vocabulary: the symbols a model of text knows, and the way between text and their ids. */
import * as v from 'valibot';
import { MnemeError, printValue, requireArgument } from '../errors.js';

/** What a symbol is: a Unicode code point, or a byte of UTF-8. */
export type TextUnit = 'character' | 'byte';

export interface Vocabulary {
  readonly unit: TextUnit;
  /** The number of symbols: ids run from 0 to `size - 1`. */
  readonly size: number;
  /** By id. Characters stand for themselves; bytes are written as two hexadecimal digits. */
  readonly symbols: readonly string[];
  /**
   * Ids of a text, one a code point or byte.
   * @throws {MnemeError} `invalid-text` naming the symbol that is unknown (`U+00E9`) and its position
   */
  encode(text: string): Int32Array;
  /**
   * The text of ids. Bytes that are no UTF-8 become U+FFFD.
   * @throws {MnemeError} `out-of-range` naming the id and its position
   */
  decode(ids: ArrayLike<number>): string;
  /** For ids that arrive one after another: a character of several bytes is given out when it is complete. */
  decoder(): SymbolDecoder;
  /** Plain data from which `vocabularyFromJson` makes an equal vocabulary. */
  toJSON(): VocabularyData;
}

export interface SymbolDecoder {
  /** The characters completed by this id; often one, `''` within a character of several bytes. */
  push(id: number): string;
}

/** `symbols` holds the characters in the order of their ids. */
export type VocabularyData = { readonly unit: 'character'; readonly symbols: string } | { readonly unit: 'byte' };

/**
 * The vocabulary of the given code points, in the given order.
 *
 * @param symbols distinct characters; a string, a list or a set
 * @throws {MnemeError} `invalid-argument` when a symbol occurs twice, is no single code point, or is a lone surrogate
 * @example
 * const letters = characterVocabulary('abc');
 * letters.encode('cab'); // Int32Array [2, 0, 1]
 */
export function characterVocabulary(symbols: Iterable<string>): Vocabulary {
  const iterable = typeof symbols === 'string' || Array.isArray(symbols) || symbols instanceof Set;
  requireArgument(iterable, 'vocabulary', 'characters', symbols);
  const list = [...symbols];
  const ids = new Map<string, number>();
  for (const [id, symbol] of list.entries()) {
    requireArgument(typeof symbol === 'string', `vocabulary: symbol ${id}`, 'a character', symbol);
    if ([...symbol].length !== 1 || isLoneSurrogate(symbol)) {
      throw new MnemeError(
        'invalid-argument',
        `vocabulary: symbol ${id}, ${printSymbol(symbol)}, is no single character.`,
      );
    }
    if (ids.has(symbol)) {
      throw new MnemeError(
        'invalid-argument',
        `vocabulary: ${printSymbol(symbol)} is there twice, as ${ids.get(symbol)} and ${id}.`,
      );
    }
    ids.set(symbol, id);
  }
  const symbolOf = (id: number, position: number): string =>
    (typeof id === 'number' ? list[id] : undefined) ?? refuseId(id, position, list.length);
  return {
    unit: 'character',
    size: list.length,
    symbols: list,
    encode(text) {
      requireString(text);
      const encoded = new Int32Array(text.length);
      let count = 0;
      for (const symbol of text) {
        const id = ids.get(symbol);
        if (id === undefined) throw unknownSymbol(symbol, count, list.length, 'encode');
        encoded[count] = id;
        count += 1;
      }
      return encoded.subarray(0, count).slice();
    },
    decode: (encoded) => Array.from(idsOf(encoded), symbolOf).join(''),
    decoder: () => ({ push: (id) => symbolOf(id, 0) }),
    toJSON: () => ({ unit: 'character', symbols: list.join('') }),
  };
}

/**
 * The vocabulary of all 256 bytes; an id is the byte. It knows every text, one symbol a byte of its UTF-8.
 *
 * @example
 * byteVocabulary().encode('é'); // Int32Array [0xc3, 0xa9]
 */
export function byteVocabulary(): Vocabulary {
  const byteOf = (id: number, position: number): number =>
    Number.isInteger(id) && id >= 0 && id < 256 ? id : refuseId(id, position, 256);
  const createDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    unit: 'byte',
    size: 256,
    symbols: Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')),
    encode(text) {
      requireString(text);
      refuseLoneSurrogates(text, 'encode');
      return Int32Array.from(new TextEncoder().encode(text));
    },
    decode: (encoded) => createDecoder().decode(Uint8Array.from(idsOf(encoded), byteOf)),
    decoder() {
      const decoder = createDecoder();
      return { push: (id) => decoder.decode(Uint8Array.of(byteOf(id, 0)), { stream: true }) };
    },
    toJSON: () => ({ unit: 'byte' }),
  };
}

const dataSchema = v.variant('unit', [
  v.strictObject({ unit: v.literal('character'), symbols: v.string() }),
  v.strictObject({ unit: v.literal('byte') }),
]);

/**
 * The vocabulary that `toJSON` wrote down.
 *
 * @throws {MnemeError} `invalid-argument` if the data is of another form
 */
export function vocabularyFromJson(data: unknown): Vocabulary {
  const result = v.safeParse(dataSchema, data);
  if (!result.success) {
    const issue = result.issues[0];
    const path = v.getDotPath(issue);
    throw new MnemeError(
      'invalid-argument',
      `vocabulary: ${path ? `'${path}'` : 'the data'} must be ${issue.expected ?? 'of a known form'}, got ${issue.received}.`,
    );
  }
  return result.output.unit === 'byte' ? byteVocabulary() : characterVocabulary(result.output.symbols);
}

/** @throws {MnemeError} `invalid-text` naming the first half of a surrogate pair that stands alone */
export function refuseLoneSurrogates(text: string, where: string): void {
  const position = text.search(/\p{Surrogate}/u);
  if (position < 0) return;
  throw new MnemeError(
    'invalid-text',
    `${where}: ${printSymbol(text.charAt(position))} at position ${position} is half a surrogate pair, which is no character.`,
  );
}

function requireString(text: unknown): void {
  if (typeof text !== 'string')
    throw new MnemeError('invalid-argument', `encode: expected a string, got ${typeof text}.`);
}

/** A list, or a typed array, of which one whose buffer was detached has no ids and cannot be gone through. */
function idsOf(encoded: ArrayLike<number>): ArrayLike<number> {
  requireArgument(Array.isArray(encoded) || ArrayBuffer.isView(encoded), 'decode', 'a list of ids', encoded);
  return encoded.length > 0 ? encoded : [];
}

const isLoneSurrogate = (symbol: string): boolean => /^\p{Surrogate}$/u.test(symbol);

/** @param where the function or file it was met in */
export function unknownSymbol(symbol: string, position: number, size: number, where: string): MnemeError {
  return new MnemeError(
    'invalid-text',
    `${where}: ${printSymbol(symbol)} at position ${position} is not in the vocabulary of ${size} characters. ` +
      `Leave it out, or train on a text that contains it.`,
  );
}

/** `'é' (U+00E9)`; control characters and surrogates by number alone. */
function printSymbol(symbol: string): string {
  const codes = Array.from(
    symbol,
    (part) => `U+${(part.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u.test(symbol)
    ? `'${symbol}' (${codes.join(' ')})`
    : codes.join(' ') || 'an empty symbol';
}

function refuseId(id: number, position: number, size: number): never {
  throw new MnemeError(
    'out-of-range',
    `decode: id ${printValue(id)} at position ${position} is outside the vocabulary of ${size} symbols.`,
  );
}
