/** How a fit ends, who hears of it, and what the learning rate is meanwhile. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { type Progress, schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { EpochRecord } from '../../src/training/listener.js';
import { data, engines, language, trainerFor, vocabulary } from './language.js';
import { batchesOf, echo } from './sequences.js';

for (const [name, available] of engines) describe.skipIf(!available)(`${name} engine`, () => claims(available!));

function claims(engine: Engine): void {
  describe('ending', () => {
    it('a signal stops between steps, and the model is as after the last one', async () => {
      const controller = new AbortController();
      const network = language(engine);
      const seen: number[] = [];
      const history = await trainerFor(network).fit(batchesOf(data()), {
        epochs: 50,
        signal: controller.signal,
        inFlight: 2,
        listeners: [
          {
            onStep: ({ step }) => {
              seen.push(step);
              if (step === 8) controller.abort();
            },
          },
        ],
      });
      expect(history.stopped).toBe('aborted');
      expect(history.steps).toBe(seen.length);
      expect(history.steps).toBeLessThan(12);
      expect(history.epochs.at(-1)).toMatchObject({ epoch: 2, complete: false });
      const again = language(engine);
      const trainer = trainerFor(again);
      const list = data();
      for (let step = 0; step < history.steps; step++) await trainer.step(list[step % 6]!);
      expect(await network.readParameters()).toEqual(await again.readParameters());
    });

    it('an aborted fit keeps its last weights, not the best ones', async () => {
      const controller = new AbortController();
      const network = language(engine);
      const validation = batchesOf(echo({ vocabulary, rows: 4, steps: 8, count: 1 }, 5));
      const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 30 }) });
      let last = new Float32Array();
      const history = await trainer.fit(batchesOf(data(2)), {
        epochs: 5,
        validation,
        signal: controller.signal,
        listeners: [
          {
            onEpoch: async ({ epoch }) => {
              if (epoch !== 4) return;
              controller.abort();
              last = new Float32Array(await network.readParameters());
            },
          },
        ],
      });
      expect(history.stopped).toBe('aborted');
      expect(history.best!.epoch).toBeLessThan(4);
      expect(await network.readParameters()).toEqual(last);
    });

    it('seconds end training, and the schedule spans them; validation does not count', async () => {
      let now = 0;
      const fractions: number[] = [];
      const validation = {
        ...batchesOf(data(1)),
        epoch: () => {
          now += 10_000;
          return data(1);
        },
      };
      const batches = {
        ...batchesOf(data()),
        epoch: function* () {
          for (const batch of data()) {
            yield batch;
            now += 100;
          }
        },
      };
      const history = await trainerFor(language(engine), {
        schedule: ({ fraction }) => {
          fractions.push(fraction);
          return 1;
        },
      }).fit(batches, { seconds: 1, validation, clock: () => now });
      expect(history.stopped).toBe('seconds');
      expect(history.steps).toBe(10);
      expect(fractions).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
      expect(history.epochs.map(({ complete }) => complete)).toEqual([true, false]);
      expect(history.epochs.map(({ seconds }) => seconds)).toEqual([10.6, 21]);
      expect(history.epochs[0]!.tokensPerSecond).toBeCloseTo((6 * 32) / 0.6, 6);
    });

    it('epochs divide the schedule among their batches', async () => {
      const seen: { iteration: number; epoch: number; fraction: number }[] = [];
      const schedule = ({ iteration, epoch, fraction }: Progress) => {
        seen.push({ iteration, epoch, fraction });
        return 1;
      };
      await trainerFor(language(engine), { schedule }).fit(batchesOf(data(2)), { epochs: 2 });
      expect(seen).toEqual([
        { iteration: 1, epoch: 0, fraction: 0 },
        { iteration: 2, epoch: 0, fraction: 0.25 },
        { iteration: 3, epoch: 1, fraction: 0.5 },
        { iteration: 4, epoch: 1, fraction: 0.75 },
      ]);
    });

    it('listeners hear everything in order, and fit waits for them', async () => {
      const heard: string[] = [];
      const tell = (what: string) => async () => {
        await new Promise((resolve) => setImmediate(resolve));
        heard.push(what);
      };
      await trainerFor(language(engine)).fit(batchesOf(data(2)), {
        epochs: 2,
        listeners: [
          {
            onStart: tell('start'),
            onStep: (record) => tell(`step ${record.step}`)(),
            onEpoch: (record: EpochRecord) => tell(`epoch ${record.epoch}`)(),
            onEnd: tell('end'),
          },
        ],
      });
      expect(heard).toEqual(['start', 'step 1', 'step 2', 'epoch 1', 'step 3', 'step 4', 'epoch 2', 'end']);
    });

    it('a failing listener fails the fit and frees the network', async () => {
      const network = language(engine);
      const trainer = trainerFor(network);
      const listeners = [
        {
          onStep: () => {
            throw new Error('listener');
          },
        },
      ];
      await expect(trainer.fit(batchesOf(data()), { listeners })).rejects.toThrow('listener');
      await trainer.fit(batchesOf(data(1)));
    });
  });

  describe('schedules', () => {
    const at = (fraction: number, iteration = 1) => ({ fraction, iteration, epoch: 0, losses: [] });

    it('cosine falls from 1 to its final value', () => {
      const schedule = schedules.cosine({ final: 0.1 });
      expect([0, 0.5, 1].map((fraction) => schedule(at(fraction)))).toEqual([1, 0.55, 0.1]);
    });

    it('warm-up rises linearly, times the schedule within', () => {
      const schedule = schedules.warmUp({ steps: 4, schedule: schedules.cosine() });
      expect(schedule(at(0, 1))).toBe(0.25);
      expect(schedule(at(0, 4))).toBe(1);
      expect(schedule(at(0.5, 100))).toBeCloseTo(0.5, 12);
      expect(schedules.constant()(at(0.7))).toBe(1);
    });

    it('the learning rate of each step is the updater’s times the schedule', async () => {
      const rates: number[] = [];
      const schedule = schedules.warmUp({ steps: 4 });
      await trainerFor(language(engine), { schedule }).fit(batchesOf(data(6)), {
        listeners: [{ onStep: ({ learningRate }) => rates.push(learningRate) }],
      });
      expect(rates).toEqual([0.005, 0.01, 0.015, 0.02, 0.02, 0.02]);
    });
  });
}
