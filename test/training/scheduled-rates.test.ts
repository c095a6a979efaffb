/** Rates that change while training, in the real trainer. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer } from '../../src/training/trainer.js';
import { exact, native } from '../network/engines.js';
import { trajectory } from './gradient-probe.js';
import { data, language, trainerFor } from './language.js';
import { batchesOf } from './sequences.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

for (const [engineName, engine] of engines) {
  describe.skipIf(!engine)(engineName, () => {
    const digits = engine?.precision === 'f64' ? 14 : 6;
    const run = async (
      gradients: readonly number[],
      options: Parameters<typeof trajectory>[3],
      start = 0,
    ): Promise<number[]> => {
      const { parameters } = await trajectory(
        engine!,
        [start],
        gradients.map((gradient) => [gradient]),
        options,
      );
      return parameters.map(([parameter]) => parameter!);
    };
    const expectSteps = (got: readonly number[], want: readonly number[]) => {
      for (const [index, value] of want.entries()) expect(got[index], `step ${index + 1}`).toBeCloseTo(value, digits);
    };

    it('a momentum changes step by step', async () => {
      const momentum = scheduled(0.8, schedules.map({ factors: { 0: 0, 1: 0.5, 2: 1 } }));
      // Velocities: 0.1, 0.4·0.1 + 0.2, 0.8·0.24 - 0.1.
      const want = [-0.1, -0.34, -0.432];
      expectSteps(await run([1, 2, -1], { updater: updaters.sgd({ learningRate: 0.1, momentum }) }), want);
      expectSteps(await run([1, 2, -1], { updater: updaters.momentum({ learningRate: 0.1, momentum }) }), want);
    });

    it('a learning rate is inside the velocity, or outside of it', async () => {
      const learningRate = scheduled(0.1, schedules.step({ every: 1, factor: 0.5 }));
      const options = { learningRate, momentum: 0.5 };
      // Inside: velocities 0.1, 0.05 + 0.05. Outside: 1 and 1.5, times 0.1 and 0.05.
      expectSteps(await run([1, 1], { updater: updaters.sgd(options) }), [-0.1, -0.2]);
      const outside = updaters.sgd({ ...options, ratePlacement: 'outside' });
      expectSteps(await run([1, 1], { updater: outside }), [-0.1, -0.175]);
    });

    it('the schedule of the trainer and that of the learning rate multiply', async () => {
      const learningRate = scheduled(0.1, schedules.step({ every: 1, factor: 0.5 }));
      const schedule = schedules.ramp({ steps: 2, from: 1, to: 3 });
      expectSteps(await run([1, 1, 1], { updater: updaters.sgd({ learningRate }), schedule }), [-0.1, -0.2, -0.275]);
    });

    it('weight decay rises', async () => {
      const weightDecay = scheduled(1, schedules.ramp({ steps: 2 }));
      const updater = updaters.adamw({ learningRate: 0.1, weightDecay });
      // Without gradient nothing but the decay is left: of 0, 0.05 and 0.1.
      expectSteps(await run([0, 0, 0], { updater }, 1), [1, 0.95, 0.855]);
    });

    it('moments forget faster', async () => {
      const beta1 = scheduled(0.5, schedules.map({ factors: { 1: 0 } }));
      const updater = updaters.adam({ learningRate: 0.1, beta1, beta2: 0, epsilon: 1 });
      // m is the last gradient from the second step on; v is its square.
      expectSteps(await run([1, 3], { updater }), [-0.05, -0.05 - 0.075]);
    });

    it('a step whose rate is led out of its range is refused and changes nothing', async () => {
      const network = createNetwork([layers.dense({ units: 1 })], {
        input: { features: 1, sequence: false },
        engine: engine!,
      });
      const momentum = scheduled(0.6, ({ iteration }) => (iteration === 2 ? 2 : 1));
      const trainer = createTrainer(network, {
        loss: losses.meanSquaredError(),
        updater: updaters.sgd({ learningRate: 0.1, momentum }),
      });
      const numbers = { data: Float32Array.of(1), shape: [1, 1], dtype: 'f32' } as const;
      const step = () => trainer.step({ inputs: numbers, targets: numbers, continues: false });
      await step();
      const before = await network.readParameters();
      await expect(step()).rejects.toThrow(
        "The schedule of option 'momentum' of updaters.sgd leads to 1.2 at step 2, epoch 0: it must stay a finite number at least 0 and below 1.",
      );
      expect(await network.readParameters()).toEqual(before);
      expect(trainer.iteration).toBe(1);
    });

    it('a schedule of the trainer that gives no number is named', async () => {
      const updater = updaters.adam({ learningRate: 0.1 });
      await expect(run([1, 1], { updater, schedule: ({ iteration }) => 0 / (2 - iteration) })).rejects.toThrow(
        "updater 'adam' at step 2: scalar 'rate' is NaN: it must be a finite number.",
      );
    });

    it('a plateau of the loss lowers the rate of the epochs after it', async () => {
      const learningRate = scheduled(1e-30, schedules.plateau({ factor: 0.5, patience: 0 }));
      const rates: number[] = [];
      await trainerFor(language(engine!), { updater: updaters.sgd({ learningRate }) }).fit(batchesOf(data(2)), {
        epochs: 4,
        listeners: [{ onStep: (record) => rates.push(record.learningRate) }],
      });
      // Steps so small change nothing, so no epoch is better than the first.
      expect(rates).toEqual([1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25].map((factor) => factor * 1e-30));
    });
  });
}
