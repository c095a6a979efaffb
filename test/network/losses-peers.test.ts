/**
 * Losses and their gradients agree with PyTorch and Keras.
 *
 * Their reductions in ours: PyTorch's 'mean' is 'mean', 'sum' is 'sum' with summed features, 'none' with an incoming
 * gradient is a 'sum' whose mask is that gradient. Keras' sum_over_batch_size is 'mean', or with sample weights, whose sum
 * it does not divide by, 'sumOverTime' of rows that are no sequences. Cross entropies of probabilities are those of their
 * logarithms, of one class of log p - log(1 - p).
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { gradients } from '../../src/compute/gradients.js';
import type { Value } from '../../src/compute/graph.js';
import { map } from '../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { loss as ownLoss } from '../../src/network/losses/elementwise.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { portsOf } from '../../src/training/engine-numbers.js';
import { exact, native } from './engines.js';
import { evaluateGraph, type Tensors } from './evaluate-graph.js';
import { checker, type FixtureCase, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';

/** How a case is said in terms of ours. */
interface Plan {
  readonly loss: Loss;
  readonly output: Tensor;
  readonly targets: Tensor;
  readonly mask?: Tensor | undefined;
  /** Factor of the loss. */
  readonly scale?: number;
  /** From what the case differentiates by to what the loss is of. */
  readonly through?: (output: Value) => Value;
  /** Into the order of the case's gradient. */
  readonly ordered?: (gradient: Tensor) => Tensor;
  readonly wanted: Tensor;
}

const none = 'single losses of features: our masks weigh whole targets';
const leftOut: Readonly<Record<string, string>> = {
  'cosine-embedding-mean': 'compares two outputs, with a sign for each pair; ours compares an output with its target',
  'cosine-embedding-sum': 'the same',
  'cosine-embedding-margin': 'the same',
  'cosine-embedding-margin-none': 'the same',
  'bce-logits-none': none,
  'mse-none': none,
  'l1-none': none,
  'huber-delta-none': none,
  'smooth-l1-beta-none': none,
  'kl-div-none': none,
  'hinge-embedding-margin-none': none,
};

describe.skipIf(fixturesAbsent('pytorch'))('losses as PyTorch computes them', () => claims('pytorch', pytorchPlan));
describe.skipIf(fixturesAbsent('keras'))('losses as Keras computes them', () => claims('keras', kerasPlan));

function claims(library: 'pytorch' | 'keras', plan: (fixture: FixtureCase, tensors: Tensors) => Plan): void {
  const all = fixtureCases(library, 'loss');
  const cases = all.filter(({ name }) => !(name in leftOut)).map((fixture) => [fixture.name, fixture] as const);

  it('leaves out only what is no loss of ours', () => {
    expect(all.length - cases.length).toBe(library === 'pytorch' ? 3 : 0);
  });

  const engines: [string, Engine | undefined][] = [
    ['reference in double precision', exact],
    ['native', native],
  ];
  for (const [name, engine] of engines) {
    describe.skipIf(!engine)(name, () => {
      it.each(cases)('%s', async (_, fixture) => {
        const tensors = fixtureTensors(library, fixture);
        const { loss, output, targets, mask, scale = 1, through, ordered, wanted } = plan(fixture, tensors);
        const { input, ...ports } = portsOf(
          { inputs: output, targets, mask, continues: false },
          { ...loss, constants: {} },
        );
        const got = await evaluateGraph(engine!, { input: input!, ...ports, ...loss.constants }, (values) => {
          const { input, targets, mask, ...constants } = values as Record<string, Value>;
          const context = { output: through ? through(input!) : input!, targets: targets!, mask, constants };
          const value = map((x) => x.mul(scale), loss.apply(context));
          return { value, gradient: gradients(value, [input!])[0]! };
        });
        const check = checker(fixture, engine!);
        check('loss', 'output', got.value!, summedLoss(tensors));
        check('gradient', 'gradient', ordered ? ordered(got.gradient!) : got.gradient!, wanted);
      });
    });
  }
}

/** A loss that is not reduced, weighed by its incoming gradient. */
function summedLoss({ loss, dloss }: Tensors): Tensor {
  const parts = Array.from(loss!.data, (value, index) => value * (dloss?.data[index] ?? 1));
  return tensor(Float64Array.of(parts.reduce((sum, part) => sum + part, 0)), [1]);
}

