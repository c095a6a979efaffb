/** The gradient of every loss, reduction and mask is that of what it computes. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import { map } from '../../src/compute/operations/index.js';
import { elementCount, type Shape, type Tensor, tensor } from '../../src/compute/tensor.js';
import { loss as ownLoss } from '../../src/network/losses/elementwise.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { reductions } from '../../src/network/losses/reduction.js';
import { exact } from '../network/engines.js';
import { evaluateGraph } from '../network/evaluate-graph.js';
import { expectGradients, noise } from './finite-differences.js';

const mapped = ({ data, shape }: Tensor, f: (x: number, index: number) => number): Tensor =>
  tensor(Float64Array.from(data, f), shape);
const normal = (shape: Shape, purpose: number) => noise(shape, purpose);
const unit = (shape: Shape, purpose: number) => mapped(noise(shape, purpose), (x) => 1 / (1 + Math.exp(-x)));
const signs = (shape: Shape, purpose: number) => mapped(noise(shape, purpose), (x) => (x < 0 ? -1 : 1));
const counts = (shape: Shape, purpose: number) => mapped(noise(shape, purpose), (x) => Math.round(Math.abs(x) * 2));
/** Ids that repeat. */
const classes = (shape: Shape, purpose: number) => {
  const rows = shape.slice(0, -1);
  const ids = noise(rows, purpose).data.map((x) => Math.abs(Math.round(x * 7)) % shape.at(-1)!);
  return tensor(Int32Array.from(ids), rows);
};
/** 0, 1 and other weights. */
const maskOf = (shape: Shape) => {
  const rows = shape.slice(0, -1);
  return tensor(
    Float64Array.from({ length: elementCount(rows) }, (_, index) => [0.5, 0, 1, 2, 0][index % 5]!),
    rows,
  );
};

type Make = (shape: Shape, purpose: number) => Tensor;
type Options = Parameters<typeof losses.huber>[0] & { reduction: (typeof reductions)[number] };

/** Each loss with its kinds of options, what outputs it is of, and what targets it takes. */
const cases: [name: string, make: (options: Options, features: number) => Loss, output: Make, targets: Make][] = [
  ['softmax cross entropy of ids', (o) => losses.softmaxCrossEntropy(o), normal, classes],
  ['softmax cross entropy of any vectors', (o) => losses.softmaxCrossEntropy(o), normal, unit],
  [
    'softmax cross entropy, smoothed',
    (o) => losses.softmaxCrossEntropy({ ...o, labelSmoothing: 0.1 }),
    normal,
    classes,
  ],
  [
    'softmax cross entropy of classes that weigh',
    (o, n) => losses.softmaxCrossEntropy({ ...o, classWeights: weights(n) }),
    normal,
    classes,
  ],
  [
    'softmax cross entropy of classes that weigh and are counted, smoothed',
    (o, n) => losses.softmaxCrossEntropy({ ...o, classWeights: weights(n), labelSmoothing: 0.2, meanOver: 'targets' }),
    normal,
    classes,
  ],
  [
    'softmax cross entropy of vectors over classes that weigh, smoothed',
    (o, n) => losses.softmaxCrossEntropy({ ...o, classWeights: weights(n), labelSmoothing: 0.2 }),
    normal,
    unit,
  ],
  [
    'negative log likelihood of ids',
    (o, n) => losses.negativeLogLikelihood({ ...o, classWeights: weights(n) }),
    normal,
    classes,
  ],
  ['negative log likelihood of vectors', (o) => losses.negativeLogLikelihood(o), normal, unit],
  ['sigmoid cross entropy', (o) => losses.sigmoidCrossEntropy(o), normal, unit],
  [
    'sigmoid cross entropy, smoothed, with weights of what is there and of features',
    (o, n) =>
      losses.sigmoidCrossEntropy({ ...o, labelSmoothing: 0.1, positiveWeight: weights(n), featureWeights: weights(n) }),
    normal,
    unit,
  ],
  ['mean squared error', (o) => losses.meanSquaredError(o), normal, normal],
  [
    'mean squared error, summed over features',
    (o) => losses.meanSquaredError({ ...o, features: 'sum' }),
    normal,
    normal,
  ],
  ['mean absolute error', (o) => losses.meanAbsoluteError(o), normal, normal],
  ['Huber', (o) => losses.huber({ ...o, delta: 0.7 }), normal, normal],
  ['log-cosh', (o) => losses.logCosh(o), normal, normal],
  ['hinge', (o) => losses.hinge(o), normal, signs],
  ['squared hinge', (o) => losses.squaredHinge(o), normal, signs],
  ['Kullback-Leibler', (o) => losses.kullbackLeibler(o), unit, unit],
  [
    'Kullback-Leibler of logarithms',
    (o) => losses.kullbackLeibler({ ...o, logOutput: true, logTargets: true }),
    normal,
    normal,
  ],
  ['Poisson', (o) => losses.poisson({ ...o, full: true }), normal, counts],
  ['Poisson of counts', (o) => losses.poisson({ ...o, logOutput: false }), unit, counts],
  ['cosine', (o) => losses.cosine(o), normal, normal],
  ['percentage error', (o) => losses.meanAbsolutePercentageError(o), normal, unit],
  ['squared logarithmic error', (o) => losses.meanSquaredLogarithmicError(o), unit, unit],
  ['a quantile', (o) => losses.quantile({ ...o, quantiles: 0.8 }), normal, normal],
  [
    'several quantiles of one number',
    (o, n) => losses.quantile({ ...o, quantiles: weights(n).map((w) => w / 4) }),
    normal,
    single,
  ],
  ['Gaussian likelihood', (o) => losses.gaussianLikelihood({ ...o, full: true }), normal, half],
  ['Gaussian likelihood of variances', (o) => losses.gaussianLikelihood({ ...o, variance: 'plain' }), unit, half],
  ["a formula of one's own", (o) => ownLoss('mine', (x, t) => x.sub(t).exp().sub(x), o), normal, normal],
];

