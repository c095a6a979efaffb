/** What each loss is, in numbers worked out by hand, how targets are joined and what a mask does to that. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import { input, type Value } from '../../src/compute/graph.js';
import { map } from '../../src/compute/operations/index.js';
import { type Shape, type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import { loss as ownLoss } from '../../src/network/losses/elementwise.js';
import { losses } from '../../src/network/losses/index.js';
import { type Loss, lossWeight } from '../../src/network/losses/loss.js';
import { exact } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const { E, LN2, PI, exp, log } = Math;
const vectors = (values: readonly number[], shape: Shape): Tensor => tensor(Float64Array.from(values), shape);
const ids = (...values: number[]): Tensor => tensor(Int32Array.from(values), [values.length]);
const row = (...values: number[]): Tensor => vectors(values, [1, values.length]);

interface Given {
  readonly output: Tensor;
  readonly targets: Tensor;
  readonly mask?: Tensor;
}

/** The loss and its gradient by the output. */
async function compute(loss: Loss, given: Given, through: (output: Value) => Value = (x) => x) {
  const got = await evaluateGraph(exact, { ...given, ...loss.constants }, ({ output, targets, mask, ...constants }) => {
    const value = loss.apply({
      output: through(output!),
      targets: targets!,
      mask,
      constants: constants as Record<string, Value>,
    });
    return { value, gradient: gradients(value, [output!])[0]! };
  });
  return { value: got.value!.data[0]!, gradient: [...got.gradient!.data] };
}

async function expectLoss(loss: Loss, output: Tensor, targets: Tensor, value: number) {
  expect((await compute(loss, { output, targets })).value).toBeCloseTo(value, 12);
}

