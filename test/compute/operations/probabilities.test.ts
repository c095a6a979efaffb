/** Softmax, its cross entropy, random numbers and sampling: right on every engine, with the same bits on every instruction set. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../../src/compute/gradients.js';
import { input } from '../../../src/compute/graph.js';
import {
  logSoftmax,
  random,
  reduceSum,
  sample,
  softmax,
  softmaxCrossEntropy,
} from '../../../src/compute/operations/index.js';
import { tensor } from '../../../src/compute/tensor.js';
import { exact, expectAgreement, forExamples, ids, noise, roundoff, sumError, type Tolerance } from './agreement.js';

const extent = (max: number) => fc.integer({ min: 1, max });
const rowsAndColumns = fc.record({ rows: extent(40), columns: extent(150) });
/** Standard deviation of the logits: they lie within ±25, differences within 50. */
const scale = 5;
const widest = 50;

/**
 * Relative error of a probability: differences of logits are rounded relative to their size, which the exponential makes
 * an absolute error of the logarithm; then the exponential (1.5 ulp), the sum of `columns` of them, and the quotient.
 */
const probabilityError = (columns: number) => widest * roundoff + 6 * roundoff + sumError(columns);
/** What is too small for a normal number may be flushed. */
const tiny = 2 ** -126;

describe('softmax', () => {
  test('any shape', () =>
    forExamples(rowsAndColumns, ({ rows, columns }) => ({
      inputs: { x: noise([rows, columns], 1, scale) },
      build: ({ x }) => ({ y: softmax(x!) }),
      tolerances: { y: (right) => (index) => probabilityError(columns) * right[index]! + tiny },
    })));

  test('its logarithm and the gradient of that', () =>
    forExamples(rowsAndColumns, ({ rows, columns }) => {
      // The difference, the logarithm of the sum (at most log(150) + 1, with the error of the sum as one of its own), and
      // their difference.
      const logError = 2 * (widest + 2) * roundoff + sumError(columns) + 3 * (widest + 6) * roundoff;
      return {
        inputs: { x: noise([rows, columns], 1, scale) },
        build: ({ x }) => {
          const y = logSoftmax(x!);
          return { y, gradient: gradients(reduceSum(y, { axis: 'all' }), [x!])[0]! };
        },
        tolerances: {
          y: () => () => logError,
          // 1 - columns times the probability.
          gradient: (right) => (index) =>
            (probabilityError(columns) + 4 * roundoff) * Math.abs(1 - right[index]!) + 2 * roundoff + tiny,
        },
      };
    }));

  test('logarithms are finite where probabilities vanish, and keep infinities where they are', async () => {
    const x = tensor(Float32Array.of(0, -500, 1e30, 1e30, -Infinity, 3, 2 ** 126, -(2 ** 126)), [4, 2]);
    await expectAgreement({
      inputs: { x },
      build: ({ x }) => ({ y: logSoftmax(x!) }),
      tolerances: {
        y: (right) => {
          expect([...right]).toEqual(
            [0, -500, -Math.LN2, -Math.LN2, -Infinity, 0, 0, -(2 ** 127)].map((y) => expect.closeTo(y)),
          );
          return (index) => 2 * roundoff * Math.abs(right[index]!);
        },
      },
    });
  });

  test('cross entropy and gradient, against ids', () =>
    forExamples(rowsAndColumns, ({ rows, columns }) => {
      const targets = ids([rows], columns);
      const isTarget = (index: number) => targets.data[Math.floor(index / columns)] === index % columns;
      return {
        inputs: { x: noise([rows, columns], 1, scale), targets },
        build: ({ x, targets }) => {
          const loss = softmaxCrossEntropy(x!, targets!, { scale: 1 / rows });
          return { loss, gradient: gradients(loss, [x!])[0]! };
        },
        tolerances: {
          // A row is log Σ exp + largest - logit, each below 60, with the error of the sum as one of its logarithm.
          loss: () => () => 3 * 60 * roundoff + sumError(columns) + sumError(rows) * widest,
          gradient: (right) => (index) => {
            const probability = Math.abs(right[index]! + (isTarget(index) ? 1 / rows : 0));
            return probabilityError(columns) * probability + (isTarget(index) ? 2 * roundoff : 0) / rows + tiny;
          },
        },
      };
    }));

  test('cross entropy and gradient, against weights', () =>
    forExamples(rowsAndColumns, ({ rows, columns }) => {
      const targets = tensor(noise([rows, columns], 2).data.map(Math.abs) as Float32Array, [rows, columns]);
      const totals = Array.from({ length: rows }, (_, row) =>
        (targets.data.subarray(row * columns, (row + 1) * columns) as Float32Array).reduce((a, b) => a + b, 0),
      );
      const all = totals.reduce((a, b) => a + b, 0);
      const gradientTolerance: Tolerance = (right) => (index) => {
        const weight = targets.data[index]!;
        const part = Math.abs(right[index]! / 0.5 + weight);
        return 0.5 * ((probabilityError(columns) + sumError(columns)) * part + 2 * roundoff * weight) + tiny;
      };
      return {
        inputs: { x: noise([rows, columns], 1, scale), targets },
        build: ({ x, targets }) => {
          const loss = softmaxCrossEntropy(x!, targets!, { scale: 0.5 });
          return { loss, gradient: gradients(loss, [x!])[0]! };
        },
        tolerances: {
          loss: () => () => 0.5 * all * (3 * 60 * roundoff + sumError(columns) + 60 * sumError(rows * columns)),
          gradient: gradientTolerance,
        },
      };
    }));

  test('rows weigh as told, ids are smoothed, and rows of weight 0 may hold anything', () =>
    forExamples(
      fc.record({ rows: extent(40), columns: extent(150), smoothing: fc.constantFrom(0, 0.1), masked: fc.nat(4) }),
      ({ rows, columns, smoothing, masked }) => {
        const counts = (row: number) => row % 5 !== masked;
        const weights = Float32Array.from({ length: rows }, (_, row) => (counts(row) ? (row % 7) / 4 + 0.25 : 0));
        const given = ids([rows], columns);
        const targets = tensor(
          Int32Array.from(given.data, (id, row) => (counts(row) ? id : -100)),
          [rows],
        );
        const logits = noise([rows, columns], 1, scale);
        for (let row = 0; row < rows; row++) if (!counts(row)) logits.data[row * columns] = Number.NaN;
        return {
          inputs: { x: logits, targets, weights: tensor(weights, [rows]) },
          build: ({ x, targets, weights }) => {
            const loss = softmaxCrossEntropy(x!, targets!, { scale: 1 / rows, weights: weights!, smoothing });
            return { loss, gradient: gradients(loss, [x!])[0]! };
          },
          tolerances: {
            // As against ids, rows up to twice as heavy; the mean distance to the largest logit is one more sum.
            loss: () => () => 2 * (4 * 60 * roundoff + 2 * sumError(columns) * widest + sumError(rows) * widest),
            gradient: (right) => (index) => {
              const row = Math.floor(index / columns);
              const share = weights[row]! / rows;
              const target = given.data[row] === index % columns ? 1 : smoothing / columns;
              const probability = Math.abs(right[index]!) + share * target;
              return (probabilityError(columns) + roundoff) * probability + 4 * roundoff * share * target + tiny;
            },
          },
        };
      },
    ));

  test('logits of a thousand do not overflow', () =>
    expectAgreement({
      inputs: { x: tensor([1000, 0, -1000, 1000, 999, 0], [2, 3]), targets: tensor(Int32Array.of(0, 1), [2]) },
      build: ({ x, targets }) => ({ loss: softmaxCrossEntropy(x!, targets!, { scale: 1 }), y: softmax(x!) }),
      tolerances: { loss: () => () => 4000 * roundoff, y: () => () => 4 * roundoff },
    }));
});