interface PyTorchOptions {
  readonly reduction: 'mean' | 'sum' | 'none' | 'batchmean';
  readonly label_smoothing?: number;
  readonly ignored?: number;
  readonly ignore_index?: number;
  readonly delta?: number;
  readonly beta?: number;
  readonly margin?: number;
  readonly log_target?: boolean;
  readonly log_input?: boolean;
  readonly full?: boolean;
  readonly eps?: number;
}

const kinds = [
  'cross-entropy',
  'nll',
  'bce-logits',
  'mse',
  'l1',
  'huber',
  'smooth-l1',
  'kl-div',
  'poisson-nll',
  'gaussian-nll',
  'hinge-embedding',
] as const;

function pytorchPlan({ name, options }: FixtureCase, tensors: Tensors): Plan {
  const given = options as unknown as PyTorchOptions;
  const { x, target, weight, dloss } = tensors as Record<string, Tensor>;
  const reduction = given.reduction === 'mean' || given.reduction === 'batchmean' ? 'mean' : 'sum';
  const features = given.reduction === 'mean' ? ('mean' as const) : ('sum' as const);
  const joined = { reduction, features } as const;
  const kind = kinds.find((start) => name.startsWith(start));
  const pair = (loss: Loss, more: Partial<Plan> = {}): Plan => ({
    loss,
    output: x!,
    targets: doubles(target!),
    wanted: tensors['grad.x']!,
    ...more,
  });

  if (kind === 'cross-entropy' || kind === 'nll') {
    const make = kind === 'nll' ? losses.negativeLogLikelihood : losses.softmaxCrossEntropy;
    const smoothing = given.label_smoothing === undefined ? {} : { labelSmoothing: given.label_smoothing };
    const classWeights = weight ? { classWeights: weight.data } : {};
    // [N, C, T] with the classes in the middle.
    const last = (value: Tensor) => (value.shape.length === 3 ? permuted(value, [0, 2, 1]) : value);
    const counts = (id: number) => !(given.ignored && id === given.ignore_index);
    const mask =
      given.ignored || dloss ? mapped(target!, (id, place) => (counts(id) ? (dloss?.data[place] ?? 1) : 0)) : undefined;
    return {
      loss: make({ reduction, ...smoothing, ...classWeights }),
      output: last(x!),
      targets: last(target!),
      mask,
      ordered: last,
      wanted: tensors['grad.x']!,
    };
  }
  switch (kind) {
    case 'bce-logits': {
      const positive = tensors.pos_weight ? { positiveWeight: tensors.pos_weight.data } : {};
      return pair(
        losses.sigmoidCrossEntropy({ ...joined, ...positive, ...(weight ? { featureWeights: weight.data } : {}) }),
      );
    }
    case 'mse':
      return pair(losses.meanSquaredError(joined));
    case 'l1':
      return pair(losses.meanAbsoluteError(joined));
    case 'huber':
      return pair(losses.huber({ ...joined, delta: given.delta }));
    case 'smooth-l1':
      return pair(losses.huber({ ...joined, delta: given.beta }), { scale: 1 / (given.beta ?? 1) });
    case 'kl-div':
      return pair(losses.kullbackLeibler({ ...joined, logOutput: true, logTargets: given.log_target }));
    case 'poisson-nll':
      return pair(
        losses.poisson({ ...joined, logOutput: given.log_input, full: given.full, epsilon: given.eps ?? 1e-8 }),
      );
    case 'gaussian-nll': {
      const { eps: epsilon, full } = given;
      const loss = losses.gaussianLikelihood({ ...joined, variance: 'plain', epsilon, full });
      return pair(loss, { output: beside(x!, tensors.var!), wanted: beside(tensors['grad.x']!, tensors['grad.var']!) });
    }
    case 'hinge-embedding': {
      // No loss of ours: a user's own.
      const margin = given.margin ?? 1;
      const distance = ownLoss(
        'hingeEmbedding',
        (x, sign) => sign.equal(1).select(x, x.neg().add(margin).max(0)),
        joined,
      );
      return pair(distance);
    }
    default:
      throw new Error(`no plan for ${name}`);
  }
}

