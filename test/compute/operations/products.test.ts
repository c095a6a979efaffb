/** Products and everything that moves numbers: right on every engine, with the same bits on every instruction set. */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { gradients } from '../../../src/compute/gradients.js';
import {
  concatenate,
  embedding,
  finite,
  increment,
  matmul,
  oneHot,
  pad,
  reduceSum,
  slice,
  transpose,
} from '../../../src/compute/operations/index.js';
import { tensor } from '../../../src/compute/tensor.js';
import { addon, exact, forExamples, ids, noise, roundoff, sumError, type Tolerance } from './agreement.js';

const extent = (max: number) => fc.integer({ min: 1, max });

test.skipIf(!addon)('the native engine takes part', () => {});

describe('matmul', () => {
  const shapes = fc.record({
    m: extent(70),
    k: extent(90),
    n: extent(140),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    withBias: fc.boolean(),
  });

  test('all transposes, any shape', () =>
    forExamples(shapes, ({ m, k, n, transposeA, transposeB, withBias }) => {
      const a = noise(transposeA ? [k, m] : [m, k], 1);
      const b = noise(transposeB ? [n, k] : [k, n], 2);
      const bias = noise([n], 3);
      const at = (
        x: { data: ArrayLike<number> },
        row: number,
        column: number,
        width: number,
        transposed: boolean,
        height: number,
      ) => Math.abs(x.data[transposed ? column * height + row : row * width + column]!);
      // Each element is a sum of k products and the bias.
      const tolerance: Tolerance = () => (index) => {
        const [row, column] = [Math.floor(index / n), index % n];
        let sizes = withBias ? Math.abs(bias.data[column]!) : 0;
        for (let p = 0; p < k; p++) sizes += at(a, row, p, k, transposeA, m) * at(b, p, column, n, transposeB, k);
        return sumError(k + 1) * sizes;
      };
      return {
        inputs: { a, b, bias },
        build: ({ a, b, bias }) => ({
          c: matmul(a!, b!, { transposeA, transposeB, bias: withBias ? bias : undefined }),
        }),
        tolerances: { c: tolerance },
      };
    }));

  test('whole numbers, whose products are exact', () =>
    forExamples(
      fc.record({ m: extent(40), k: extent(300), n: extent(80) }),
      ({ m, k, n }) => {
        const whole = (shape: number[], purpose: number) =>
          tensor(noise(shape, purpose, 4).data.map(Math.round) as Float32Array, shape);
        return {
          inputs: { a: whole([m, k], 1), b: whole([k, n], 2) },
          build: ({ a, b }) => ({ c: matmul(a!, b!) }),
          tolerances: { c: exact },
        };
      },
      { runs: 10 },
    ));
});

describe('moves without arithmetic', () => {
  const shape3 = fc.tuple(extent(9), extent(9), extent(20));

  test('transpose', () =>
    forExamples(fc.tuple(extent(40), extent(40), extent(5)), (shape) => ({
      inputs: { x: noise(shape, 1), matrix: noise(shape.slice(0, 2), 2), ids: ids(shape.slice(0, 2), 100) },
      build: ({ x, matrix, ids }) => ({ x: transpose(x!), matrix: transpose(matrix!), ids: transpose(ids!) }),
      tolerances: { x: exact, matrix: exact, ids: exact },
    })));

  test('concatenate, slice and pad along every axis', () =>
    forExamples(
      fc.tuple(shape3, fc.integer({ min: 0, max: 2 }), extent(6), fc.nat(8)),
      ([shape, axis, second, start]) => {
        const from = start % shape[axis]!;
        const length = shape[axis]! - from;
        return {
          inputs: { x: noise(shape, 1), y: noise(shape.with(axis, second), 2) },
          build: ({ x, y }) => ({
            joined: concatenate([x!, y!, x!], axis),
            part: slice(x!, { axis, start: from, length }),
            padded: pad(x!, { axis, start, extent: start + shape[axis]! + 3 }),
          }),
          tolerances: { joined: exact, part: exact, padded: exact },
        };
      },
    ));

  test('embedding and one-hot', () =>
    forExamples(fc.record({ rows: extent(60), width: extent(70), time: extent(9), batch: extent(9) }), (drawn) => {
      const { rows, width, time, batch } = drawn;
      return {
        inputs: { table: noise([rows, width], 1), ids: ids([time, batch], rows) },
        build: ({ table, ids }) => ({ y: embedding(ids!, table!), hot: oneHot(ids!, rows) }),
        tolerances: { y: exact, hot: exact },
      };
    }));

  test('increment wraps', () =>
    forExamples(fc.tuple(fc.integer(), fc.integer({ min: -5, max: 5 })), ([from, by]) => ({
      inputs: { x: tensor(Int32Array.of(from), [1]) },
      build: ({ x }) => ({ y: increment(x!, by) }),
      tolerances: { y: exact },
    })));

  test('finite finds one bad number anywhere', () =>
    forExamples(
      fc.tuple(extent(5000), fc.constantFrom(Number.NaN, Infinity, -Infinity, 3e38), fc.nat(4999), fc.boolean()),
      ([length, value, place, bad]) => {
        const x = noise([length], 1);
        if (bad) x.data[place % length] = value;
        return {
          inputs: { x, y: noise([3, 2], 2) },
          build: ({ x, y }) => ({ flag: finite([y!, x!]) }),
          tolerances: { flag: exact },
        };
      },
    ));
});

test('the gradient of an embedding adds up the places of each id', () =>
  forExamples(fc.record({ rows: extent(20), width: extent(40), count: extent(60) }), ({ rows, width, count }) => {
    const drawn = ids([count], rows);
    const dy = noise([count, width], 2);
    const sizes = new Float64Array(rows * width);
    for (const [position, id] of drawn.data.entries()) {
      for (let column = 0; column < width; column++) {
        sizes[id * width + column]! += Math.abs(dy.data[position * width + column]!);
      }
    }
    return {
      inputs: { table: noise([rows, width], 1), ids: drawn, dy },
      build: ({ table, ids, dy }) => {
        const loss = reduceSum([embedding(ids!, table!), dy!], { axis: 'all', expression: (y, d) => y.mul(d) });
        return { dTable: gradients(loss, [table!])[0]! };
      },
      tolerances: { dTable: () => (index) => (sumError(count) + roundoff) * sizes[index]! },
    };
  }));
