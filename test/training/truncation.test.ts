/** How far gradients flow back, from where states start, and how often the parameters are updated on the way. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { normals } from '../../src/compute/random.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { chunkCount, chunksOf } from '../../src/training/chunks.js';
import { evaluate } from '../../src/training/evaluate.js';
import { createTrainer, type TrainerOptions } from '../../src/training/trainer.js';
import { exact, native } from '../network/engines.js';
import { batchesOf } from './sequences.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
for (const [name, available] of engines) describe.skipIf(!available)(name, () => claims(available!));

const [rows, features, units] = [2, 2, 3] as const;

function batchOf(time: number, seed = 1): Batch {
  const numbers = (width: number, purpose: number): Tensor =>
    tensor(Float32Array.from(normals(rows * time * width, { seed, purpose })), [rows, time, width]);
  return { inputs: numbers(features, 1), targets: numbers(1, 2), continues: false };
}

const small = (engine: Engine): Network =>
  createNetwork([layers.lstm({ units }), layers.dense({ units: 1 })], { input: { features }, engine, seed: 9 });

function claims(engine: Engine): void {
  /** A few hundred roundings of numbers around 1. */
  const close = (got: ArrayLike<number>, want: ArrayLike<number>) => {
    expect(got.length).toBe(want.length);
    const allowed = engine.precision === 'f64' ? 1e-12 : 300 * 2 ** -24;
    for (let index = 0; index < want.length; index++) {
      expect(Math.abs(got[index]! - want[index]!), `number ${index}`).toBeLessThanOrEqual(allowed);
    }
  };

  /** The parameters before, and after each step. */
  async function trained(network: Network, batches: readonly Batch[], options: Partial<TrainerOptions>) {
    const trainer = createTrainer(network, {
      loss: losses.meanSquaredError({ reduction: 'sum' }),
      updater: updaters.sgd({ learningRate: 0.02 }),
      ...options,
    });
    const records: number[] = [];
    const { steps } = await trainer.fit(batchesOf(batches), {
      listeners: [{ onStep: ({ loss }) => void records.push(loss) }],
    });
    const parameters = await network.stream.read(network.memory, 0, network.parameterCount, 'f32');
    trainer.dispose();
    return { steps, parameters, losses: records };
  }

  it('a gradient that flows back over all steps before each update is that of the loss of the new steps', async () => {
    const network = small(engine);
    const batch = batchOf(5);
    const got = await trained(network, [batch], { truncation: { forward: 2, backward: 5 } });
    expect(got.steps).toBe(3);

    // The same by hand: all steps from the beginning, with the targets of the new ones.
    const again = small(engine);
    const trainer = createTrainer(again, {
      loss: losses.meanSquaredError({ reduction: 'sum' }),
      updater: updaters.sgd({ learningRate: 0.02 }),
    });
    const seen: number[] = [];
    for (const [from, to] of [
      [0, 2],
      [2, 4],
      [4, 5],
    ] as const) {
      const cut = ({ data, shape }: Tensor) => {
        const width = shape[2]!;
        const parts = [0, 1].flatMap((row) => [...data.subarray(row * 5 * width, (row * 5 + to) * width)]);
        return tensor(Float32Array.from(parts), [rows, to, width]);
      };
      const mask = tensor(
        Float32Array.from({ length: rows * to }, (_, place) => Number(place % to >= from)),
        [rows, to],
      );
      const { loss } = await trainer.step({
        inputs: cut(batch.inputs),
        targets: cut(batch.targets),
        mask,
        continues: false,
      });
      seen.push(loss);
    }
    close(got.losses, seen);
    close(got.parameters, await again.stream.read(again.memory, 0, again.parameterCount, 'f32'));
  });

  it('one that flows back over a piece and no further is truncation by one number', async () => {
    const both = await trained(small(engine), [batchOf(7)], { truncation: { forward: 3, backward: 3 } });
    const one = await trained(small(engine), [batchOf(7)], { truncation: 3 });
    expect([...both.parameters]).toEqual([...one.parameters]);
    expect(both.losses).toEqual(one.losses);
  });

  it('one that flows back over fewer steps than there are new ones leaves recurrent layers their last steps only', async () => {
    const batch = batchOf(6);
    const start = small(engine);
    const before = await start.stream.read(start.memory, 0, start.parameterCount, 'f32');
    const got = await trained(start, [batch], { truncation: { forward: 6, backward: 2 } });
    const full = await trained(small(engine), [batch], {});
    close(got.losses, full.losses);
    const changeOf = (parameters: ArrayLike<number>, name: string) => {
      const { offset, length } = start.parameterLayout.find((place) => place.name === name)!;
      return Array.from({ length }, (_, index) => parameters[offset + index]! - before[offset + index]!);
    };
    // What comes after the recurrent layer learns from all steps.
    close(changeOf(got.parameters, 'dense/kernel'), changeOf(full.parameters, 'dense/kernel'));
    expect(changeOf(got.parameters, 'lstm/kernel')).not.toEqual(changeOf(full.parameters, 'lstm/kernel'));

    // The recurrent layer learns as if the last two steps were a sequence that starts from the state before them.
    const later = small(engine);
    const pieces = [...chunksOf(batch, { forward: 4, backward: 4 })];
    await evaluate(later, batchesOf(pieces), { loss: losses.meanSquaredError() });
    const trainer = createTrainer(later, {
      loss: losses.meanSquaredError({ reduction: 'sum' }),
      updater: updaters.sgd({ learningRate: 0.02 }),
    });
    const silent = { ...pieces[0]!, mask: tensor(new Float32Array(rows * 4), [rows, 4]) };
    await trainer.step(silent);
    await trainer.step(pieces[1]!);
    const alone = await later.stream.read(later.memory, 0, later.parameterCount, 'f32');
    close(changeOf(got.parameters, 'lstm/kernel'), changeOf(alone, 'lstm/kernel'));
    close(changeOf(got.parameters, 'lstm/recurrentKernel'), changeOf(alone, 'lstm/recurrentKernel'));
  });

  it.each([
    [{ forward: 2, backward: 3 }, 7],
    [{ forward: 1, backward: 4 }, 5],
    [{ forward: 3, backward: 4 }, 8],
    [{ forward: 4, backward: 1 }, 9],
    [{ forward: 3, backward: 100 }, 7],
  ])('%o cuts %d steps so that each target counts once, and states are those of one pass', async (truncation, time) => {
    // At a learning rate this small nothing changes: so every piece must have the loss of its steps in one pass.
    const batches = [batchOf(time, 1), { ...batchOf(time, 2), continues: true }];
    const still = { updater: updaters.sgd({ learningRate: 1e-30 }) };
    const got = await trained(small(engine), batches, { truncation, ...still });
    const want = await trained(small(engine), batches, { truncation: truncation.forward, ...still });
    expect(got.steps).toBe(2 * chunkCount(batches[0]!, truncation));
    close(got.losses, want.losses);
  });

  it('rows that are reset start from zero, the others go on', async () => {
    const network = small(engine);
    const [first, second] = [batchOf(3, 1), batchOf(3, 2)];
    const loss = losses.meanSquaredError();
    const rowOf = ({ inputs, targets }: Batch, row: number, continues: boolean): Batch => {
      const cut = ({ data, shape }: Tensor) => {
        const size = data.length / rows;
        return tensor(data.slice(row * size, (row + 1) * size), [1, ...shape.slice(1)]);
      };
      return { inputs: cut(inputs), targets: cut(targets), continues };
    };
    const reset = tensor(Int32Array.of(0, 1), [rows]);
    const got = await evaluate(network, batchesOf([first, { ...second, continues: true, reset }]), { loss });
    const goesOn = await evaluate(network, batchesOf([rowOf(first, 0, false), rowOf(second, 0, true)]), { loss });
    const anew = await evaluate(network, batchesOf([rowOf(first, 1, false), rowOf(second, 1, false)]), { loss });
    close([got], [(goesOn + anew) / 2]);

    const learned = await trained(
      small(engine),
      [first, { ...second, continues: true, reset: tensor([1, 1], [rows]) }],
      {},
    );
    const separately = await trained(small(engine), [first, second], {});
    close(learned.parameters, separately.parameters);
  });

  it('refuses a reset that does not fit, and other steps forward than backward where a layer reads from the end', async () => {
    const network = small(engine);
    const trainer = createTrainer(network, {
      loss: losses.meanSquaredError(),
      updater: updaters.sgd({ learningRate: 1 }),
    });
    const step = (reset: Tensor) => trainer.step({ ...batchOf(3), continues: true, reset });
    await expect(step(tensor([1], [1]))).rejects.toThrow(/reset holds a number for each row, \[2\], got \[1\]/);
    await expect(step(tensor([0, 2], [2]))).rejects.toThrow(/reset is 0 or 1 everywhere, got 2 at element 1/);
    const both = createNetwork([layers.bidirectional(layers.lstm({ units }))], { input: { features }, engine });
    const made = () =>
      createTrainer(both, {
        loss: losses.meanSquaredError(),
        updater: updaters.adam(),
        truncation: { forward: 4, backward: 8 },
      });
    expect(made).toThrow(/layer bidirectional reads sequences from their ends: give one number/);
  });
}
