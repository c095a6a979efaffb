/**
 * Every loss and its gradient, masked and not, on every engine: within derived bounds of the reference in double precision,
 * and with the same bits on every instruction set and number of threads.
 */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import type { Value } from '../../src/compute/graph.js';
import { type Shape, type Tensor, tensor } from '../../src/compute/tensor.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { forExamples, ids, noise, roundoff, sumError } from '../compute/operations/agreement.js';

/**
 * What single precision does to one number of the output, in roundings (2^-24): `value` to its loss, which is at most `most`,
 * and `slope` to its derivative. Outputs and targets x, t lie within ±4, so d = x - t within 8 is off by 8; probabilities
 * within [0.018, 0.982]. Elementary functions are off by at most 3 roundings of their result, log1p by 4.
 */
interface Bounds {
  readonly most: number;
  readonly value: number;
  readonly slope: number;
}
type Make = (shape: Shape, purpose: number) => Tensor;

const mapped = (given: Tensor, f: (x: number) => number): Tensor =>
  tensor(Float32Array.from(given.data, f), given.shape);
const normal: Make = (shape, purpose) => mapped(noise(shape, purpose), (x) => Math.max(-4, Math.min(4, x)));
const unit: Make = (shape, purpose) => mapped(normal(shape, purpose), (x) => 1 / (1 + Math.exp(-x)));
const signs: Make = (shape, purpose) => mapped(noise(shape, purpose), (x) => (x < 0 ? -1 : 1));
const counts: Make = (shape, purpose) => mapped(normal(shape, purpose), (x) => Math.round(Math.abs(x) * 2));
const classes: Make = (shape, purpose) => ids(shape.slice(0, -1), shape.at(-1)!, purpose);
const half: Make = (shape, purpose) => normal([...shape.slice(0, -1), shape.at(-1)! / 2], purpose);

const cases: [name: string, loss: () => Loss, output: Make, targets: Make, bounds: Bounds][] = [
  // -x, weighed by a class and a mask.
  ['negative log likelihood', () => losses.negativeLogLikelihood(), normal, classes, { most: 4, value: 12, slope: 4 }],
  // (1 - t)·x and log σ(x), each below 4.1 and made of five results of that size.
  ['sigmoid cross entropy', () => losses.sigmoidCrossEntropy(), normal, unit, { most: 5, value: 50, slope: 30 }],
  // d² is off by 2·8·8 and its own rounding.
  ['mean squared error', () => losses.meanSquaredError(), normal, normal, { most: 64, value: 192, slope: 48 }],
  ['mean absolute error', () => losses.meanAbsoluteError(), normal, normal, { most: 8, value: 8, slope: 2 }],
  // 0.7·(d - 0.35), both differences rounded at a size of 8.
  ['Huber', () => losses.huber({ delta: 0.7 }), normal, normal, { most: 6, value: 30, slope: 12 }],
  // d, exp(-2d), log1p of at most 0.7, and two sums of a size of 8; the slope has the error of d in its argument.
  ['log-cosh', () => losses.logCosh(), normal, normal, { most: 8, value: 40, slope: 40 }],
  ['hinge', () => losses.hinge(), normal, signs, { most: 5, value: 6, slope: 2 }],
  ['squared hinge', () => losses.squaredHinge(), normal, signs, { most: 25, value: 80, slope: 24 }],
  // Logarithms of at most 4.1, off by 12 each, and their difference of 8; the slope t/p is at most 55.
  [
    'Kullback-Leibler',
    () => losses.kullbackLeibler({ features: 'mean' }),
    unit,
    unit,
    { most: 5, value: 60, slope: 280 },
  ],
  // exp(4) is below 55: 55·8 off by 3 of the exponential, 1 of the difference and 1 of the product.
  [
    'Kullback-Leibler of logarithms',
    () => losses.kullbackLeibler({ features: 'mean', logOutput: true, logTargets: true }),
    normal,
    normal,
    { most: 440, value: 2200, slope: 220 },
  ],
  // exp(x) below 55, t·x below 32, and Stirling's terms below 25.
  ['Poisson', () => losses.poisson({ full: true }), normal, counts, { most: 100, value: 700, slope: 300 }],
  // t below 8 times a logarithm of 4.1; the slope t/x is at most 450.
  [
    'Poisson of counts',
    () => losses.poisson({ logOutput: false }),
    unit,
    counts,
    { most: 34, value: 200, slope: 2300 },
  ],
  // 100·d/t with d up to 5 and t from 0.018 on: d is off by 5, the quotient by three more of its size.
  [
    'percentage error',
    () => losses.meanAbsolutePercentageError(),
    normal,
    unit,
    { most: 28_000, value: 140_000, slope: 23_000 },
  ],
  // Logarithms of at most 0.7, off by 3 each.
  [
    'squared logarithmic error',
    () => losses.meanSquaredLogarithmicError(),
    unit,
    unit,
    { most: 0.5, value: 12, slope: 24 },
  ],
  ['quantile', () => losses.quantile({ quantiles: 0.8 }), normal, normal, { most: 7, value: 16, slope: 3 }],
  // d²·exp(-s) is at most 64·55, off by 3 of d², 3 of the exponential, 4 of its argument and 2 of the rest.
  [
    'Gaussian likelihood',
    () => losses.gaussianLikelihood(),
    normal,
    half,
    { most: 1800, value: 43_000, slope: 43_000 },
  ],
];

