/** Cells of the user's own as layers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import type { Value } from '../../src/compute/graph.js';
import { reduceSum } from '../../src/compute/operations/index.js';
import type { Tensor } from '../../src/compute/tensor.js';
import {
  arrays,
  type Batches,
  type Cell,
  cell,
  createReferenceEngine,
  createTrainer,
  elementwise,
  type Layer,
  layers,
  loadModel,
  losses,
  one,
  sequential,
  sigmoid,
  split,
  tanh,
  tensor,
  updaters,
} from '../../src/index.js';
import { refusal } from '../compute/engine/engines.js';
import { noise } from '../gradients/finite-differences.js';
import { evaluateGraph } from './evaluate-graph.js';

/** The light gated recurrent unit (Ravanelli et al. 2018) with tanh. */
const lightCell = cell('light', {
  parameters: ({ units }, features) => ({ w: [features, 2 * units], u: [units, 2 * units] }),
  states: ({ units }) => ({ h: [units] }),
  step: ({ w, u }, { h }, x) => {
    const [update, candidate] = split(x.matmul(w).add(h.matmul(u)), 2);
    const z = sigmoid(update);
    const next = z.mul(h).add(one.sub(z).mul(tanh(candidate)));
    return { output: next, h: next };
  },
});

/** layers.lstm, written again. */
const lstmCell = cell('my lstm', {
  parameters: ({ units }, features) => ({
    kernel: { shape: [features, 4 * units], gates: 4 },
    recurrentKernel: { shape: [units, 4 * units], initializer: 'orthogonal', group: 'recurrent', gates: 4 },
    bias: [4 * units],
  }),
  states: ({ units }) => ({ hidden: [units], cell: [units] }),
  step: ({ kernel, recurrentKernel, bias }, states, x) => {
    const [i, f, g, o] = split(x.matmul(kernel).add(states.hidden.matmul(recurrentKernel)).add(bias), 4);
    const next = sigmoid(f)
      .mul(states.cell)
      .add(sigmoid(i).mul(tanh(g)));
    const hidden = sigmoid(o).mul(tanh(next));
    return { output: hidden, hidden, cell: next };
  },
});

/** Rows of ten numbers and their sums. */
function sums(batch = 16): Batches {
  const rows = 64;
  const x = Float32Array.from({ length: rows * 10 }, (_, index) => ((index * 7919) % 101) / 101 - 0.5);
  const y = Float32Array.from({ length: rows }, (_, row) =>
    x.subarray(10 * row, 10 * row + 10).reduce((sum, number) => sum + number, 0),
  );
  return arrays({ inputs: tensor(x, [rows, 10, 1]), targets: tensor(y, [rows, 1]), batch });
}
const modelOf = (...parts: Layer[]) =>
  sequential([...parts, layers.lastStep(), layers.dense({ units: 1 })], { seed: 1, input: { features: 1 } });
const settings = { loss: losses.meanSquaredError(), updater: updaters.adam({ learningRate: 0.02 }) } as const;

test('a cell of twenty lines learns natively, off the event loop', async () => {
  const model = modelOf(layers.scan({ cell: lightCell, units: 8 }));
  let turns = 0;
  const watch = setInterval(() => turns++, 0);
  const { epochs } = await createTrainer(model, settings).fit(sums(), { epochs: 60 });
  clearInterval(watch);
  expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss / 50);
  expect(turns).toBeGreaterThan(0);
});

test('layers.lstm written as a cell trains to the same losses', async () => {
  const engine = createReferenceEngine({ precision: 'f64' });
  const make = (layer: Layer) =>
    sequential([layer, layers.lastStep(), layers.dense({ units: 1 })], { engine, seed: 1, input: { features: 1 } });
  const fused = make(layers.lstm({ units: 6 }));
  const own = make(layers.scan({ cell: lstmCell, units: 6 }));
  await own.network.writeParameters(await fused.network.readParameters());
  const train = async (model: typeof own) => {
    const { epochs } = await createTrainer(model, settings).fit(sums(), { epochs: 5 });
    return epochs.map(({ trainLoss }) => trainLoss);
  };
  const losses = await train(own);
  // In double precision, whose rounding errors twenty steps do not make visible.
  for (const [epoch, loss] of (await train(fused)).entries()) expect(losses[epoch]).toBeCloseTo(loss, 10);
});

