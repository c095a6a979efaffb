/** What a network promises: names, places, counts, seeds, and clear refusals. */
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import { createNetwork } from '../../src/network/network.js';
import { summarize } from '../../src/network/summary.js';

const engine = createReferenceEngine({ precision: 'f32' });
const small = (seed = 1) =>
  createNetwork(
    [
      layers.embedding({ vocabulary: 7, units: 4 }),
      layers.lstm({ units: 5 }),
      layers.gru({ units: 3 }),
      layers.lstm({ units: 2, useBias: false }),
      layers.dense({ units: 7 }),
    ],
    { seed, engine },
  );

describe('parameters', () => {
  it('two LSTM layers of 200 units on 77 symbols with a dense softmax have 558,677', () => {
    const network = createNetwork(
      [
        layers.oneHot({ vocabulary: 77 }),
        layers.lstm({ units: 200 }),
        layers.lstm({ units: 200 }),
        layers.dense({ units: 77, activation: 'softmax' }),
      ],
      { engine },
    );
    expect(network.parameterCount).toBe(558_677);
  });

  it('lie densely in layer order, layers numbered where a kind occurs twice', () => {
    const network = small();
    expect(network.layerNames).toEqual(['embedding', 'lstm_1', 'gru', 'lstm_2', 'dense']);
    expect(network.parameterLayout.map(({ name, shape, offset }) => [name, shape, offset])).toEqual([
      ['embedding/table', [7, 4], 0],
      ['lstm_1/kernel', [4, 20], 28],
      ['lstm_1/recurrentKernel', [5, 20], 108],
      ['lstm_1/bias', [20], 208],
      ['gru/kernel', [5, 9], 228],
      ['gru/recurrentKernel', [3, 9], 273],
      ['gru/bias', [9], 300],
      ['gru/recurrentBias', [9], 309],
      ['lstm_2/kernel', [3, 8], 318],
      ['lstm_2/recurrentKernel', [2, 8], 342],
      ['dense/kernel', [2, 7], 358],
      ['dense/bias', [7], 372],
    ]);
    expect(network.stateLayout(3).map(({ name, shape, offset }) => [name, shape, offset])).toEqual([
      ['lstm_1/hidden', [3, 5], 0],
      ['lstm_1/cell', [3, 5], 15],
      ['gru/hidden', [3, 3], 30],
      ['lstm_2/hidden', [3, 2], 39],
      ['lstm_2/cell', [3, 2], 45],
    ]);
  });

  it('are the same for the same seed, others for another, and do not depend on other layers', async () => {
    const first = await small(4).readParameters();
    expect(await small(4).readParameters()).toEqual(first);
    expect(await small(5).readParameters()).not.toEqual(first);
    const alone = createNetwork([layers.embedding({ vocabulary: 7, units: 4 })], { seed: 4, engine });
    expect((await alone.parameter('embedding/table')).data).toEqual((await small(4).parameter('embedding/table')).data);
  });

  it('of layers of the same kind and shape are drawn apart', async () => {
    const network = createNetwork([layers.dense({ units: 4 }), layers.dense({ units: 4 })], {
      input: { features: 4 },
      engine,
    });
    const kernels = await Promise.all(['dense_1/kernel', 'dense_2/kernel'].map((name) => network.parameter(name)));
    expect(kernels[0]!.data).not.toEqual(kernels[1]!.data);
  });

  it('start with a forget bias of 1, or any other', async () => {
    const bias = async (forgetBias?: number) => {
      const options = forgetBias === undefined ? { units: 2 } : { units: 2, forgetBias };
      const network = createNetwork([layers.lstm(options)], { input: { features: 1 }, engine });
      return [...(await network.parameter('lstm/bias')).data];
    };
    expect(await bias()).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
    expect(await bias(-2.5)).toEqual([0, 0, -2.5, -2.5, 0, 0, 0, 0]);
  });

  it('can be set and read by name', async () => {
    const network = small();
    await network.setParameter('gru/bias', tensor([1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect([...(await network.parameter('gru/bias')).data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const all = await network.readParameters();
    expect([...all.subarray(300, 309)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await expect(network.parameter('gru/bais')).rejects.toThrow("no parameter 'gru/bais'. Did you mean 'gru/bias'?");
    await expect(network.setParameter('gru/bias', tensor([1]))).rejects.toThrow(/shape \[9\], got \[1\]/);
    await expect(network.setParameter('gru/bias', tensor([1, 2, Number.NaN, 4, 5, 6, 7, 8, 9]))).rejects.toThrow(
      /element 2 .* is NaN/,
    );
    await expect(network.writeParameters(new Float32Array(3))).rejects.toThrow('379 parameters, got 3');
  });
});

describe('refusals', () => {
  it.each([
    [() => createNetwork([], { engine }), /at least one layer/],
    [() => createNetwork([layers.lstm({ units: 3 })], { engine }), /first layer, lstm, does not tell.*features/],
    [
      () =>
        createNetwork([layers.embedding({ vocabulary: 5, units: 2 }), layers.lastStep(), layers.gru({ units: 2 })], {
          engine,
        }),
      /layer gru \(number 3\): expected a sequence, got vectors of 2 features, one a row/,
    ],
    [
      () => createNetwork([layers.embedding({ vocabulary: 5, units: 2 })], { input: { vocabulary: 6 }, engine }),
      /layer embedding \(number 1\): expected ids below 5, got a sequence of ids below 6/,
    ],
    [
      () => createNetwork([layers.lstm({ units: 3 })], { input: { feature: 2 } as never, engine }),
      /createNetwork: input: unknown option 'feature'. Did you mean 'features'/,
    ],
    [
      () => createNetwork([layers.lstm({ units: 3 })], { input: { features: 2, vocabulary: 2 } as never, engine }),
      /give either 'features' or 'vocabulary'/,
    ],
    [
      () => createNetwork([layers.dense({ units: 2 })], { input: { vocabulary: 6 }, engine }),
      /layer dense \(number 1\): expected vectors, got a sequence of ids below 6/,
    ],
    [
      () => createNetwork([layers.lstm({ units: 2, dropout: 0.1 })], { input: { vocabulary: 6 }, engine }),
      /ids cannot be dropped/,
    ],
    [() => layers.lstm({ unit: 3 } as never), /layers.lstm: unknown option 'unit'. Did you mean 'units'/],
    [() => layers.lstm({ units: 3, activation: 'tahn' as never }), /option 'activation' must be/],
    [() => layers.lstm({ units: 0 }), /option 'units' must be a whole number of at least 1, got 0/],
    [
      () => layers.dropout({ rate: 1 }),
      /option 'rate' must be a finite number at least 0 and below 1, or scheduled\(.*\), got 1/,
    ],
    [() => layers.dense({ units: '3' as never }), /option 'units' must be number, got "3"/],
  ])('%s', (make, message) => {
    expect(make).toThrow(message);
  });

  it('says so after dispose', async () => {
    const network = small();
    await network.readParameters();
    network.dispose();
    network.dispose();
    await expect(network.readParameters()).rejects.toMatchObject({ code: 'disposed' });
    expect(() => network.occupy('fit')).toThrow(expect.objectContaining({ code: 'disposed' }));
  });

  it('lets one thing at a time in', () => {
    const network = small();
    const release = network.occupy('fit');
    expect(() => network.occupy('fit')).toThrow(expect.objectContaining({ code: 'busy' }));
    release();
    network.occupy('fit')();
  });
});

describe('summary', () => {
  it('lists layers, shapes and parameters, and the cost of a step', () => {
    const summary = summarize(small(), { batch: 8, time: 20, tokens: 100_000 });
    expect(summary.layers.map(({ name, output, parameters }) => [name, output, parameters])).toEqual([
      ['embedding', [8, 20, 4], 28],
      ['lstm_1', [8, 20, 5], 200],
      ['gru', [8, 20, 3], 90],
      ['lstm_2', [8, 20, 2], 40],
      ['dense', [8, 20, 7], 21],
    ]);
    expect(summary.parameters).toBe(379);
    expect(summary.parameterBytes).toBe(4 * 379);
    // At least the outputs of all layers must be kept for the way back.
    expect(summary.stepBytes).toBeGreaterThan(4 * 8 * 20 * (5 + 3 + 2 + 7));
    expect(summary.warning).toBeUndefined();
    expect(summary.text).toContain('lstm_1');
    expect(summary.text).toMatch(/total +379/);
  });

  it('warns when there are more parameters than tokens', () => {
    expect(summarize(small(), { batch: 8, time: 20, tokens: 378 }).warning).toMatch(/More parameters \(379\)/);
    expect(summarize(small(), { batch: 8, time: 20, tokens: 379 }).warning).toBeUndefined();
  });
});