describe('values, worked out by hand', () => {
  // Softmax of (0, log 2, log 5) is (1, 2, 5) / 8.
  const logits = row(0, LN2, log(5));

  it('softmax cross entropy', async () => {
    const loss = losses.softmaxCrossEntropy();
    await expectLoss(loss, logits, ids(1), log(4));
    await expectLoss(loss, logits, row(0.5, 0.5, 0), (log(8) + log(4)) / 2);
    // 0.7 of the target stay at class 1, 0.1 goes to each of the three.
    const smoothed = losses.softmaxCrossEntropy({ labelSmoothing: 0.3 });
    await expectLoss(smoothed, logits, ids(1), 0.1 * log(8) + 0.8 * log(4) + 0.1 * log(8 / 5));
    await expectLoss(smoothed, logits, row(0, 1, 0), 0.1 * log(8) + 0.8 * log(4) + 0.1 * log(8 / 5));
  });

  it('softmax cross entropy of classes that weigh: by their sum, or by their number', async () => {
    const output = vectors([0, LN2, log(5), 0, LN2, log(5)], [2, 3]);
    const classWeights = [1, 3, 5];
    const sum = 3 * log(4) + 1 * log(8);
    await expectLoss(losses.softmaxCrossEntropy({ classWeights }), output, ids(1, 0), sum / 4);
    await expectLoss(losses.softmaxCrossEntropy({ classWeights, meanOver: 'targets' }), output, ids(1, 0), sum / 2);
    await expectLoss(losses.softmaxCrossEntropy({ classWeights, reduction: 'sum' }), output, ids(1, 0), sum);
    // Vectors are counted, and each of their parts weighs as its class.
    const soft = vectors([0.5, 0.5, 0, 0, 0, 1], [2, 3]);
    const parts = 0.5 * log(8) + 3 * 0.5 * log(4) + 5 * log(8 / 5);
    await expectLoss(losses.softmaxCrossEntropy({ classWeights }), output, soft, parts / 2);
    // Smoothing by 0.3: class 1 keeps 0.8, the others get 0.1 each, and each part weighs as its class.
    const smoothed = losses.softmaxCrossEntropy({ classWeights, labelSmoothing: 0.3 });
    const spread = 0.1 * log(8) + 3 * 0.8 * log(4) + 5 * 0.1 * log(8 / 5);
    await expectLoss(smoothed, row(0, LN2, log(5)), ids(1), spread / 3);
  });

  it('negative log likelihood', async () => {
    await expectLoss(losses.negativeLogLikelihood(), row(-1, -2, -3), ids(2), 3);
    await expectLoss(losses.negativeLogLikelihood(), row(-1, -2, -3), row(0.5, 0, 0.5), 2);
    await expectLoss(losses.negativeLogLikelihood(), row(Number.NEGATIVE_INFINITY, -2, -3), ids(1), 2);
    const output = vectors([-1, -2, -3, -4], [2, 2]);
    await expectLoss(losses.negativeLogLikelihood({ classWeights: [1, 3] }), output, ids(1, 0), (3 * 2 + 3) / 4);
  });

  it('sigmoid cross entropy', async () => {
    // σ(log 3) = 3/4
    await expectLoss(losses.sigmoidCrossEntropy(), row(log(3), log(3)), row(1, 0), (log(4 / 3) + log(4)) / 2);
    await expectLoss(losses.sigmoidCrossEntropy({ positiveWeight: 5 }), row(log(3)), row(1), 5 * log(4 / 3));
    const [first, second] = [2 * log(4 / 3), log(4)];
    await expectLoss(
      losses.sigmoidCrossEntropy({ positiveWeight: [2, 7] }),
      row(log(3), log(3)),
      row(1, 0),
      (first + second) / 2,
    );
    await expectLoss(
      losses.sigmoidCrossEntropy({ labelSmoothing: 0.2 }),
      row(log(3)),
      row(1),
      0.9 * log(4 / 3) + 0.1 * log(4),
    );
  });

  it('squared and absolute error, by the mean or the sum of the features, which may weigh', async () => {
    const [output, targets] = [row(1, 5), row(3, 2)];
    await expectLoss(losses.meanSquaredError(), output, targets, (4 + 9) / 2);
    await expectLoss(losses.meanSquaredError({ features: 'sum' }), output, targets, 13);
    await expectLoss(losses.meanSquaredError({ featureWeights: [1, 0.5] }), output, targets, (4 + 4.5) / 2);
    await expectLoss(losses.meanAbsoluteError(), output, targets, 2.5);
  });

  it('Huber', async () => {
    await expectLoss(losses.huber(), row(0, 3), row(0.5, 0), (0.125 + 2.5) / 2);
    await expectLoss(losses.huber({ delta: 2 }), row(2, 3), row(0, 0), (2 + 4) / 2);
  });

  it('log-cosh', async () => {
    await expectLoss(losses.logCosh(), row(LN2), row(0), log(1.25));
    await expectLoss(losses.logCosh(), row(1000), row(0), 1000 - LN2);
  });

  it('hinge, of -1 and 1 as of 0 and 1', async () => {
    await expectLoss(losses.hinge(), row(0.5, 0.5, -3), row(1, -1, -1), (0.5 + 1.5 + 0) / 3);
    await expectLoss(losses.hinge(), row(0.5, 0.5, -3), row(1, 0, 0), (0.5 + 1.5 + 0) / 3);
    await expectLoss(losses.squaredHinge(), row(0.5, 0.5, -3), row(1, -1, 0), (0.25 + 2.25 + 0) / 3);
  });

  it('Kullback-Leibler divergence', async () => {
    const divergence = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75);
    await expectLoss(losses.kullbackLeibler(), row(0.25, 0.75), row(0.5, 0.5), divergence);
    const logOutput = row(log(0.25), log(0.75));
    await expectLoss(losses.kullbackLeibler({ logOutput: true }), logOutput, row(0.5, 0.5), divergence);
    await expectLoss(losses.kullbackLeibler({ logOutput: true }), logOutput, row(0, 1), log(1 / 0.75));
    const logarithms = losses.kullbackLeibler({ logOutput: true, logTargets: true, features: 'mean' });
    await expectLoss(logarithms, logOutput, row(-LN2, -LN2), divergence / 2);
    // Clipped to 1e-7, as in Keras.
    await expectLoss(losses.kullbackLeibler(), row(0, 1), row(1, 0), log(1e7) + 1e-7 * log(1e-7));
  });

  it('Poisson', async () => {
    await expectLoss(losses.poisson(), row(1), row(3), E - 3);
    await expectLoss(losses.poisson({ logOutput: false, epsilon: 0 }), row(E), row(3), E - 3);
    const stirling = 3 * log(3) - 3 + log(2 * PI * 3) / 2;
    await expectLoss(losses.poisson({ full: true }), row(1, 1, 1), row(3, 1, 0), (E - 3 + stirling + E - 1 + E) / 3);
  });

  it('cosine', async () => {
    await expectLoss(
      losses.cosine(),
      vectors([3, 0, 0, 2], [2, 2]),
      vectors([5, 0, 1, -1], [2, 2]),
      (-1 + Math.SQRT1_2) / 2,
    );
    await expectLoss(losses.cosine(), row(0, 0), row(1, 2), 0);
  });

  it('percentage and squared logarithmic error', async () => {
    await expectLoss(losses.meanAbsolutePercentageError(), row(1, 6), row(2, -4), (50 + 250) / 2);
    await expectLoss(losses.meanSquaredLogarithmicError(), row(E - 1, -5), row(E ** 3 - 1, 0), 4 / 2);
  });

  it('quantiles: one of each feature, or several of one number', async () => {
    await expectLoss(losses.quantile({ quantiles: 0.9 }), row(1, 5), row(3, 4), (0.9 * 2 + 0.1 * 1) / 2);
    await expectLoss(losses.quantile(), row(1), row(3), 1);
    const several = losses.quantile({ quantiles: [0.1, 0.9] });
    await expectLoss(several, row(1, 5), row(3), (0.1 * 2 + 0.1 * 2) / 2);
    expect(several.targetFeatures?.(2)).toBe(1);
  });

  it('Gaussian likelihood, of the variance or its logarithm', async () => {
    const [output, targets] = [row(1, log(4)), row(3)];
    await expectLoss(losses.gaussianLikelihood(), output, targets, (log(4) + 1) / 2);
    await expectLoss(losses.gaussianLikelihood({ full: true }), output, targets, (log(4) + 1 + log(2 * PI)) / 2);
    await expectLoss(losses.gaussianLikelihood({ variance: 'plain' }), row(1, 4), targets, (log(4) + 1) / 2);
    await expectLoss(
      losses.gaussianLikelihood({ variance: 'plain', epsilon: 0.5 }),
      row(1, -2),
      row(2),
      (log(0.5) + 2) / 2,
    );
    expect(losses.gaussianLikelihood().targetFeatures?.(6)).toBe(3);
  });

  it("a formula of one's own", () =>
    expectLoss(
      ownLoss('cubic', (output, target) => output.sub(target).abs().mul(output.sub(target).square())),
      row(1, 2),
      row(3, 1),
      (8 + 1) / 2,
    ));
});

