/** Layers that act while training only: what they do to numbers, how often, and when not. */
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { input, type Value } from '../../src/compute/graph.js';
import { random } from '../../src/compute/operations/index.js';
import { normals, uniforms } from '../../src/compute/random.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { isScheduled, scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { exact, native } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const { addon } = loadAddon();
const settings = { seed: 1, step: 5 };
const purpose = 2;

/** What the layer makes of `x` `[time, batch, features]` in training step 5; scheduled rates are those given. */
async function trained(
  layer: Layer,
  x: Tensor,
  { engine = exact, rates = {} }: { engine?: Engine; rates?: Readonly<Record<string, number>> } = {},
): Promise<number[]> {
  const signal: Signal = { kind: 'vectors', features: x.shape.at(-1)!, sequence: true };
  const given = Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, tensor([rate], [1])]));
  const parameters = Object.fromEntries(
    Object.entries(layer.parameters(signal)).map(([name, { shape }]) => [
      name,
      tensor(new Float32Array(shape.reduce((product, extent) => product * extent, 1)).fill(1), shape),
    ]),
  );
  const step = tensor(Int32Array.of(settings.step), [1]);
  const got = await evaluateGraph(engine, { x, step, ...given, ...parameters }, (values) => {
    let draws = 0;
    const { output } = layer.apply(
      {
        input: values.x!,
        parameters: Object.fromEntries(Object.keys(parameters).map((name) => [name, values[name]!])),
        states: {},
        training: true,
        random: (shape, kind = 'uniform') =>
          random(values.step!, shape, { seed: settings.seed, purpose: purpose + draws++, kind }),
        rate: (name) => (isScheduled(layer.rates?.[name]) ? values[name]! : (layer.rates?.[name] as number)),
      },
      signal,
    );
    return { output };
  });
  return [...got.output!.data];
}

const sequence = (values: readonly number[], shape: number[]): Tensor => tensor(Float64Array.from(values), shape);
const close = (got: readonly number[], want: readonly number[], tolerance = 1e-12) => {
  expect(got.length).toBe(want.length);
  for (const [index, x] of got.entries()) {
    expect(Math.abs(x - want[index]!), `[${index}]`).toBeLessThan(tolerance);
  }
};

/** Behind reshapes, which change nothing. */
const evaluated = (value: Value): Value =>
  value.node.operation?.name === 'reshape' ? evaluated(value.node.inputs[0]!) : value;

const noisy: readonly (readonly [string, Layer])[] = [
  ['dropout', layers.dropout({ rate: 0.3 })],
  ['spatialDropout', layers.spatialDropout({ rate: 0.3 })],
  ['alphaDropout', layers.alphaDropout({ rate: 0.3 })],
  ['gaussianDropout', layers.gaussianDropout({ rate: 0.3 })],
  ['gaussianNoise', layers.gaussianNoise({ deviation: 0.3 })],
  ['dense', layers.dense({ units: 2, dropConnect: 0.3 })],
  ['lstm', layers.lstm({ units: 2, dropout: 0.3, dropConnect: 0.3, recurrentDropConnect: 0.3 })],
];

