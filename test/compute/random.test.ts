/** Random numbers by counter. */
import { expect, test } from 'vitest';
import { normals, philox, seedWords, uniforms } from '../../src/compute/random.js';

test('Philox 4x32-10 gives the published vectors', () => {
  // Known answers of the authors' library Random123.
  const all = 0xffffffff;
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(philox([all, all, all, all], [all, all])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ]);
});

test('a number depends on its place alone', () => {
  const settings = { seed: 2 ** 40 + 12345, purpose: 77, step: -3 };
  expect(uniforms(5, { ...settings, start: 90 })).toEqual(uniforms(95, settings).slice(90));
  expect(normals(5, { ...settings, start: 61 })).toEqual(normals(66, settings).slice(61));
});

test('seed, purpose and step each give other numbers', () => {
  const settings = { seed: 1, purpose: 1, step: 1 };
  const first = uniforms(4, settings);
  for (const changed of [{ seed: 2 }, { seed: 1 + 2 ** 32 }, { purpose: 2 }, { step: 2 }]) {
    expect(uniforms(4, { ...settings, ...changed })).not.toEqual(first);
  }
});

test('a seed is its two words', () => {
  expect(seedWords(2 ** 40 + 5)).toEqual([5, 256]);
  expect(uniforms(8, { seed: 2 ** 40 + 5, purpose: 0 })).toEqual(uniforms(8, { seed: [5, 256], purpose: 0 }));
});

test('mean and deviation are those of the distributions', () => {
  const count = 100_000;
  const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / count;
  const deviation = (values: Float64Array, middle = mean(values)) =>
    Math.sqrt(mean(values.map((x) => (x - middle) ** 2)));
  // Five standard errors: deviation / sqrt(count) of a mean, about 0.7 of that of a deviation.
  const error = 5 / Math.sqrt(count);
  const flat = uniforms(count, { seed: 9, purpose: 3 });
  expect(Math.abs(mean(flat) - 0.5)).toBeLessThan(error * Math.sqrt(1 / 12));
  expect(Math.abs(deviation(flat) - Math.sqrt(1 / 12))).toBeLessThan(error);
  expect(flat.every((x) => x >= 0 && x < 1)).toBe(true);
  const bell = normals(count, { seed: 9, purpose: 4 });
  expect(Math.abs(mean(bell))).toBeLessThan(error);
  expect(Math.abs(deviation(bell) - 1)).toBeLessThan(error);
});