describe('the gradient where a formula has a corner', () => {
  const slope = async (loss: Loss, output: number, target: number) =>
    (await compute(loss, { output: row(output), targets: row(target) })).gradient[0];

  it('is that of the formula from the right side', async () => {
    expect(await slope(losses.sigmoidCrossEntropy(), 0, 0.3)).toBeCloseTo(0.2, 12);
    expect(await slope(losses.meanAbsoluteError(), 2, 2)).toBe(0);
    expect(await slope(losses.logCosh(), 2, 2)).toBe(0);
    expect(await slope(losses.huber(), 1, 0)).toBe(1);
    expect(await slope(losses.hinge(), -2, 1)).toBe(-1);
    expect(await slope(losses.hinge(), 2, 1)).toBeCloseTo(0, 12);
  });

  it('stays finite where a sigmoid is 0 or 1', async () => {
    const { value, gradient } = await compute(losses.sigmoidCrossEntropy({ features: 'sum' }), {
      output: row(1000, -1000),
      targets: row(0, 1),
    });
    expect(value).toBe(2000);
    expect(gradient).toEqual([1, -1]);
  });
});

describe('reductions', () => {
  // [time 2, batch 3], squared errors 1, 4, 9 at the first step and 16, 25, 36 at the second.
  const output = vectors([1, 2, 3, 4, 5, 6], [2, 3, 1]);
  const targets = vectors([0, 0, 0, 0, 0, 0], [2, 3, 1]);
  const mask = vectors([1, 0, 2, 1, 0.5, 0], [2, 3]);
  const masked = 1 + 2 * 9 + 16 + 0.5 * 25;
  const value = async (reduction: 'mean' | 'sumOverTime' | 'sum', given: Partial<Given> = {}) =>
    (await compute(losses.meanSquaredError({ reduction }), { output, targets, ...given })).value;

  it('mean is over all targets; with a mask it divides by the sum of the weights', async () => {
    expect(await value('mean')).toBeCloseTo(91 / 6, 12);
    expect(await value('mean', { mask })).toBeCloseTo(masked / 4.5, 12);
  });

  it('sumOverTime divides by the rows of the batch, mask or not', async () => {
    expect(await value('sumOverTime')).toBeCloseTo(91 / 3, 12);
    expect(await value('sumOverTime', { mask })).toBeCloseTo(masked / 3, 12);
  });

  it('sum divides by nothing', async () => {
    expect(await value('sum')).toBeCloseTo(91, 12);
    expect(await value('sum', { mask })).toBeCloseTo(masked, 12);
  });

  it('a batch weighs, among others, as much as its loss was divided by', () => {
    const given = { targets: vectors(new Array(6).fill(0), [3, 2, 1]), mask: vectors([1, 0, 2, 1, 0.5, 0], [3, 2]) };
    const weight = (loss: Loss, batch: { targets: Tensor; mask?: Tensor }) => lossWeight(loss, batch);
    expect(weight(losses.meanSquaredError(), { targets: given.targets })).toBe(6);
    expect(weight(losses.meanSquaredError(), given)).toBe(4.5);
    expect(weight(losses.meanSquaredError({ reduction: 'sumOverTime' }), given)).toBe(3);
    expect(weight(losses.meanSquaredError({ reduction: 'sum' }), given)).toBe(1);
    const classes = { targets: ids(0, 1, -100, 1), mask: vectors([1, 2, 0, 1], [4]) };
    const classWeights = [10, 100];
    expect(weight(losses.softmaxCrossEntropy({ classWeights }), classes)).toBe(10 + 200 + 100);
    expect(weight(losses.softmaxCrossEntropy({ classWeights, meanOver: 'targets' }), classes)).toBe(4);
  });
});