const shapes = fc.record({
  time: fc.integer({ min: 1, max: 20 }),
  batch: fc.integer({ min: 1, max: 20 }),
  pairs: fc.integer({ min: 1, max: 12 }),
  masked: fc.boolean(),
});

describe.each(cases)('%s', (_, make, outputs, targets, { most, value, slope }) => {
  test('any shape, with and without a mask', () =>
    forExamples(shapes, ({ time, batch, pairs, masked }) => {
      const shape = [time, batch, 2 * pairs];
      const loss = make();
      const rows = time * batch;
      const weights = Float32Array.from({ length: rows }, (_, row) => (masked ? [1, 0, 0.5, 2][row % 4]! : 1));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const terms = rows * 2 * pairs;
      // Sums over classes or, of a Gaussian, over half of the features: their mean is that of fewer numbers.
      const single = loss.name === 'negativeLogLikelihood' ? 1 : loss.name === 'gaussianLikelihood' ? pairs : 2 * pairs;
      return {
        inputs: {
          output: outputs(shape, 1),
          targets: targets(shape, 2),
          ...(masked ? { mask: tensor(weights, [time, batch]) } : {}),
        },
        build: ({ output, targets, mask }) => {
          const result = loss.apply({ output: output!, targets: targets!, mask });
          return { loss: result, gradient: gradients(result, [output!])[0]! };
        },
        tolerances: {
          // Weights are off by three roundings, and by those of their sum; so is the factor of a mean.
          loss: () => () => roundoff * (value + 4 * most) + (sumError(rows) + sumError(terms)) * most,
          gradient: (right) => (index) => {
            const share = weights[Math.floor(index / (2 * pairs))]! / (total * single);
            return roundoff * slope * 2 * share + (4 * roundoff + sumError(rows)) * Math.abs(right[index]!) + 2 ** -126;
          },
        },
      };
    }));
});

/** Lengths of vectors of at least two normal numbers are rarely below 1/50. */
const shortest = 1 / 50;

test('cosine, any shape, with and without a mask', () =>
  forExamples(shapes, ({ time, batch, pairs, masked }) => {
    const shape = [time, batch, 2 * pairs];
    const weights = Float32Array.from({ length: time * batch }, (_, row) => (masked ? [1, 0, 0.5, 2][row % 4]! : 1));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    // A product of vectors is off by its sum's error relative to both lengths, which no cosine exceeds.
    const error = 3 * sumError(2 * pairs) + 12 * roundoff;
    return {
      inputs: {
        output: normal(shape, 1),
        targets: normal(shape, 2),
        ...(masked ? { mask: tensor(weights, [time, batch]) } : {}),
      },
      build: ({ output, targets, mask }: Readonly<Record<string, Value>>) => {
        const result = losses.cosine().apply({ output: output!, targets: targets!, mask });
        return { loss: result, gradient: gradients(result, [output!])[0]! };
      },
      tolerances: {
        loss: () => () => error + 2 * sumError(time * batch),
        gradient: () => (index) => {
          const share = weights[Math.floor(index / (2 * pairs))]! / total;
          return (share * 2 * (error + sumError(time * batch))) / shortest + 2 ** -126;
        },
      },
    };
  }));