describe('hand-worked numbers', () => {
  const x = [1, -2, 3, -4, 5, -6, 7, -8];
  const shape = [2, 2, 2];
  const u = [...uniforms(8, { ...settings, purpose })];
  const z = [...normals(8, { ...settings, purpose })];
  it('are meant for both outcomes', () => {
    expect(u.some((value) => value < 0.5)).toBe(true);
    expect(u.slice(0, 4).some((value) => value >= 0.5)).toBe(true);
  });

  it('dropout: 0 below the rate, x / (1 - rate) from it on', async () => {
    const want = x.map((value, index) => (u[index]! < 0.5 ? 0 : value / 0.5));
    close(await trained(layers.dropout({ rate: 0.5 }), sequence(x, shape)), want);
  });

  it('spatialDropout: the number drawn for a row and feature holds for every step', async () => {
    const want = x.map((value, index) => (u[index % 4]! < 0.5 ? 0 : value / 0.5));
    close(await trained(layers.spatialDropout({ rate: 0.5 }), sequence(x, shape)), want);
  });

  it('alphaDropout: selu’s lowest value below the rate, then the map that keeps mean 0 and variance 1', async () => {
    // With rate 1/2 and α' = -1.7580993408: a = 1 / sqrt(½·(1 + ½·3.0909132923)) = 0.8863966, b = ½·1.7580993408·a.
    const a = 1 / Math.sqrt(0.5 * (1 + 0.5 * 3.0909132923));
    const want = x.map((value, index) => a * (u[index]! < 0.5 ? -1.7580993408 : value) + 0.5 * 1.7580993408 * a);
    close(await trained(layers.alphaDropout({ rate: 0.5 }), sequence(x, shape)), want, 1e-9);
  });

  it('gaussianDropout: a factor of deviation sqrt(rate / (1 - rate)) around 1', async () => {
    const want = x.map((value, index) => value * (1 + z[index]! * 0.5));
    close(await trained(layers.gaussianDropout({ rate: 0.2 }), sequence(x, shape)), want);
  });

  it('gaussianNoise: a term of the deviation', async () => {
    const want = x.map((value, index) => value + 0.25 * z[index]!);
    close(await trained(layers.gaussianNoise({ deviation: 0.25 }), sequence(x, shape)), want);
  });

  it('dropConnect: the same weights are dropped for every row and step, the others grow', async () => {
    // All weights are 1: unit j sums the features whose weight [feature, j] is kept, times 2, and its bias.
    const got = await trained(layers.dense({ units: 2, dropConnect: 0.5 }), sequence(x, shape));
    const kept = (feature: number, unit: number) => (u[feature * 2 + unit]! < 0.5 ? 0 : 2);
    const want = [0, 1, 2, 3].flatMap((row) =>
      [0, 1].map((unit) => x[row * 2]! * kept(0, unit) + x[row * 2 + 1]! * kept(1, unit) + 1),
    );
    close(got, want);
  });

  it('dropConnect of a simple RNN: kernel and recurrent kernel have masks of their own', async () => {
    const layer = layers.simpleRnn({ units: 1, activation: 'identity', dropConnect: 0.5, recurrentDropConnect: 0.5 });
    const mask = (of: number) => (uniforms(1, { ...settings, purpose: of })[0]! < 0.5 ? 0 : 2);
    const [w, r] = [mask(purpose), mask(purpose + 1)];
    const first = 3 * w + 1;
    close(await trained(layer, sequence([3, 4], [2, 1, 1])), [first, 4 * w + first * r + 1]);
  });
});

