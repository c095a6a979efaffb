/**
 * A recorded run: the first steps of a small model on the beginning of Moby Dick.
 *
 * In double precision the losses must be those on record up to what different elementary functions of other versions of
 * V8 may change. The native engine must give the very bits on record, on every machine: a change of them is a change of
 * the order in which some kernel rounds, and is to be recorded again only together with the reason for it.
 */
import { describe, expect, it } from 'vitest';
import { exact, native } from '../network/engines.js';
import { book, languageModel, lossCurve } from '../parity/language-model.js';

const doubles: readonly number[] = [
  4.44093472316285, 4.462279188648907, 4.412442214308719, 4.399839589102211, 4.382697195179917, 4.364732923953489,
  4.341189323079931, 4.287385132378594, 4.303900029119861, 4.213670769365482, 4.127388272523691, 4.076708973149246,
];
const singles: readonly number[] = [
  4.440935134887695, 4.462279319763184, 4.412442207336426, 4.399839878082275, 4.382697105407715, 4.3647332191467285,
  4.341189384460449, 4.2873854637146, 4.303900241851807, 4.2136712074279785, 4.127388954162598, 4.076709270477295,
];

describe('the first steps on Moby Dick', () => {
  it('in double precision', async () => {
    const got = await lossCurve(languageModel(book(), exact), doubles.length);
    for (const [step, want] of doubles.entries())
      expect(Math.abs(got[step]! - want), `step ${step + 1}`).toBeLessThan(1e-10);
  });

  it.skipIf(!native)('to the bit on the native engine', async () => {
    expect(await lossCurve(languageModel(book(), native!), singles.length)).toEqual(singles);
  });
});
