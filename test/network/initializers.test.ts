/** Initial values have the distributions that their formulas say, and depend on the seed and the parameter only. */
import { describe, expect, it } from 'vitest';
import { normals, uniforms } from '../../src/compute/random.js';
import { gateBlocks, type InitializerOption, initializer, initializers } from '../../src/network/initializers.js';

const numbers = (purpose: number) => {
  let start = 0;
  const next = (count: number) => {
    start += count;
    return { seed: 11, purpose, start: start - count };
  };
  return {
    uniform: (count: number) => uniforms(count, next(count)),
    normal: (count: number) => normals(count, next(count)),
  };
};
const draw = (option: InitializerOption, shape: number[]) => initializer(option)(shape, numbers(1));
const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
const deviation = (values: Float64Array) => Math.sqrt(mean(values.map((x) => x * x)) - mean(values) ** 2);

describe('initializers', () => {
  it('xavierUniform lies within ±sqrt(6 / (fanIn + fanOut)) and fills that range', () => {
    const values = draw('xavierUniform', [300, 200]);
    const limit = Math.sqrt(6 / 500);
    expect(Math.max(...values)).toBeLessThanOrEqual(limit);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-limit);
    // 60,000 uniform numbers: the largest misses the limit by 2·limit/60,000 on average.
    expect(Math.max(...values)).toBeGreaterThan(limit * 0.999);
    expect(deviation(values)).toBeCloseTo(limit / Math.sqrt(3), 3);
  });

  it('xavierNormal has the variance 2 / (fanIn + fanOut)', () => {
    const values = draw('xavierNormal', [300, 200]);
    // Four standard errors of a mean and of a deviation of 60,000 numbers.
    const expected = Math.sqrt(2 / 500);
    expect(Math.abs(mean(values))).toBeLessThan((4 * expected) / Math.sqrt(60_000));
    expect(Math.abs(deviation(values) / expected - 1)).toBeLessThan(4 / Math.sqrt(120_000));
  });

  it('uniform and normal take their settings', () => {
    const flat = draw(initializers.uniform({ low: -0.08, high: 0.08 }), [100, 100]);
    expect(Math.max(...flat.map(Math.abs))).toBeLessThanOrEqual(0.08);
    expect(Math.max(...flat)).toBeGreaterThan(0.0799);
    const bell = draw(initializers.normal({ mean: 3, deviation: 0.5 }), [100, 100]);
    expect(mean(bell)).toBeCloseTo(3, 1);
    expect(deviation(bell)).toBeCloseTo(0.5, 1);
  });

  it.each([
    ['square', 7, 7],
    ['tall', 9, 4],
    ['wide', 3, 8],
    ['a row', 1, 5],
    ['a column', 5, 1],
  ] as const)('orthogonal: %s matrices have orthonormal rows or columns', (_, rows, columns) => {
    const q = draw('orthogonal', [rows, columns]);
    const short = Math.min(rows, columns);
    const at = (vector: number, index: number) =>
      rows >= columns ? q[index * columns + vector]! : q[vector * columns + index]!;
    for (let a = 0; a < short; a++) {
      for (let b = 0; b < short; b++) {
        let product = 0;
        for (let index = 0; index < Math.max(rows, columns); index++) product += at(a, index) * at(b, index);
        expect(product).toBeCloseTo(a === b ? 1 : 0, 12);
      }
    }
  });

  it('orthogonal matrices are not biased: their mean element and determinant sign vary', () => {
    const random = numbers(2);
    const make = () => initializer('orthogonal')([2, 2], random);
    const samples = Array.from({ length: 400 }, make);
    const determinants = samples.map(([a, b, c, d]) => a! * d! - b! * c!);
    // Rotations and reflections are equally likely: 4 standard errors of a fair coin.
    const positive = determinants.filter((value) => value > 0).length;
    expect(Math.abs(positive - 200)).toBeLessThan(4 * Math.sqrt(100));
    // The first element is the cosine of a uniform angle: mean 0, variance 1/2.
    const first = Float64Array.from(samples, ([a]) => a!);
    expect(Math.abs(mean(first))).toBeLessThan(4 * Math.sqrt(0.5 / 400));
    expect(deviation(first) ** 2).toBeCloseTo(0.5, 1);
  });

  it('gateBlocks draws each block of columns as a matrix of its own', () => {
    const values = gateBlocks(initializer('orthogonal'), 3)([4, 12], numbers(3));
    for (let block = 0; block < 3; block++) {
      for (let row = 0; row < 4; row++) {
        let length = 0;
        for (let column = 0; column < 4; column++) length += values[row * 12 + block * 4 + column]! ** 2;
        expect(length).toBeCloseTo(1, 12);
      }
    }
    expect(values[0]).not.toBe(values[4]);
  });

  it('refuses a matrix initializer for a vector, and settings it does not know', () => {
    expect(() => draw('orthogonal', [5])).toThrow(/needs a matrix.*\[5\]/);
    expect(() => initializers.uniform({ lo: 1 } as never)).toThrow(/initializers.uniform: unknown option 'lo'.*'low'/);
  });
});
