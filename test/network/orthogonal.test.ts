/** Orthogonal matrices: orthonormal, uniform among all, and the same however they are computed. */
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { productOn } from '../../src/network/initial-parameters.js';
import { initializer, initializers } from '../../src/network/initializers.js';
import { orthogonalMatrix } from '../../src/network/orthogonal.js';
import { native } from './engines.js';
import { numbers } from './random-numbers.js';

const { addon } = loadAddon();
const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;

/** The largest difference of the products of its rows or columns, whichever are fewer, from 1 and 0. */
function defect(q: Float64Array, rows: number, columns: number): number {
  const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
  const vectors = Array.from({ length: short }, (_, vector) =>
    Float64Array.from({ length: long }, (_, index) =>
      rows >= columns ? q[index * columns + vector]! : q[vector * columns + index]!,
    ),
  );
  let worst = 0;
  for (const [a, first] of vectors.entries()) {
    for (let b = 0; b <= a; b++) {
      const second = vectors[b]!;
      let product = 0;
      for (let index = 0; index < long; index++) product += first[index]! * second[index]!;
      worst = Math.max(worst, Math.abs(product - (a === b ? 1 : 0)));
    }
  }
  return worst;
}

describe('an orthogonal matrix', () => {
  it.each([
    [7, 7],
    [9, 4],
    [3, 8],
    [1, 5],
    [5, 1],
    [1, 1],
    [40, 39],
  ])('[%i, %i] has orthonormal rows or columns', (rows, columns) => {
    const q = initializer('orthogonal')([rows, columns], numbers(1));
    // Each reflection rounds a few times: 2^-53 for every term of every sum.
    expect(defect(q, rows, columns)).toBeLessThan(2 ** -53 * 4 * Math.max(rows, columns) * Math.min(rows, columns));
  });

  it('is multiplied by its gain', () => {
    const q = initializer(initializers.orthogonal({ gain: 3 }))([6, 6], numbers(1));
    expect(
      defect(
        q.map((x) => x / 3),
        6,
        6,
      ),
    ).toBeLessThan(1e-14);
  });

  it('is that of each gate', () => {
    const q = initializer('orthogonal', { gates: 3 })([4, 12], numbers(3));
    for (let block = 0; block < 3; block++) {
      const gate = Float64Array.from({ length: 16 }, (_, i) => q[Math.floor(i / 4) * 12 + block * 4 + (i % 4)]!);
      expect(defect(gate, 4, 4)).toBeLessThan(1e-14);
    }
    expect(q[0]).not.toBe(q[4]);
  });

  it('is not biased: rotations and reflections are equally likely, every direction of its first column too', () => {
    const random = numbers(2);
    const samples = Array.from({ length: 4000 }, () => initializer('orthogonal')([2, 2], random));
    const positive = samples.filter(([a, b, c, d]) => a! * d! - b! * c! > 0).length;
    // Five standard errors of a fair coin.
    expect(Math.abs(positive - 2000)).toBeLessThan(5 * Math.sqrt(1000));
    // The angle is uniform in (-π, π]: Kolmogorov's distance, beyond which one in 10^9 lies.
    const angles = Float64Array.from(samples, ([a, , c]) => Math.atan2(c!, a!)).sort();
    const distance = Math.max(
      ...[...angles].map((x, i) => Math.abs((x + Math.PI) / (2 * Math.PI) - (i + 0.5) / angles.length)),
    );
    expect(distance).toBeLessThan(Math.sqrt(Math.log(2e9) / (2 * angles.length)));
  });

  it('has trace of mean 0 and variance 1 in four dimensions, as Haar measure has (Diaconis and Shahshahani 1994)', () => {
    const random = numbers(4);
    const traces = Float64Array.from({ length: 4000 }, () => {
      const q = initializer('orthogonal')([4, 4], random);
      return q[0]! + q[5]! + q[10]! + q[15]!;
    });
    // The trace has the first moments of a normal number: five standard errors of mean and variance.
    expect(Math.abs(mean(traces))).toBeLessThan(5 / Math.sqrt(4000));
    expect(Math.abs(mean(traces.map((x) => x * x)) - 1)).toBeLessThan(5 * Math.sqrt(2 / 4000));
  });
});

describe.skipIf(!native)('a large orthogonal matrix', () => {
  const shapes = [
    [512, 512],
    [700, 520],
    [513, 600],
  ] as const;

  it.each(shapes)('[%i, %i] on the native engine is the same up to the rounding of f32', (rows, columns) => {
    const exact = orthogonalMatrix(rows, columns, numbers(5).normal);
    const got = orthogonalMatrix(rows, columns, numbers(5).normal, productOn(createNativeEngine({ addon: addon! })));
    const worst = exact.reduce((largest, x, index) => Math.max(largest, Math.abs(x - got[index]!)), 0);
    // A block changes each column, of length 1, by three products; their sums of products of entries around
    // 1/sqrt(long) each round to 2^-24 of what they add up to, which is below 1. Errors of blocks add up.
    const blocks = Math.ceil(Math.min(rows, columns) / 128);
    expect(worst).toBeLessThan(blocks * 3 * 2 ** -24);
    expect(worst).toBeGreaterThan(0);
    expect(defect(got, rows, columns)).toBeLessThan(blocks * 6 * 2 ** -24);
  });

  it('has the same bits on every instruction set and any number of threads', () => {
    const sets = addon!.machine().instructionSets;
    const made = sets.flatMap((instructionSet) =>
      [1, 2, 3].map((threads) =>
        orthogonalMatrix(
          300,
          270,
          numbers(6).normal,
          productOn(createNativeEngine({ addon: addon!, instructionSet, threads })),
        ),
      ),
    );
    expect(made.length).toBeGreaterThan(2);
    for (const other of made) expect(other).toEqual(made[0]);
  });
});
