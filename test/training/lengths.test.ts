/** A padded batch is its sequences taken one by one, whatever the padding holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { normals } from '../../src/compute/random.js';
import { type NumericArray, type Tensor, tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { predict } from '../../src/inference/predict.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { chunksOf } from '../../src/training/chunks.js';
import { evaluate } from '../../src/training/evaluate.js';
import { createTrainer } from '../../src/training/trainer.js';
import { exact, native } from '../network/engines.js';
import { batchesOf } from './sequences.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
for (const [name, available] of engines) describe.skipIf(!available)(name, () => claims(available!));

const [features, units, classes] = [2, 3, 2] as const;

const networks: Readonly<Record<string, () => Layer[]>> = {
  'simple RNN': () => [layers.simpleRnn({ units })],
  LSTM: () => [layers.lstm({ units })],
  'GRU, reset after': () => [layers.gru({ units })],
  'GRU, reset before': () => [layers.gru({ units, resetAfter: false })],
  'two stacked': () => [layers.lstm({ units }), layers.gru({ units })],
  'two with a dense layer before and between': () => [
    layers.dense({ units: 4, activation: 'tanh' }),
    layers.lstm({ units }),
    layers.dense({ units: 4 }),
    layers.lstm({ units }),
  ],
  'in pieces that are computed again': () => [
    layers.lstm({ units, recompute: true }),
    layers.gru({ units, recompute: true }),
  ],
  bidirectional: () => [layers.bidirectional(layers.lstm({ units }))],
  'two bidirectional ones, merged': () => [
    layers.bidirectional(layers.gru({ units }), { merge: 'multiply' }),
    layers.bidirectional(layers.lstm({ units }), { merge: 'average', backward: layers.simpleRnn({ units }) }),
  ],
};

function claims(engine: Engine): void {
  /** Every number is a sum of products of which each is rounded; so many go into a gradient at most. */
  const bound = (rows: number, time: number, scale: number) =>
    (engine.precision === 'f64' ? 2 ** -53 : 2 ** -24) * 8 * rows * time * (features + units + classes) * (1 + scale);

  const cases = fc.record({
    make: fc.constantFrom(...Object.entries(networks)),
    last: fc.boolean(),
    time: fc.integer({ min: 1, max: 6 }),
    shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 }),
    padding: fc.constantFrom(0, 1e30, Number.NaN),
    seed: fc.nat(1000),
  });

  it('in its loss and its gradients', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ make: [, make], last, time, shares, padding, seed }) => {
        const lengths = shares.map((share) => Math.round(share * time));
        const sequence = !last;
        const all = [...make(), ...(last ? [layers.lastStep()] : []), layers.dense({ units: classes })];
        const batch = padded(lengths, time, padding, seed, sequence);
        const want = { loss: 0, gradient: new Float64Array(0) };
        for (const [row, length] of lengths.entries()) {
          if (length === 0) continue;
          const { loss, gradient } = await learn(engine, all, rowOf(batch, row, length, sequence));
          want.loss += loss;
          want.gradient = Float64Array.from(gradient, (value, index) => value + (want.gradient[index] ?? 0));
        }
        const got = await learn(engine, all, batch);
        const scale = want.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), want.loss);
        const allowed = bound(lengths.length, time, scale);
        expect(Math.abs(got.loss - want.loss)).toBeLessThanOrEqual(allowed);
        for (const [index, value] of got.gradient.entries()) {
          expect(Math.abs(value - (want.gradient[index] ?? 0)), `gradient ${index}`).toBeLessThanOrEqual(allowed);
        }
      }),
      { numRuns: engine.precision === 'f64' ? 60 : 40 },
    );
  });

  it('with holes taken out of them', async () => {
    const holes = fc.array(fc.boolean(), { minLength: 30, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(cases, holes, async ({ make: [, make], last, time, shares, padding, seed }, drawn) => {
        const rows = shares.length;
        const sequence = !last;
        const all = [...make(), ...(last ? [layers.lastStep()] : []), layers.dense({ units: classes })];
        const lives = Array.from({ length: rows * time }, (_, place) => drawn[place] === true);
        const steps = Array.from({ length: rows }, (_, row) =>
          Array.from({ length: time }, (_, step) => step).filter((step) => lives[row * time + step]),
        );
        const whole = padded(Array<number>(rows).fill(time), time, 0, seed, sequence);
        const holed = ({ data, shape }: Tensor): Tensor => {
          const width = data.length / lives.length;
          if (!Number.isInteger(width)) return tensor(data, shape);
          return tensor(
            data.map((value, index) => (lives[Math.floor(index / width)] ? value : padding)),
            shape,
          );
        };
        const batch: Batch = {
          inputs: holed(whole.inputs),
          targets: sequence ? holed(whole.targets) : whole.targets,
          inputMask: tensor(Float32Array.from(lives, Number), [rows, time]),
          continues: false,
        };
        const want = { loss: 0, gradient: new Float64Array(0) };
        for (const [row, own] of steps.entries()) {
          if (own.length === 0) continue;
          const alone = rowOf(whole, row, time, sequence);
          const kept = ({ data, shape }: Tensor): Tensor => {
            const width = shape.at(-1)!;
            const values = own.flatMap((step) => [...data.subarray(step * width, (step + 1) * width)]);
            return tensor(Float32Array.from(values), [1, own.length, width]);
          };
          const targets = sequence ? kept(alone.targets) : alone.targets;
          const { loss, gradient } = await learn(engine, all, { ...alone, inputs: kept(alone.inputs), targets });
          want.loss += loss;
          want.gradient = Float64Array.from(gradient, (value, index) => value + (want.gradient[index] ?? 0));
        }
        const got = await learn(engine, all, batch);
        const scale = want.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), want.loss);
        const allowed = bound(rows, time, scale);
        expect(Math.abs(got.loss - want.loss)).toBeLessThanOrEqual(allowed);
        for (const [index, value] of got.gradient.entries()) {
          expect(Math.abs(value - (want.gradient[index] ?? 0)), `gradient ${index}`).toBeLessThanOrEqual(allowed);
        }
      }),
      { numRuns: engine.precision === 'f64' ? 40 : 25 },
    );
  });

  it('where rows end inside of the pieces that long sequences are cut to, and go on in the next batch', async () => {
    const all = [layers.lstm({ units }), layers.gru({ units }), layers.dense({ units: classes })];
    const whole = padded([7, 5, 2, 0], 7, Number.NaN, 1, true);
    const network = createNetwork(all, { input: { features }, engine, seed: 3 });
    const loss = losses.meanSquaredError();
    const wanted = await evaluate(network, batchesOf([whole]), { loss });
    for (const steps of [1, 2, 3, 6]) {
      const pieces = [...chunksOf(whole, { forward: steps, backward: steps })];
      expect(pieces).toHaveLength(Math.ceil(7 / steps));
      const got = await evaluate(network, batchesOf(pieces), { loss });
      expect(Math.abs(got - wanted)).toBeLessThanOrEqual(bound(4, 7, wanted));
    }
    network.dispose();
  });

  it('in the numbers it predicts, with zeros behind the end of each row', async () => {
    const all = [layers.bidirectional(layers.lstm({ units })), layers.dense({ units: classes })];
    const batch = padded([2, 4, 0, 3], 4, Number.NaN, 2, true);
    const network = createNetwork(all, { input: { features }, engine, seed: 3 });
    const got = await predict(network, batch.inputs, { batch: 3, lengths: batch.lengths });
    for (const [row, length] of [2, 4, 0, 3].entries()) {
      const places = got.data.subarray(row * 4 * classes, (row + 1) * 4 * classes);
      expect([...places.subarray(length * classes)].every((value) => value === 0)).toBe(true);
      if (length === 0) continue;
      const alone = await predict(network, rowOf(batch, row, length, true).inputs, {});
      for (const [index, value] of alone.data.entries()) {
        expect(Math.abs(places[index]! - value)).toBeLessThanOrEqual(bound(1, 4, Math.abs(value)));
      }
    }
    network.dispose();
  });

  it('and a batch of nothing but empty rows changes nothing', async () => {
    const all = [layers.lstm({ units }), layers.dense({ units: classes })];
    const { loss, gradient } = await learn(engine, all, padded([0, 0], 3, Number.NaN, 1, true), 'mean');
    expect(loss).toBe(0);
    expect(gradient.every((value) => value === 0)).toBe(true);
  });
}

