/** A training with every regularising layer, some of their rates scheduled: the same bits everywhere, and none of it afterwards. */
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { normals } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { type Rate, scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';

const { addon } = loadAddon();
const [batch, time, features] = [5, 7, 6];
const data = (purpose: number, width: number) =>
  tensor(Float32Array.from(normals(batch * time * width, { seed: 8, purpose })), [batch, time, width]);
const inputs = data(1, features);
const targets = data(2, 3);

const everyLayer = (rate: Rate) =>
  [
    layers.gaussianNoise({ deviation: rate }),
    layers.lstm({ units: 9, dropout: rate, dropConnect: 0.2, recurrentDropConnect: rate }),
    layers.spatialDropout({ rate }),
    layers.gru({ units: 8, dropConnect: rate }),
    layers.gaussianDropout({ rate }),
    layers.dense({ units: 8, activation: 'selu', kernelInitializer: 'lecunNormal', dropConnect: rate }),
    layers.alphaDropout({ rate }),
    layers.dropout({ rate: 0.1 }),
    layers.dense({ units: 3 }),
  ] as const;

async function train(engine: Engine, rate: Rate, steps = 8) {
  const model = sequential(everyLayer(rate), { seed: 6, engine, input: { features } });
  const trainer = createTrainer(model, {
    loss: losses.meanSquaredError(),
    updater: updaters.adam({ learningRate: 0.01 }),
  });
  const curve: number[] = [];
  for (let step = 0; step < steps; step++) {
    curve.push((await trainer.step({ inputs, targets, continues: false })).loss);
  }
  return { model, curve, parameters: await model.network.readParameters() };
}

const ramp = scheduled(0.3, schedules.ramp({ steps: 5 }));

describe('every regularising layer', () => {
  it.skipIf(!native)('trains to the same bits on any number of threads and every instruction set', async () => {
    const sets = addon!.machine().instructionSets;
    const trained = async (instructionSet: string, threads: number) => {
      const { curve, parameters } = await train(createNativeEngine({ addon: addon!, instructionSet, threads }), ramp);
      return { curve, parameters };
    };
    const first = await trained(sets[0]!, 1);
    expect(new Set(first.curve).size).toBe(first.curve.length);
    for (const set of sets) {
      for (const threads of [1, 2, 3]) expect(await trained(set, threads)).toEqual(first);
    }
  });

  it.skipIf(!native)('trains natively as the reference does', async () => {
    const steps = 4;
    const got = await train(native!, ramp, steps);
    const want = await train(createReferenceEngine({ precision: 'f64' }), ramp, steps);
    // Losses of some ten, of some thousand roundings of 2^-24 that partly cancel; a mask that differs would change a tenth.
    for (const [step, loss] of got.curve.entries()) {
      expect(Math.abs(loss / want.curve[step]! - 1), `step ${step}`).toBeLessThan(1000 * 2 ** -24);
    }
  });

  it('a rate that is scheduled to stay is the number it stays at', async () => {
    const engine = createReferenceEngine({ precision: 'f64' });
    const [got, want] = [await train(engine, scheduled(0.3, schedules.constant()), 3), await train(engine, 0.3, 3)];
    for (const [step, loss] of got.curve.entries()) expect(Math.abs(loss - want.curve[step]!)).toBeLessThan(1e-9);
  });

  it('predicts without noise, and the same each time', async () => {
    const { model, parameters } = await train(createReferenceEngine({ precision: 'f32' }), ramp, 2);
    const plain = sequential(everyLayer(0), { seed: 1, engine: model.network.engine, input: { features } });
    await plain.network.writeParameters(parameters);
    const got = await model.predict(inputs);
    expect(got).toEqual(await plain.predict(inputs));
    expect(got).toEqual(await model.predict(inputs));
  });
});