describe('activations at the end of a network', () => {
  const output = vectors([1000, 0, 900, 2, 1, 3], [2, 3]);
  const ending = (activation: 'softmax' | 'logSoftmax' | 'sigmoid') => (value: Value) =>
    layers
      .activation({ activation })
      .apply(
        { input: value, parameters: {}, states: {}, training: true, random: () => value, rate: () => 0 },
        { kind: 'vectors', features: 3, sequence: false },
      ).output;
  const nodesOf = (value: Value): string[] => [
    value.node.operation?.name ?? 'source',
    ...value.node.inputs.flatMap((input) => (input ? nodesOf(input) : [])),
  ];

  it.each(['softmax', 'logSoftmax'] as const)(
    '%s is seen: cross entropy and likelihood are computed from the logits',
    async (activation) => {
      const given = { output, targets: ids(1, 2) };
      const want = await compute(losses.softmaxCrossEntropy(), given);
      expect(want.value).toBeGreaterThan(400);
      for (const loss of [losses.softmaxCrossEntropy(), losses.negativeLogLikelihood()]) {
        expect(await compute(loss, given, ending(activation))).toEqual(want);
        const value = loss.apply({
          output: ending(activation)(input('x', [2, 3], 'f32')),
          targets: input('targets', [2], 'i32'),
        });
        expect(nodesOf(value)).toEqual(['softmaxCrossEntropy', 'source', 'source']);
      }
    },
  );

  it('a sigmoid is seen', async () => {
    const given = { output, targets: vectors([0, 1, 1, 0, 0, 1], [2, 3]) };
    const loss = losses.sigmoidCrossEntropy();
    expect(await compute(loss, given, ending('sigmoid'))).toEqual(await compute(loss, given));
  });

  it('what only looks like one is left alone', async () => {
    const almost = (value: Value) => map((x) => x.sub(1).sigmoid(), value);
    const { value } = await compute(losses.sigmoidCrossEntropy(), { output: row(1), targets: row(1) }, almost);
    expect(value).toBeCloseTo(log(1 + exp(-0.5)), 12);
  });
});