function weights(features: number): number[] {
  return Array.from({ length: features }, (_, index) => 0.5 + ((index * 3) % 4) / 2);
}
function single(shape: Shape, purpose: number): Tensor {
  return normal([...shape.slice(0, -1), 1], purpose);
}
function half(shape: Shape, purpose: number): Tensor {
  return normal([...shape.slice(0, -1), shape.at(-1)! / 2], purpose);
}

const shapes: Shape[] = [
  [3, 2, 4],
  [1, 1, 2],
  [5, 6],
];

describe.each(cases)('%s', (_, make, outputs, targets) => {
  for (const [place, shape] of shapes.entries()) {
    for (const reduction of reductions) {
      it(`${reduction} over [${shape}], with and without a mask`, async () => {
        const loss = make({ reduction }, shape.at(-1)!);
        const output = outputs(shape, 10 * place + 1);
        const fixed = { targets: targets(shape, 10 * place + 2), ...loss.constants };
        await expectGradients({ output }, (values) => applied(loss, values), fixed);
        await expectGradients({ output }, (values) => applied(loss, values), { ...fixed, mask: maskOf(shape) });
      });
    }
  }

  it('what is masked may be NaN: it changes neither the loss nor the gradient, and has the gradient 0', async () => {
    const shape = [4, 3, 4];
    const loss = make({ reduction: 'mean' }, 4);
    const mask = maskOf(shape);
    const clean = { output: outputs(shape, 1), targets: targets(shape, 2), mask, ...loss.constants };
    const spoilt = { ...clean, output: spoil(clean.output, mask), targets: spoil(clean.targets, mask) };
    const [want, got] = [await lossAndGradient(loss, clean), await lossAndGradient(loss, spoilt)];
    expect(got).toEqual(want);
    expect(Number.isFinite(got.value)).toBe(true);
    const masked = got.gradient.filter((_, index) => mask.data[Math.floor(index / 4)] === 0);
    expect(masked.length).toBeGreaterThan(0);
    expect(masked.every((slope) => slope === 0)).toBe(true);
  });

  it('where everything is masked the loss is 0, and so is the gradient', async () => {
    const shape = [2, 3, 4];
    for (const reduction of reductions) {
      const loss = make({ reduction }, 4);
      const mask = tensor(new Float64Array(6), [2, 3]);
      const given = { output: outputs(shape, 1), targets: targets(shape, 2), mask, ...loss.constants };
      const { value, gradient } = await lossAndGradient(loss, {
        ...given,
        output: spoil(given.output, mask),
        targets: spoil(given.targets, mask),
      });
      expect(value).toBe(0);
      expect(gradient.every((slope) => slope === 0)).toBe(true);
    }
  });
});

function applied(
  loss: Loss,
  { output, targets, mask, ...constants }: Parameters<Parameters<typeof expectGradients>[1]>[0],
) {
  return loss.apply({
    output: output!,
    targets: targets!,
    mask,
    constants: constants as Record<string, typeof output & object>,
  });
}

async function lossAndGradient(loss: Loss, given: Record<string, Tensor>) {
  const got = await evaluateGraph(exact, given, (values) => {
    const value = applied(loss, values);
    // As a part of something larger: what flows in is not 1.
    const flowing = map((x) => x.mul(3), value);
    return { value, gradient: gradients(flowing, [values.output!])[0]! };
  });
  return { value: got.value!.data[0]!, gradient: [...got.gradient!.data] };
}

/** With NaN wherever the mask is 0; ids stay, for those are put right before they reach a program. */
function spoil(given: Tensor, mask: Tensor): Tensor {
  if (given.dtype === 'i32') return given;
  const each = given.data.length / mask.data.length;
  return mapped(given, (x, index) => (mask.data[Math.floor(index / each)] === 0 ? Number.NaN : x));
}
