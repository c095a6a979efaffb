/** A user's own initial values: taken as they are, checked when they can be, and never needed again by a file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/compute/tensor.js';
import { loadNetwork, saveNetwork } from '../../src/formats/model-file.js';
import { initializers } from '../../src/network/initializers.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { exact } from './engines.js';

const directory = mkdtempSync(join(tmpdir(), 'mneme-given-'));
afterAll(() => rmSync(directory, { recursive: true }));

const network = (layer: Layer): Network => createNetwork([layer], { input: { features: 2 }, engine: exact, seed: 4 });
const start = async (layer: Layer, name: string) => [...(await network(layer).parameter(name)).data];

describe('values of your own', () => {
  const want = [1, 2, 3, 4, 5, 6];
  it.each([
    ['a tensor', initializers.given(tensor(want, [2, 3]))],
    ['nested lists', initializers.given([want.slice(0, 3), want.slice(3)])],
    ['a typed array', initializers.given(Float64Array.from(want))],
    ['a function', initializers.given(([rows, columns]) => (rows === 2 && columns === 3 ? want : []))],
  ])('%s: the parameter starts with them', async (_, kernelInitializer) => {
    expect(await start(layers.dense({ units: 3, kernelInitializer }), 'dense/kernel')).toEqual(want);
  });

  it('are those of all gates, and a bias keeps its own forget gate', async () => {
    const bias = [1, 2, 3, 4, 5, 6, 7, 8];
    const layer = layers.lstm({
      units: 2,
      kernelInitializer: initializers.given([bias, bias]),
      biasInitializer: initializers.given(bias),
    });
    expect(await start(layer, 'lstm/kernel')).toEqual([...bias, ...bias]);
    expect(await start(layer, 'lstm/bias')).toEqual(bias);
  });

  it('are copied: what is done to them later, or to what a layer was given, changes nothing', async () => {
    const mine = Float64Array.of(1, 2, 3, 4);
    const kernelInitializer = initializers.given(mine);
    mine.fill(9);
    const layer = layers.dense({ units: 2, kernelInitializer });
    const { initializer } = layer.parameters({ kind: 'vectors', features: 2, sequence: true }).kernel!;
    const random = { uniform: () => new Float64Array(0), normal: () => new Float64Array(0) };
    initializer([2, 2], random).fill(7);
    expect(await start(layer, 'dense/kernel')).toEqual([1, 2, 3, 4]);
  });

  it('of a function may be random: numbers that depend on seed and name, and go on from call to call', async () => {
    const layer = layers.dense({
      units: 2,
      kernelInitializer: initializers.given((_, { uniform }) => [...uniform(1), ...uniform(3)]),
      biasInitializer: initializers.given((_, { normal }) => normal(2)),
    });
    const plain = layers.dense({ units: 2, kernelInitializer: initializers.uniform({ low: 0, high: 1 }) });
    expect(await start(layer, 'dense/kernel')).toEqual(await start(plain, 'dense/kernel'));
    expect(await start(layer, 'dense/bias')).toEqual(await start(layer, 'dense/bias'));
  });
});

describe('a forget gate', () => {
  it('starts with 1, with what is asked for, or with what the initializer gives', async () => {
    const bias = async (options: object) => start(layers.lstm({ units: 1, ...options }), 'lstm/bias');
    expect(await bias({})).toEqual([0, 1, 0, 0]);
    expect(await bias({ forgetBias: 2.5 })).toEqual([0, 2.5, 0, 0]);
    const ones = { biasInitializer: 'ones', forgetBias: 'initializer' };
    expect(await bias(ones)).toEqual([1, 1, 1, 1]);
  });
});

describe('a model file', () => {
  it('says that values were given, holds them as parameters, and needs them no more', async () => {
    const made = network(
      layers.dense({
        units: 2,
        kernelInitializer: initializers.given([
          [1, 2],
          [3, 4],
        ]),
        biasInitializer: initializers.given(() => [5, 6]),
      }),
    );
    await saveNetwork(made, directory);
    const json = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
    expect(json.layers[0].options.kernelInitializer).toEqual({ kind: 'given' });
    const { network: again } = await loadNetwork(directory, { engine: exact });
    expect(await again.readParameters()).toEqual(await made.readParameters());
    // It may be saved again; but a new model of its layers has nothing to start from, and says so each time it is asked.
    await saveNetwork(again, directory);
    const anew = createNetwork(again.layers, { input: { features: 2 }, engine: exact });
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(anew.readParameters()).rejects.toThrow(/dense\/kernel: .*a file does not hold them/);
    }
  });

  it('brings back every other initializer and every rate', async () => {
    const made = createNetwork(
      [
        layers.lstm({
          units: 2,
          dropout: 0.1,
          dropConnect: 0.2,
          recurrentDropConnect: 0.3,
          forgetBias: 'initializer',
          kernelInitializer: initializers.xavierNormal({ fanIn: 3, fanOut: 4 }),
          recurrentInitializer: initializers.identity({ gain: 0.5 }),
          biasInitializer: 'torchUniform',
        }),
        layers.spatialDropout({ rate: 0.1 }),
        layers.gaussianNoise({ deviation: 2 }),
        layers.dense({
          units: 2,
          dropConnect: 0.5,
          kernelInitializer: initializers.varianceScaling({ mode: 'fanOut' }),
        }),
      ],
      { input: { features: 2 }, engine: exact },
    );
    await saveNetwork(made, directory);
    const { network: again } = await loadNetwork(directory, { engine: exact });
    expect(again.layers.map(({ kind, options }) => ({ kind, options }))).toEqual(
      made.layers.map(({ kind, options }) => ({ kind, options })),
    );
  });
});

describe('refusals', () => {
  const dense = (kernelInitializer: ReturnType<typeof initializers.given>) =>
    layers.dense({ units: 3, kernelInitializer });
  it('another shape, when the network is made', () => {
    const wide = initializers.given([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(() => network(dense(wide))).toThrow(/the parameter has the shape \[2, 3\], the values \[3, 2\]/);
  });
  it('another number of values, from an array or a function, when they are asked for', async () => {
    for (const given of [initializers.given(Float32Array.of(1, 2)), initializers.given(() => [1, 2])]) {
      await expect(start(dense(given), 'dense/kernel')).rejects.toThrow(
        /dense\/kernel: .*\[2, 3\] needs 6 numbers, got 2/,
      );
    }
  });
  it('values that are not finite, of unequal lists, or no numbers at all', async () => {
    expect(() => initializers.given([1, Number.NaN])).toThrow(/element 1 is NaN/);
    const infinite = initializers.given(() => [1, 2, 3, 4, 5, Number.POSITIVE_INFINITY]);
    await expect(start(dense(infinite), 'dense/kernel')).rejects.toThrow(/dense\/kernel: .*element 5 is Infinity/);
    expect(() => initializers.given([[1, 2], [3]])).toThrow(/equal length and depth/);
    expect(() => initializers.given([[1], 2])).toThrow(/equal length and depth/);
    expect(() => initializers.given('0.5' as never)).toThrow(/expected a tensor.*got/);
    expect(() => layers.dense({ units: 1, kernelInitializer: { kind: 'given', values: [1] } as never })).toThrow(
      /kernelInitializer/,
    );
  });
});
