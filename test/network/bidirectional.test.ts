/** Layers that read sequences from both ends; what they compute is held to PyTorch and Keras in `pytorch-layers` and `keras-layers`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { normals } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { loadModel, sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { losses } from '../../src/network/losses/index.js';
import { scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer } from '../../src/training/trainer.js';
import { exact, native } from './engines.js';

const { bidirectional, lstm, gru, simpleRnn, dense, lastStep } = layers;
const x = tensor(normals(2 * 5 * 3, { seed: 1, purpose: 0 }), [2, 5, 3]);
const modelOf = (list: readonly Layer[], engine = exact) =>
  sequential(list, { input: { features: 3 }, engine, seed: 4 });

describe('bidirectional', () => {
  it('has parameters of its own for each direction, and tells the width of what comes out', () => {
    const model = modelOf([bidirectional(lstm({ units: 4 })), bidirectional(gru({ units: 2 }), { merge: 'sum' })]);
    expect(model.network.parameterLayout.map(({ name, shape }) => `${name} ${shape}`)).toEqual([
      'bidirectional_1/forward/kernel 3,16',
      'bidirectional_1/forward/recurrentKernel 4,16',
      'bidirectional_1/forward/bias 16',
      'bidirectional_1/backward/kernel 3,16',
      'bidirectional_1/backward/recurrentKernel 4,16',
      'bidirectional_1/backward/bias 16',
      'bidirectional_2/forward/kernel 8,6',
      'bidirectional_2/forward/recurrentKernel 2,6',
      'bidirectional_2/forward/bias 6',
      'bidirectional_2/forward/recurrentBias 6',
      'bidirectional_2/backward/kernel 8,6',
      'bidirectional_2/backward/recurrentKernel 2,6',
      'bidirectional_2/backward/bias 6',
      'bidirectional_2/backward/recurrentBias 6',
    ]);
    expect(model.network.signals.map((signal) => signal.kind === 'vectors' && signal.features)).toEqual([3, 8, 2]);
  });

  it('followed by the last step gives the final states of both, not what the backward layer knew of the last step', async () => {
    const both = modelOf([bidirectional(lstm({ units: 2 })), lastStep()]);
    const whole = modelOf([bidirectional(lstm({ units: 2 }))]);
    const { data: last } = await both.predict(x);
    const { data: all } = await whole.predict(x);
    for (const row of [0, 1]) {
      const step = (t: number) => [...all.subarray((row * 5 + t) * 4, (row * 5 + t + 1) * 4)];
      expect([...last.subarray(row * 4, row * 4 + 4)]).toEqual([...step(4).slice(0, 2), ...step(0).slice(2)]);
    }
  });

  it.skipIf(!native)('trains on both engines to the same loss', async () => {
    const trained = async (engine: typeof exact) => {
      const list = [
        bidirectional(lstm({ units: 4, dropout: scheduled(0.2, schedules.constant()) })),
        bidirectional(gru({ units: 3 }), { merge: 'multiply', backward: simpleRnn({ units: 3 }) }),
        dense({ units: 1 }),
      ];
      const model = modelOf(list, engine);
      const trainer = createTrainer(model, {
        loss: losses.meanSquaredError(),
        updater: updaters.adam({ learningRate: 0.05 }),
        truncation: 3,
      });
      const targets = tensor(
        Float32Array.from({ length: 10 }, (_, index) => Math.sin(index)),
        [2, 5, 1],
      );
      const batch = { inputs: tensor(Float32Array.from(x.data), x.shape), targets, continues: false };
      const data = { length: 1, tokens: 10, epoch: () => [batch] };
      const { epochs } = await trainer.fit(data, { epochs: 20 });
      return epochs.map(({ trainLoss }) => trainLoss);
    };
    const [want, got] = [await trained(exact), await trained(native!)];
    expect(want.at(-1)!).toBeLessThan(want[0]! / 2);
    // Forty steps, each of which rounds a number some hundred times.
    for (const [epoch, loss] of got.entries()) expect(Math.abs(loss - want[epoch]!)).toBeLessThan(40 * 100 * 2 ** -24);
  });

  it('comes back from a model file, with its layers', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'mneme-bidirectional-')), 'model');
    const list = [
      bidirectional(lstm({ units: 2, activation: 'relu' }), { merge: 'average', backward: gru({ units: 2 }) }),
      bidirectional(simpleRnn({ units: 2 })),
    ];
    const model = modelOf(list);
    await model.save(directory);
    const again = await loadModel(directory, { engine: exact });
    expect(await again.predict(x)).toEqual(await model.predict(x));

    const path = join(directory, 'model.json');
    const description = JSON.parse(readFileSync(path, 'utf8'));
    expect(description.layers[0].options.layer).toMatchObject({ kind: 'lstm', options: { units: 2 } });
    const refused = async (change: (layer: { options: Record<string, unknown> }) => void) => {
      const changed = structuredClone(description);
      change(changed.layers[0]);
      writeFileSync(path, JSON.stringify(changed));
      return loadModel(directory, { engine: exact });
    };
    await expect(refused(({ options }) => (options.layer = { kind: 'lstn', options: {} }))).rejects.toThrow(
      /layer 1: layer is of the unknown kind 'lstn'. Did you mean 'lstm'/,
    );
    await expect(refused(({ options }) => delete options.layer)).rejects.toMatchObject({ code: 'file-invalid' });
    const deep = (depth: number): object =>
      depth === 0
        ? { kind: 'lstm', options: { units: 2 } }
        : { kind: 'bidirectional', options: { layer: deep(depth - 1) } };
    await expect(refused(({ options }) => (options.layer = deep(200)))).rejects.toThrow(/around each other/);
    rmSync(directory, { recursive: true });
  });

  it('refuses what cannot be, and says why', () => {
    expect(() => bidirectional(dense({ units: 2 }))).toThrow(/around a recurrent layer of one direction.*layers.dense/);
    expect(() => bidirectional(bidirectional(lstm({ units: 2 })))).toThrow(/of one direction/);
    expect(() => bidirectional(lstm({ units: 2 }), { backward: lastStep() })).toThrow(/around a recurrent layer/);
    expect(() => bidirectional({ units: 2 } as never)).toThrow(/layers.bidirectional: expected a layer/);
    expect(() => bidirectional(lstm({ units: 2 }), { merge: 'mul' as never })).toThrow(/option 'merge'/);
    expect(() => modelOf([bidirectional(lstm({ units: 2 }), { merge: 'sum', backward: gru({ units: 3 }) })])).toThrow(
      /layer bidirectional \(number 1\): merge 'sum' needs as many features/,
    );
    expect(() => modelOf([bidirectional(lstm({ units: 2 }))]).session()).toThrow(
      /session: layer bidirectional reads sequences from their ends.*use predict/,
    );
  });
});