describe('what does not fit', () => {
  const batch = padded([2, 3], 3, 0, 1, true);
  const refusal = async (
    change: Partial<Batch>,
    list: Layer[] = [layers.lstm({ units }), layers.dense({ units: classes })],
  ) => {
    const network = createNetwork(list, { input: { features }, engine: exact });
    const trainer = createTrainer(network, {
      loss: losses.meanSquaredError(),
      updater: updaters.adam(),
      truncation: 2,
    });
    const all = batchesOf([{ ...batch, ...change }]);
    const messages: string[] = [];
    const take = (error: Error) => void messages.push(error.message);
    await trainer.fit(all).catch(take);
    await trainer.step({ ...batch, ...change }).catch(take);
    await evaluate(network, all, { loss: losses.meanSquaredError() }).catch(take);
    return messages;
  };

  it.each([
    [{ lengths: tensor(Int32Array.of(2, 4), [2]) }, /length of row 1 is 4, but its sequence has 3 steps/],
    [{ lengths: tensor(Int32Array.of(-1, 3), [2]) }, /length of row 0 is -1/],
    [{ lengths: tensor(Int32Array.of(3), [1]) }, /a number for each row, \[2\], got \[1\]/],
    [{ lengths: tensor([2, 3], [2]) }, /lengths must be i32, got f32/],
    [{ lengths: [2, 3] as never }, /lengths/],
  ] as [Partial<Batch>, RegExp][])('is named, wherever it is given: %#', async (change, message) => {
    const messages = await refusal(change);
    expect(messages).toHaveLength(3);
    for (const said of messages) expect(said).toMatch(message);
  });

  it('in an input mask too', async () => {
    const mask = (values: number[], shape: number[]) => ({ lengths: undefined, inputMask: tensor(values, shape) });
    for (const said of await refusal(mask([1, 1, 0.5, 1, 1, 1], [2, 3]))) {
      expect(said).toMatch(/input mask is 0 or 1 everywhere, got 0.5 at element /);
    }
    const [, step] = await refusal(mask([1, 1], [2, 1]));
    expect(step).toMatch(/input mask holds a number for each step, \[2, 3\], got \[2, 1\]/);
  });

  it('in predict', async () => {
    const network = createNetwork([layers.lstm({ units })], { input: { features }, engine: exact });
    await expect(predict(network, batch.inputs, { lengths: [1, 4] })).rejects.toMatchObject({ code: 'out-of-range' });
    await expect(predict(network, batch.inputs, { lengths: [1, 1.5] })).rejects.toThrow(/length of row 1 is 1.5/);
    await expect(predict(network, batch.inputs, { lengths: [1] })).rejects.toThrow(/\[2\], got \[1\]/);
    const plain = createNetwork([layers.dense({ units })], { input: { features, sequence: false }, engine: exact });
    await expect(predict(plain, tensor([1, 2], [1, 2]), { lengths: [1] })).rejects.toThrow(/for sequences/);
  });
});

