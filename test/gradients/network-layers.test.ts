/** The gradient of every layer is that of what it computes: for its input, its parameters and its initial states. */
import { describe, it } from 'vitest';
import type { Value } from '../../src/compute/graph.js';
import { map, random, reduceSum } from '../../src/compute/operations/index.js';
import { type Shape, type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { isScheduled, scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { activationChoices } from '../network/activation-choices.js';
import { expectGradients, noise } from './finite-differences.js';

const vectors = (features: number): Signal => ({ kind: 'vectors', features, sequence: true });
const ids = (vocabulary: number): Signal => ({ kind: 'ids', vocabulary, sequence: true });
/** Time, batch. */
const shapes: readonly (readonly [time: number, batch: number])[] = [
  [4, 3],
  [1, 3],
  [4, 1],
];

/** With unbounded gates a state is multiplied from step to step: small weights keep its derivatives small. */
const bounded = { states: true, scale: 0.2 };

const recurrent: Readonly<Record<string, Layer>> = {
  'simple RNN': layers.simpleRnn({ units: 3 }),
  LSTM: layers.lstm({ units: 3 }),
  'GRU, reset after': layers.gru({ units: 3 }),
  'GRU, reset before': layers.gru({ units: 3, resetAfter: false }),
  'independent RNN': layers.indRnn({ units: 3 }),
  minGRU: layers.minGru({ units: 3 }),
  minLSTM: layers.minLstm({ units: 3 }),
  // The epsilon keeps third derivatives near 1.
  'simple RNN, normalised': layers.simpleRnn({ units: 3, layerNormalization: { epsilon: 0.3 } }),
  'LSTM, normalised': layers.lstm({ units: 3, layerNormalization: { epsilon: 0.3 } }),
  'GRU, normalised': layers.gru({ units: 3, layerNormalization: { epsilon: 0.3, separateGates: true } }),
};

describe.each(Object.entries(recurrent))('%s', (_, layer) => {
  for (const [time, batch] of shapes) {
    it(`${time} steps, ${batch} rows, from given states, with gradients of the final states`, () =>
      check(layer, vectors(2), [time, batch], { states: true }));
  }
  it('from zero states', () => check(layer, vectors(2), [4, 3], { states: false }));
  it('from ids', () => check(layer, ids(4), [4, 3], { states: true }));
});

describe('recurrent layers with other options', () => {
  // An exponential of an exponential grows beyond what differences can tell, step by step.
  const steps = (name: string) => (name.includes('exponential') ? 1 : 3);
  it.each(activationChoices)('simple RNN with %s', (name, activation) =>
    check(layers.simpleRnn({ units: 3, activation }), vectors(2), [steps(name), 2], bounded),
  );
  it.each(activationChoices)('LSTM, gates and cell with %s', (name, activation) =>
    check(layers.lstm({ units: 3, activation, gateActivation: activation }), vectors(2), [steps(name), 2], bounded),
  );
  it.each(activationChoices)('GRU, gates and candidate with %s', (name, activation) =>
    check(layers.gru({ units: 3, activation, gateActivation: activation }), vectors(2), [steps(name), 2], bounded),
  );
  it.each(activationChoices)('GRU, reset before, with %s', (name, activation) =>
    check(
      layers.gru({ units: 3, activation, gateActivation: activation, resetAfter: false }),
      vectors(2),
      [steps(name), 2],
      bounded,
    ),
  );
  it('without bias', async () => {
    for (const layer of [layers.simpleRnn, layers.lstm, layers.gru]) {
      await check(layer({ units: 3, useBias: false }), vectors(2), [3, 2], { states: true });
    }
  });
  it('with dropout on the input', () =>
    check(layers.lstm({ units: 3, dropout: 0.4 }), vectors(4), [3, 2], { states: true }));
  it.each(['simpleRnn', 'lstm', 'gru'] as const)('%s with weights of both kernels dropped', async (kind) => {
    const rates = { dropConnect: 0.4, recurrentDropConnect: 0.3 };
    await check(layers[kind]({ units: 3, ...rates }), vectors(4), [3, 2], { states: true });
    await check(layers[kind]({ units: 3, ...rates }), ids(4), [3, 2], { states: true });
  });
});

describe('bidirectional layers', () => {
  const lstm = layers.lstm({ units: 3 });
  it.each(['concat', 'sum', 'multiply', 'average'] as const)('outputs joined by %s', (merge) =>
    check(layers.bidirectional(lstm, { merge }), vectors(2), [4, 3], { states: true }),
  );
  it('with a backward layer of another kind, from ids', () =>
    check(layers.bidirectional(lstm, { backward: layers.gru({ units: 2 }) }), ids(4), [4, 2], { states: true }));
  it('of one step, of one row', () => check(layers.bidirectional(lstm), vectors(2), [1, 1], { states: true }));
  it('and the last step of one', () =>
    check(composed(layers.bidirectional(lstm), layers.lastStep(), vectors(2)), vectors(2), [3, 2], { states: true }));
});

describe('other layers', () => {
  it('embedding, with ids that occur twice', () =>
    check(layers.embedding({ vocabulary: 4, units: 3 }), ids(4), [5, 2]));
  it.each([...activationChoices, ['softmax', 'softmax'] as const, ['logSoftmax', 'logSoftmax'] as const])(
    'dense with %s',
    (_, activation) => check(layers.dense({ units: 3, activation }), vectors(2), [3, 2]),
  );
  it('dense without bias', () => check(layers.dense({ units: 3, useBias: false }), vectors(2), [3, 2]));
  it('dense on ids made one-hot', async () => {
    const oneHot = layers.oneHot({ vocabulary: 4 });
    await check(composed(oneHot, layers.dense({ units: 3 }), ids(4)), ids(4), [3, 2]);
  });
  it('activation', () => check(layers.activation({ activation: 'softsign' }), vectors(3), [3, 2]));
  it('parametric ReLU', async () => {
    await check(layers.parametricRelu(), vectors(3), [3, 2]);
    await check(layers.parametricRelu({ shared: true }), vectors(3), [3, 2]);
    await check(layers.parametricRelu(), vectors(1), [1, 1]);
  });
  it('randomized ReLU', () => check(layers.randomizedRelu(), vectors(3), [3, 2]));
  it('layer normalisation', () => check(layers.layerNormalization({ epsilon: 0.3 }), vectors(6), [3, 2]));
  it('gated linear unit', () => check(layers.gatedLinearUnit(), vectors(6), [3, 2]));
  const later = scheduled(0.5, schedules.constant());
  it.each([
    ['dropout', layers.dropout({ rate: 0.5 })],
    ['spatial dropout', layers.spatialDropout({ rate: 0.5 })],
    ['alpha dropout', layers.alphaDropout({ rate: 0.5 })],
    ['gaussian dropout', layers.gaussianDropout({ rate: 0.5 })],
    ['gaussian noise', layers.gaussianNoise({ deviation: 0.5 })],
    ['dense with weights dropped', layers.dense({ units: 4, dropConnect: 0.5 })],
    ['scheduled dropout', layers.dropout({ rate: later })],
    ['scheduled spatial dropout', layers.spatialDropout({ rate: later })],
    ['scheduled alpha dropout', layers.alphaDropout({ rate: later })],
    ['scheduled gaussian dropout', layers.gaussianDropout({ rate: later })],
    ['scheduled gaussian noise', layers.gaussianNoise({ deviation: later })],
    ['dense with weights dropped by schedule', layers.dense({ units: 4, dropConnect: later })],
  ])('%s', (_, layer) => check(layer, vectors(6), [3, 2]));
  it('the last step of any sequence', () => check(layers.lastStep(), vectors(3), [3, 2]));
  it.each(Object.entries(recurrent))('the last step of a %s', (_, layer) =>
    check(composed(layer, layers.lastStep(), vectors(2)), vectors(2), [3, 2], { states: true }),
  );
});

/** Two layers as one; only the first has states. */
function composed(first: Layer, second: Layer, input: Signal): Layer {
  const between = first.signal(input);
  return {
    kind: 'composed',
    options: {},
    rates: { ...first.rates, ...second.rates },
    signal: () => second.signal(between),
    parameters: () => ({ ...first.parameters(input), ...second.parameters(between) }),
    states: () => first.states(input),
    apply: (context) => {
      const inner = first.apply(context, input);
      const { output, last } = inner;
      return { ...second.apply({ ...context, input: output, last }, between), states: inner.states };
    },
  };
}

/** Of Σ weight·output + Σ weight·final state with random weights, so that every output matters. */
async function check(
  layer: Layer,
  signal: Signal,
  [time, batch]: readonly [number, number],
  { states, scale = 0.7 }: { states: boolean; scale?: number } = { states: false },
): Promise<void> {
  const given: Record<string, Tensor> = {};
  let purpose = 0;
  const put = (name: string, shape: Shape, scale = 1) => {
    given[name] = noise(shape, purpose++, scale);
  };
  if (signal.kind === 'ids') {
    const pattern = Int32Array.from({ length: time * batch }, (_, index) => (3 * index + 1) % signal.vocabulary);
    given.x = tensor(pattern, [time, batch]);
  } else put('x', [time, batch, signal.features]);
  for (const [name, { shape }] of Object.entries(layer.parameters(signal))) put(`parameter ${name}`, shape, scale);
  const stateShapes = states ? layer.states(signal) : {};
  for (const [name, shape] of Object.entries(stateShapes)) put(`state ${name}`, [batch, ...shape]);
  given.step = tensor(Int32Array.of(3), [1]);
  const scheduledRates = Object.entries(layer.rates ?? {}).filter(([, rate]) => isScheduled(rate));
  const rates = Object.fromEntries(scheduledRates.map(([name]) => [`rate ${name}`, tensor([0.4], [1])]));

  const build = (values: Readonly<Record<string, Value>>) => {
    let draws = 0;
    const pick = (prefix: string, of: object) =>
      Object.fromEntries(Object.keys(of).map((name) => [name, values[`${prefix} ${name}`]!]));
    const result = layer.apply(
      {
        input: values.x!,
        parameters: pick('parameter', layer.parameters(signal)),
        states: pick('state', stateShapes),
        training: true,
        random: (shape, kind = 'uniform') => random(values.step!, shape, { seed: 5, purpose: 9 + draws++, kind }),
        rate: (name) => values[`rate ${name}`] ?? (layer.rates![name] as number),
      },
      signal,
    );
    const outputs = [result.output, ...Object.values(result.states)];
    const sums = outputs.map((output, index) => {
      const weights = random(values.step!, output.shape, { seed: 7, purpose: 100 + index, kind: 'normal' });
      return reduceSum([output, weights], { axis: 'all', expression: (a, b) => a.mul(b) });
    });
    return sums.reduce((total, sum) => map((a, b) => a.add(b), total, sum));
  };
  await expectGradients(given, build, rates);
}