test('ids are taken as if one-hot, and rows go on from the states they are given', async () => {
  const model = sequential([layers.scan({ cell: lightCell, units: 5 }), layers.dense({ units: 7 })], {
    input: { vocabulary: 7 },
  });
  const hot = sequential(
    [layers.oneHot({ vocabulary: 7 }), layers.scan({ cell: lightCell, units: 5 }), layers.dense({ units: 7 })],
    {},
  );
  await hot.network.writeParameters((await model.network.readParameters()) as Float32Array);
  const ids = tensor(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const whole = await model.predict(ids);
  expect((await hot.predict(ids)).data).toEqual(whole.data);
  const session = model.session({ batch: 2 });
  const steps: number[][] = [];
  for (const step of [0, 1, 2]) {
    const { data } = await session.step(Int32Array.of(ids.data[step]!, ids.data[3 + step]!));
    steps.push([...data]);
  }
  const last = [...whole.data.slice(14, 21), ...whole.data.slice(35, 42)];
  for (const [index, value] of steps[2]!.entries()) expect(value).toBeCloseTo(last[index]!, 6);
});

test('rows of unequal lengths end where they end alone, and what lies behind them, NaN included, reaches nothing', async () => {
  const engine = createReferenceEngine({ precision: 'f64' });
  const layer = layers.scan({ cell: lstmCell, units: 2 });
  const parameters = { kernel: noise([2, 8], 1), recurrentKernel: noise([2, 8], 2), bias: noise([8], 3) };
  const forward = (x: Tensor, lengths?: Tensor) =>
    evaluateGraph(
      engine,
      { x, ...(lengths ? { lengths } : {}), ...parameters },
      ({ x: input, lengths: of, ...rest }) => {
        const { output, states, last } = layer.apply(
          {
            input: input!,
            parameters: rest as Record<string, Value>,
            states: {},
            training: true,
            ...(of ? { lengths: of } : {}),
            random: () => input!,
            rate: () => 0,
          },
          { kind: 'vectors', features: 2, sequence: true },
        );
        const [dKernel] = gradients(reduceSum(last!, { axis: 'all', expression: (y) => y.square() }), [rest.kernel!]);
        return { output, hidden: states.hidden!, cell: states.cell!, last: last!, dKernel: dKernel! };
      },
    );
  const x = noise([3, 3, 2], 4);
  const lengths = [3, 1, 0];
  const padded = Float64Array.from(x.data, (value, index) => {
    const [step, row] = [Math.floor(index / 6), Math.floor(index / 2) % 3];
    return step < lengths[row]! ? value : Number.NaN;
  });
  const together = await forward(tensor(padded, [3, 3, 2]), tensor(Int32Array.from(lengths), [3]));
  const total = new Float64Array(16);
  for (const [row, length] of lengths.entries()) {
    const own = [...together.last!.data.slice(2 * row, 2 * row + 2)];
    if (length === 0) {
      expect(own).toEqual([0, 0]);
      continue;
    }
    const steps = Array.from({ length }, (_, step) => [...x.data.slice(6 * step + 2 * row, 6 * step + 2 * row + 2)]);
    const alone = await forward(tensor(Float64Array.from(steps.flat()), [length, 1, 2]));
    for (const name of ['hidden', 'cell', 'last'] as const) {
      expect([...together[name]!.data.slice(2 * row, 2 * row + 2)]).toEqual([...alone[name]!.data]);
    }
    for (const [index, value] of alone.dKernel!.data.entries()) total[index]! += value;
  }
  // The same terms in another order.
  for (const [index, value] of together.dKernel!.data.entries()) expect(value).toBeCloseTo(total[index]!, 12);
});

describe('in a model file', () => {
  const folder = mkdtempSync(path(tmpdir(), 'mneme-cells-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a cell is its name, and comes back from among those that are given', async () => {
    const model = modelOf(layers.scan({ cell: lightCell, units: 4 }));
    await model.save(`${folder}/model`);
    const x = tensor(Float32Array.of(1, 2, 3), [1, 3, 1]);
    const again = await loadModel(`${folder}/model`, { cells: [lstmCell, lightCell] });
    expect((await again.predict(x)).data).toEqual((await model.predict(x)).data);
    await expect(loadModel(`${folder}/model`, { cells: [lstmCell] })).rejects.toEqual(
      refusal('file-invalid', /layer 1: .*give loadModel the cell 'light' among its cells/),
    );
    await expect(loadModel(`${folder}/model`, { cells: ['light'] as unknown as Cell[] })).rejects.toEqual(
      refusal('invalid-argument', /cells.*a list of cells/),
    );
  });
});

describe('options of a cell', () => {
  const leaky = cell('leaky', {
    options: { leak: 0.5 },
    parameters: ({ units }, features) => ({ w: [features, units] }),
    states: ({ units }) => ({ h: [units] }),
    step: ({ w }, { h }, x, { leak }) => {
      const next = elementwise((old, now) => old.mul(leak).add(now), h, x.matmul(w));
      return { output: next, h: next };
    },
  });
  const engine = createReferenceEngine({ precision: 'f64' });
  const respond = async (layer: Layer) => {
    const model = sequential([layer], { engine, input: { features: 1 } });
    await model.network.writeParameters(Float64Array.of(1) as unknown as Float32Array);
    return [...(await model.predict(tensor(Float32Array.of(1, 0, 0), [1, 3, 1]))).data];
  };

  test('have defaults and may be set', async () => {
    expect(await respond(layers.scan({ cell: leaky, units: 1 }))).toEqual([1, 0.5, 0.25]);
    expect(await respond(layers.scan({ cell: leaky, units: 1, options: { leak: 0.25 } }))).toEqual([1, 0.25, 0.0625]);
  });

  test('that it has not are refused with the nearest name', () => {
    expect(() => layers.scan({ cell: leaky, units: 1, options: { leek: 0.25 } })).toThrow(
      refusal('invalid-option', /'leaky' has no option 'leek'. Did you mean 'leak'/) as Error,
    );
  });
});

describe('what does not fit together is refused when the network is made', () => {
  const broken = (step: Parameters<typeof cell<'w', 'h'>>[1]['step']) => () =>
    sequential(
      [
        layers.scan({
          cell: cell('broken', {
            parameters: ({ units }, features) => ({ w: [features, units] }),
            states: ({ units }) => ({ h: [units] }),
            step,
          }),
          units: 3,
        }),
      ],
      { input: { features: 2 } },
    );
  test.each<[what: string, build: () => unknown, message: RegExp]>([
    ['a product of other widths', broken(({ w }, { h }) => ({ output: h.matmul(w), h })), /expected b \[3, N\]/],
    ['a state of another width', broken((_, { h }, x) => ({ output: h, h: x })), /gives \[batch, 2\] as its state 'h'/],
    ['no output', broken((_, { h }) => ({ h }) as never), /must give a value as 'output'/],
    [
      'an output for all rows together',
      broken(({ w }, { h }) => ({ output: w, h })),
      /gives out \[2, 3\], expected \[batch, features\]/,
    ],
  ])('%s', (_, build, message) => {
    expect(build).toThrow(message);
  });

  test('and so is what is no cell', () => {
    expect(() => layers.scan({ cell: {} as Cell, units: 3 })).toThrow(
      refusal('invalid-option', /'cell' must be what cell\(\) makes/) as Error,
    );
  });
});