/** The loss of a batch, summed up, and its gradient: what a step of learning rate 1 takes away. */
async function learn(
  engine: Engine,
  all: readonly Layer[],
  batch: Batch,
  reduction: 'sum' | 'mean' = 'sum',
): Promise<{ loss: number; gradient: number[] }> {
  const network = createNetwork(all, { input: { features }, engine, seed: 3 });
  const trainer = createTrainer(network, {
    loss: losses.meanSquaredError({ reduction }),
    updater: updaters.sgd({ learningRate: 1 }),
  });
  const read = () => network.stream.read(network.memory, 0, network.parameterCount, 'f32');
  const before = await read();
  const { loss } = await trainer.step(batch);
  const after = await read();
  trainer.dispose();
  network.dispose();
  return { loss, gradient: Array.from(before, (value, index) => value - after[index]!) };
}

/** Rows of those lengths, with `padding` behind them in inputs and targets. */
function padded(lengths: readonly number[], time: number, padding: number, seed: number, sequence: boolean): Batch {
  const rows = lengths.length;
  const numbers = (shape: readonly number[], purpose: number): Tensor => {
    const width = shape.at(-1)!;
    const drawn = normals(
      shape.reduce((product, extent) => product * extent, 1),
      { seed, purpose },
    );
    const data = drawn.map((value, index) => {
      const step = shape.length === 3 ? Math.floor(index / width) % time : 0;
      const row = Math.floor(index / (drawn.length / rows));
      return step < lengths[row]! ? value : padding;
    });
    return tensor(Float32Array.from(data), shape);
  };
  return {
    inputs: numbers([rows, time, features], 1),
    targets: numbers(sequence ? [rows, time, classes] : [rows, classes], 2),
    lengths: tensor(Int32Array.from(lengths), [rows]),
    continues: false,
  };
}

/** A row by itself, without its padding. */
function rowOf({ inputs, targets }: Batch, row: number, length: number, sequence: boolean): Batch {
  const cut = ({ data, shape }: Tensor, steps: number | undefined): Tensor => {
    const size = data.length / shape[0]!;
    const width = shape.at(-1)!;
    const own: NumericArray = data.slice(
      row * size,
      steps === undefined ? (row + 1) * size : row * size + steps * width,
    );
    return tensor(own, steps === undefined ? [1, ...shape.slice(1)] : [1, steps, width]);
  };
  return { inputs: cut(inputs, length), targets: cut(targets, sequence ? length : undefined), continues: false };
}
