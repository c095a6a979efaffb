import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteVocabulary, characterVocabulary, vocabularyFromJson } from '../../src/data/vocabulary.js';

const wellFormed = fc.string({ unit: 'grapheme' });

describe('a vocabulary of characters', () => {
  it('gives ids in the order of its symbols and turns them back into text', () => {
    const vocabulary = characterVocabulary('abc');
    expect([...vocabulary.encode('cab')]).toEqual([2, 0, 1]);
    expect(vocabulary.decode([2, 0, 1])).toBe('cab');
    expect(vocabulary.size).toBe(3);
  });

  it('counts code points, not UTF-16 units', () => {
    const vocabulary = characterVocabulary('a😀');
    expect([...vocabulary.encode('😀a😀')]).toEqual([1, 0, 1]);
    expect(vocabulary.decode([1])).toBe('😀');
  });

  it('names an unknown symbol and where it stands', () => {
    expect(() => characterVocabulary('ab😀').encode('a😀é')).toThrow(/'é' \(U\+00E9\) at position 2/);
    expect(() => characterVocabulary('ab').encode('a\n')).toThrow(/U\+000A at position 1/);
    expect(() => characterVocabulary('ab').encode('a\ud800')).toThrow(/U\+D800 at position 1/);
  });

  it('takes nothing but text', () => {
    for (const vocabulary of [characterVocabulary('ab'), byteVocabulary()]) {
      expect(() => vocabulary.encode(5 as never)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    }
  });

  it('names an id that it does not have', () => {
    for (const id of [2, -1, 0.5, Number.NaN]) {
      expect(() => characterVocabulary('ab').decode([0, id])).toThrow(`id ${id} at position 1`);
    }
  });

  it('refuses symbols that are there twice or are no character', () => {
    expect(() => characterVocabulary('aba')).toThrow(/'a' \(U\+0061\) is there twice, as 0 and 2/);
    expect(() => characterVocabulary(['ab'])).toThrow(/no single character/);
    expect(() => characterVocabulary(['\udc00'])).toThrow(/U\+DC00, is no single character/);
  });
});

describe('a vocabulary of bytes', () => {
  it('knows every text', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const vocabulary = byteVocabulary();
        expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
      }),
    );
  });

  it('streams whole characters', () => {
    const vocabulary = byteVocabulary();
    const decoder = vocabulary.decoder();
    const pieces = Array.from(vocabulary.encode('aé😀b'), (id) => decoder.push(id));
    expect(pieces).toEqual(['a', '', 'é', '', '', '', '😀', 'b']);
  });

  it('keeps a byte order mark, which is a character like any other within a text', () => {
    const vocabulary = byteVocabulary();
    expect(vocabulary.decode(vocabulary.encode('\ufeffa'))).toBe('\ufeffa');
  });

  it('refuses half a surrogate pair, which UTF-8 cannot hold, and ids that are no byte', () => {
    expect(() => byteVocabulary().encode('ab\udfff')).toThrow(/U\+DFFF at position 2/);
    expect(() => byteVocabulary().decode([256])).toThrow(/id 256/);
  });
});

describe('the plain data of a vocabulary', () => {
  it('makes an equal one, through JSON', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const vocabulary = characterVocabulary(new Set(text));
        const again = vocabularyFromJson(JSON.parse(JSON.stringify(vocabulary)));
        expect(again.symbols).toEqual(vocabulary.symbols);
        expect([...again.encode(text)]).toEqual([...vocabulary.encode(text)]);
      }),
    );
    expect(vocabularyFromJson(JSON.parse(JSON.stringify(byteVocabulary()))).unit).toBe('byte');
  });

  it('is refused in any other form', () => {
    for (const data of [null, [], {}, { unit: 'word' }, { unit: 'character' }, { unit: 'byte', symbols: 'a' }]) {
      expect(() => vocabularyFromJson(data)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    }
    expect(() => vocabularyFromJson({ unit: 'character', symbols: 'aa' })).toThrow(/twice/);
  });
});
