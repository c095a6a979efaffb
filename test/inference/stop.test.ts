import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Stop, watchFor } from '../../src/inference/stop.js';

/** All that is given out of a text, and whether the watch stopped it. */
function through(text: string, stop?: Stop): { given: string; stopped: boolean } {
  const watch = watchFor(stop);
  let given = '';
  for (const character of text) {
    const { give, stopped } = watch.push(character);
    given += give.join('');
    if (stopped) return { given, stopped };
  }
  return { given: given + watch.rest().join(''), stopped: false };
}

describe('a stopping text', () => {
  it('ends the text before its first appearance, and gives all of it otherwise', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 30 });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(letters, stop, (text, stopping) => {
        const end = text.indexOf(stopping);
        const expected = end < 0 ? { given: text, stopped: false } : { given: text.slice(0, end), stopped: true };
        expect(through(text, stopping)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('holds back only what could be its beginning', () => {
    const watch = watchFor('\n\n');
    expect(watch.push('a').give).toEqual(['a']);
    expect(watch.push('\n').give).toEqual([]);
    expect(watch.push('b').give).toEqual(['\n', 'b']);
  });
});

describe('a stopping question', () => {
  it('is asked after each character of all text so far, and lets that character through', () => {
    const asked: string[] = [];
    const stop = (text: string): boolean => asked.push(text) === 3;
    expect(through('abcdef', stop)).toEqual({ given: 'abc', stopped: true });
    expect(asked).toEqual(['a', 'ab', 'abc']);
  });
});

it('without a stop everything goes through', () => {
  expect(through('abc')).toEqual({ given: 'abc', stopped: false });
});