describe('what does not fit', () => {
  const context = (features: number, targets: Shape, dtype: 'f32' | 'i32' = 'f32') => ({
    output: input('output', [2, features], 'f32'),
    targets: input('targets', targets, dtype),
  });
  const constants = (loss: Loss) =>
    Object.fromEntries(
      Object.entries(loss.constants ?? {}).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
    );
  const refused = (loss: Loss, given: ReturnType<typeof context>) => () =>
    loss.apply({ ...given, constants: constants(loss) });

  it('targets of another shape', () => {
    expect(refused(losses.huber(), context(3, [2, 4]))).toThrow(
      "losses.huber: expected targets [2, 3] (f32) for a network's output of [2, 3], got [2, 4] (f32).",
    );
    expect(refused(losses.quantile({ quantiles: [0.1, 0.5, 0.9] }), context(3, [2, 3]))).toThrow(
      /expected targets \[2, 1\]/,
    );
    expect(refused(losses.softmaxCrossEntropy(), context(3, [2, 4]))).toThrow(/expected targets \[2, 3\]/);
    expect(refused(losses.gaussianLikelihood(), context(3, [2, 1]))).toThrow(
      /means and as many variances, but it has 3 features/,
    );
  });

  it('lists of another length', () => {
    const positive = losses.sigmoidCrossEntropy({ positiveWeight: [1, 2] });
    expect(refused(positive, context(3, [2, 3]))).toThrow(
      "losses.sigmoidCrossEntropy: option 'positiveWeight' has 2 numbers, but there are 3 features: give one for each.",
    );
    const weights = losses.softmaxCrossEntropy({ classWeights: [1, 2] });
    expect(refused(weights, context(3, [2], 'i32'))).toThrow(
      /option 'classWeights' has 2 numbers, but there are 3 classes/,
    );
  });

  it('options that make no sense', () => {
    expect(() => losses.huber({ delta: 0 })).toThrow(
      "losses.huber: option 'delta' must be a finite number above 0, got 0.",
    );
    expect(() => losses.quantile({ quantiles: [0.5, 1] })).toThrow(/losses.quantile: option 'quantiles'/);
    expect(() => losses.softmaxCrossEntropy({ classWeights: [1, -1] })).toThrow(
      /option 'classWeights' must be a list of finite numbers at least 0/,
    );
    expect(() => losses.meanSquaredError({ featureWeights: [Number.NaN] })).toThrow(/option 'featureWeights'/);
    expect(() => losses.softmaxCrossEntropy({ labelsmoothing: 0.1 } as never)).toThrow("Did you mean 'labelSmoothing'");
    expect(() => ownLoss('mine', (() => 1) as never)).toThrow("loss('mine'): the formula must return an expression");
    expect(() => ownLoss('mine', (x, t) => x.sub(t), { reduce: 'sum' } as never)).toThrow(
      /loss\('mine'\): unknown option 'reduce'/,
    );
  });
});