interface KerasOptions {
  readonly function: string;
  readonly reduction?: 'sum';
  readonly weighted?: boolean;
  readonly from_logits?: boolean;
  readonly label_smoothing?: number;
  readonly delta?: number;
  readonly axis?: number;
}

function kerasPlan({ name, options }: FixtureCase, tensors: Tensors): Plan {
  const given = options as unknown as KerasOptions;
  const { y_true, y_pred, sample_weight } = tensors as Record<string, Tensor>;
  const mask = sample_weight ?? (tensors.mask && doubles(tensors.mask));
  const reduction = given.reduction === 'sum' ? 'sum' : given.weighted ? 'sumOverTime' : 'mean';
  const smoothing = { reduction, labelSmoothing: given.label_smoothing } as const;
  const pair = (loss: Loss, through?: Plan['through']): Plan => ({
    loss,
    output: y_pred!,
    targets: y_true!,
    mask,
    ...(through && !given.from_logits ? { through } : {}),
    wanted: tensors['grad.y_pred']!,
  });
  switch (given.function) {
    case 'CategoricalCrossentropy':
    case 'SparseCategoricalCrossentropy':
      return pair(losses.softmaxCrossEntropy(smoothing), (p) => map((x) => x.log(), p));
    case 'BinaryCrossentropy':
      return pair(losses.sigmoidCrossEntropy(smoothing), (p) => map((x) => x.log().sub(x.neg().log1p()), p));
    case 'CosineSimilarity': {
      if (given.axis !== 1) return pair(losses.cosine({ reduction }));
      const last = (value: Tensor) => permuted(value, [0, 2, 1]);
      return { ...pair(losses.cosine({ reduction })), output: last(y_pred!), targets: last(y_true!), ordered: last };
    }
    case 'MeanSquaredError':
      return pair(losses.meanSquaredError({ reduction }));
    case 'MeanAbsoluteError':
      return pair(losses.meanAbsoluteError({ reduction }));
    case 'MeanAbsolutePercentageError':
      return pair(losses.meanAbsolutePercentageError({ reduction }));
    case 'MeanSquaredLogarithmicError':
      return pair(losses.meanSquaredLogarithmicError({ reduction }));
    case 'Huber':
      return pair(losses.huber({ reduction, delta: given.delta }));
    case 'LogCosh':
      return pair(losses.logCosh({ reduction }));
    case 'Hinge':
      return pair(losses.hinge({ reduction }));
    case 'SquaredHinge':
      return pair(losses.squaredHinge({ reduction }));
    case 'KLDivergence':
      return pair(losses.kullbackLeibler({ reduction }));
    case 'Poisson':
      return pair(losses.poisson({ reduction, logOutput: false }));
    default:
      throw new Error(`no plan for ${name}`);
  }
}

const mapped = ({ data, shape }: Tensor, f: (x: number, index: number) => number): Tensor =>
  tensor(Float64Array.from(data, f), shape);
const doubles = (value: Tensor): Tensor => mapped(value, (x) => x);

/** Two matrices side by side. */
function beside(a: Tensor, b: Tensor): Tensor {
  const [rows, columns] = a.shape as [number, number];
  const from = (row: number, column: number) =>
    column < columns ? a.data[row * columns + column]! : b.data[row * columns + column - columns]!;
  const data = Float64Array.from({ length: 2 * rows * columns }, (_, index) =>
    from(Math.floor(index / (2 * columns)), index % (2 * columns)),
  );
  return tensor(data, [rows, 2 * columns]);
}

/** With its three axes in another order. */
function permuted({ data, shape }: Tensor, order: readonly [number, number, number]): Tensor {
  const strides = [shape[1]! * shape[2]!, shape[2]!, 1];
  const extents = order.map((axis) => shape[axis]!);
  const result = Float64Array.from({ length: data.length }, (_, index) => {
    const place = [
      Math.floor(index / (extents[1]! * extents[2]!)),
      Math.floor(index / extents[2]!) % extents[1]!,
      index % extents[2]!,
    ];
    return data[order.reduce((offset, axis, at) => offset + place[at]! * strides[axis]!, 0)]!;
  });
  return tensor(result, extents);
}