describe('statistics of forty thousand numbers', () => {
  const count = 40_000;
  const constant = sequence(new Array(count).fill(2), [1, 1, count]);
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = (values: readonly number[], middle = mean(values)) => mean(values.map((x) => (x - middle) ** 2));

  it.each([0.05, 0.3, 0.9])('dropout of %d drops that share, within five standard errors', async (rate) => {
    const got = await trained(layers.dropout({ rate }), constant);
    const share = got.filter((value) => value === 0).length / count;
    expect(Math.abs(share - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / count));
    expect(new Set(got).size).toBe(2);
  });

  it('spatialDropout drops whole features: a share of the rows and features, and no part of one', async () => {
    const [time, batch, features] = [3, 100, 200];
    const ones = sequence(new Array(time * batch * features).fill(1), [time, batch, features]);
    const got = await trained(layers.spatialDropout({ rate: 0.3 }), ones);
    const each = batch * features;
    expect(got.slice(each, 2 * each)).toEqual(got.slice(0, each));
    expect(got.slice(2 * each)).toEqual(got.slice(0, each));
    const share = got.slice(0, each).filter((value) => value === 0).length / each;
    expect(Math.abs(share - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / each));
  });

  it('gaussianDropout keeps the mean; the variance is x²·rate / (1 - rate)', async () => {
    const got = await trained(layers.gaussianDropout({ rate: 0.2 }), constant);
    expect(Math.abs(mean(got) - 2)).toBeLessThan(5 / Math.sqrt(count));
    // Of a normal distribution, a variance of `count` numbers has the relative standard error sqrt(2 / count).
    expect(Math.abs(variance(got) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  });

  it('alphaDropout keeps mean 0 and variance 1 of normal numbers', async () => {
    const normal = tensor(normals(count, { seed: 3, purpose: 3 }), [1, 1, count]);
    const got = await trained(layers.alphaDropout({ rate: 0.2 }), normal);
    expect(Math.abs(mean(got))).toBeLessThan(5 / Math.sqrt(count));
    // The fourth moment of the mixture is below 4, so that a variance has a standard error of at most sqrt(3 / count).
    expect(Math.abs(variance(got) - 1)).toBeLessThan(5 * Math.sqrt(3 / count));
  });

  it('dropConnect drops that share of the weights', async () => {
    const [features, units] = [200, 200];
    const unitVectors = Array.from({ length: features * features }, (_, i) => (i % (features + 1) === 0 ? 1 : 0));
    const layer = layers.dense({ units, dropConnect: 0.3, useBias: false });
    const got = await trained(layer, sequence(unitVectors, [features, 1, features]));
    const share = got.filter((value) => value === 0).length / (features * units);
    expect(Math.abs(share - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / (features * units)));
  });
});

describe.each(noisy)('%s', (kind, layer) => {
  const x = tensor(normals(3 * 2 * 20, { seed: 9, purpose: 9 }), [3, 2, 20]);

  it.each([
    ['outside of training, without asking for its rate', false],
    ['with a rate of 0', true],
  ])('draws nothing and leaves everything as it is %s', (_, training) => {
    const signal: Signal = { kind: 'vectors', features: 20, sequence: true };
    const forbidden = () => {
      throw new Error('nothing is to be asked');
    };
    const value = input('x', [3, 2, 20], 'f32');
    const parameters = Object.fromEntries(
      Object.entries(layer.parameters(signal)).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
    );
    const rate = training ? () => 0 : forbidden;
    const { output } = layer.apply({ input: value, parameters, states: {}, training, random: forbidden, rate }, signal);
    if (parameters.kernel) expect(output.node.inputs).toEqual(expect.arrayContaining([value, parameters.kernel]));
    else expect(evaluated(output)).toBe(value);
  });

  it('scheduled is the same as by the number that the schedule gives', async () => {
    const names = Object.keys(layer.rates!);
    const later = Object.fromEntries(names.map((name) => [name, scheduled(0.6, schedules.constant())]));
    const now = Object.fromEntries(names.map((name) => [name, 0.3]));
    const make = layers[kind as keyof typeof layers] as (options: never) => Layer;
    const got = await trained(make({ ...layer.options, ...later } as never), x, { rates: now });
    close(got, await trained(make({ ...layer.options, ...now } as never), x), 1e-6);
  });

  it.skipIf(!native)(
    'on the native engine is the reference up to f32, with the same bits for any number of threads',
    async () => {
      const want = await trained(layer, x);
      const onThreads = (threads: number) => createNativeEngine({ addon: addon!, threads });
      const got = await trained(layer, x, { engine: onThreads(1) });
      // Numbers below 8, in sums of 20 terms at most and a few factors: some fifty roundings of 2^-24 of that.
      close(got, want, 50 * 8 * 2 ** -24);
      for (const threads of [2, 3]) expect(await trained(layer, x, { engine: onThreads(threads) })).toEqual(got);
    },
  );
});

describe('refusals', () => {
  const ids: Signal = { kind: 'ids', vocabulary: 5, sequence: true };
  it('rates out of range, and inputs that cannot be changed', () => {
    for (const make of [layers.dropout, layers.spatialDropout, layers.alphaDropout, layers.gaussianDropout]) {
      for (const rate of [1, -0.1, Number.NaN, scheduled(1, schedules.constant())]) {
        expect(() => make({ rate })).toThrow(/option 'rate' must be a finite number at least 0 and below 1/);
      }
      expect(() => make({ rate: 0.1 }).signal(ids)).toThrow(/expected vectors/);
    }
    expect(() => layers.gaussianNoise({ deviation: -1 })).toThrow(/'deviation' must be a finite number at least 0/);
    expect(() => layers.dense({ units: 1, dropConnect: 1 })).toThrow(/'dropConnect' must be/);
    expect(() => layers.gru({ units: 1, recurrentDropConnect: 2 })).toThrow(/'recurrentDropConnect' must be/);
    expect(() =>
      layers.spatialDropout({ rate: 0.1 }).signal({ kind: 'vectors', features: 3, sequence: false }),
    ).toThrow(/expected a sequence/);
    const rate = scheduled(0.1, schedules.constant());
    expect(() => layers.lstm({ units: 1, dropout: rate }).signal(ids)).toThrow(/ids cannot be dropped/);
  });
});