describe('random', () => {
  const settings = fc.record({ count: extent(500), seed: fc.maxSafeNat(), purpose: fc.nat(), step: fc.integer() });

  test('uniform numbers are the same to the bit', () =>
    forExamples(settings, ({ count, seed, purpose, step }) => ({
      inputs: { step: tensor(Int32Array.of(step), [1]) },
      build: ({ step }) => ({ y: random(step!, [count], { seed, purpose, kind: 'uniform' }) }),
      tolerances: { y: exact },
    })));

  test('normal numbers', () =>
    forExamples(settings, ({ count, seed, purpose, step }) => ({
      inputs: { step: tensor(Int32Array.of(step), [1]) },
      build: ({ step }) => ({ y: random(step!, [count], { seed, purpose, kind: 'normal' }) }),
      // The radius is at most 5.8 and has a relative error of two ulp, sine and cosine an absolute one.
      tolerances: { y: () => () => 5.8 * 6 * roundoff },
    })));
});

describe('sample', () => {
  const drawn = fc.record({
    rows: extent(20),
    columns: extent(80),
    temperature: fc.constantFrom(0, 0.5, 1, 2),
    topP: fc.constantFrom(0, 0.3, 0.9, 1),
    topK: fc.constantFrom(0, 1, 5, 100),
    step: fc.nat(1000),
  });

  test('the same ids on all engines', () =>
    forExamples(drawn, ({ rows, columns, temperature, topP, topK, step }) => ({
      inputs: {
        logits: noise([rows, columns], step),
        settings: tensor([temperature, topP, topK]),
        seed: tensor(Int32Array.of(12345, -7), [2]),
        step: tensor(Int32Array.of(step), [1]),
      },
      build: ({ logits, settings, seed, step }) => ({ ids: sample(logits!, settings!, seed!, step!) }),
      tolerances: { ids: exact },
    })));

  test('equal logits: the first is the largest; a row with NaN gives -1', () =>
    expectAgreement({
      inputs: {
        logits: tensor([1, 3, 3, 1, Number.NaN, 2], [2, 3]),
        settings: tensor([0, 1, 0]),
        seed: tensor(Int32Array.of(1, 0), [2]),
        step: tensor(Int32Array.of(1), [1]),
      },
      build: ({ logits, settings, seed, step }) => ({ ids: sample(logits!, settings!, seed!, step!) }),
      tolerances: { ids: exact },
    }));
});

test('targets of another shape are refused', () => {
  const logits = input('logits', [4, 3], 'f32');
  expect(() => softmaxCrossEntropy(logits, input('targets', [5], 'i32'), { scale: 1 })).toThrow(
    expect.objectContaining({
      code: 'invalid-shape',
      message: 'softmaxCrossEntropy: targets: expected i32 [4], got i32 [5].',
    }),
  );
  const ids = input('targets', [4], 'i32');
  const weights = input('weights', [4, 3], 'f32');
  expect(() => softmaxCrossEntropy(logits, ids, { scale: 1, weights })).toThrow(
    'softmaxCrossEntropy: weights: expected f32 [4], got f32 [4, 3].',
  );
  expect(() => softmaxCrossEntropy(logits, weights, { scale: 1, smoothing: 0.1 })).toThrow(
    /smoothing is for targets that are ids/,
  );
});
