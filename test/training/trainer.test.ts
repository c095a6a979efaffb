/** What a fit promises: learning, the same bits, sequences in pieces, validation. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { createNetwork } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import type { StepRecord } from '../../src/training/listener.js';
import { data, engines, language, loss, trainerFor, vocabulary } from './language.js';
import { batchesOf, echo } from './sequences.js';

for (const [name, available] of engines) describe.skipIf(!available)(`${name} engine`, () => claims(available!));

function claims(engine: Engine): void {
  describe('fit', () => {
    it('learns', async () => {
      const network = language(engine);
      const before = await evaluate(network, batchesOf(data()), { loss });
      const history = await trainerFor(network).fit(batchesOf(data()), { epochs: 20 });
      const after = await evaluate(network, batchesOf(data()), { loss });
      // Chance is log 4 = 1.39; remembering one id is easy.
      expect(before).toBeGreaterThan(1.2);
      expect(after).toBeLessThan(0.3);
      expect(history).toMatchObject({ stopped: 'epochs', steps: 120, best: undefined });
      expect(history.epochs).toHaveLength(20);
      expect(history.epochs.at(-1)).toMatchObject({ epoch: 20, step: 120, complete: true, validationLoss: undefined });
    });

    it('gives the same bits whatever the number of steps in flight, dropout included', async () => {
      const train = async (inFlight: number) => {
        const network = language(engine, { dropout: 0.3 });
        await trainerFor(network, { clip: { globalNorm: 1 } }).fit(batchesOf(data()), { epochs: 2, inFlight });
        return network.readParameters();
      };
      const one = await train(1);
      expect(await train(4)).toEqual(one);
    });

    it('dropout draws other numbers at every step and none when evaluating', async () => {
      const network = language(engine, { dropout: 0.5 });
      const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 0 }) });
      const [batch] = data() as [Batch];
      const first = await trainer.step(batch);
      const second = await trainer.step(batch);
      expect(first.loss).not.toBe(second.loss);
      const evaluated = await evaluate(network, batchesOf([batch]), { loss });
      expect(await evaluate(network, batchesOf([batch]), { loss })).toBe(evaluated);
    });

    it('a batch of other shape, such as a partial last one, is trained on too', async () => {
      const partial = echo({ vocabulary, rows: 2, steps: 5, count: 1 }, 7);
      const history = await trainerFor(language(engine)).fit(batchesOf([...data(2), ...partial, ...data(1)]));
      expect(history.steps).toBe(4);
    });

    it('the loss of a pass is the mean over its targets', async () => {
      const records: StepRecord[] = [];
      const batches = batchesOf([...data(2), ...echo({ vocabulary, rows: 2, steps: 5, count: 1 }, 7)]);
      const { epochs } = await trainerFor(language(engine)).fit(batches, {
        listeners: [{ onStep: (record) => records.push(record) }],
      });
      const targets = [32, 32, 10];
      const mean = records.reduce((sum, record, index) => sum + record.loss * targets[index]!, 0) / 74;
      expect(epochs[0]!.trainLoss).toBeCloseTo(mean, 12);
      expect(records.map(({ tokens }) => tokens)).toEqual([32, 64, 74]);
    });
  });

  describe('sequences', () => {
    it('a text in chunks with carried states has the loss of the text in one piece', async () => {
      const network = language(engine);
      const whole = echo({ vocabulary, rows: 3, steps: 24, count: 1 });
      const chunks = echo({ vocabulary, rows: 3, steps: 8, count: 3, continues: true });
      const apart = chunks.map((batch) => ({ ...batch, continues: false }));
      const inOne = await evaluate(network, batchesOf(whole), { loss });
      // Both are means of the same 72 losses, rounded to f32 once or three times.
      expect(await evaluate(network, batchesOf(chunks), { loss })).toBeCloseTo(inOne, 6);
      expect(Math.abs((await evaluate(network, batchesOf(apart), { loss })) - inOne)).toBeGreaterThan(1e-4);
    });

    it('a first batch that says it continues starts from zero, and so does every fit', async () => {
      const [batch] = echo({ vocabulary, rows: 3, steps: 8, count: 1 }) as [Batch];
      const continuing = { ...batch, continues: true };
      const train = async (first: Batch) => {
        const network = language(engine);
        const trainer = trainerFor(network);
        await trainer.fit(batchesOf([first]));
        await trainer.fit(batchesOf([first]));
        return network.readParameters();
      };
      expect(await train(continuing)).toEqual(await train(batch));
    });

    it('truncation trains as the same text cut into chunks that continue', async () => {
      const train = async (batches: readonly Batch[], truncation?: number) => {
        const network = language(engine);
        const trainer = trainerFor(network, truncation === undefined ? {} : { truncation });
        const history = await trainer.fit(batchesOf(batches), { epochs: 2 });
        return { parameters: await network.readParameters(), steps: history.steps };
      };
      const whole = echo({ vocabulary, rows: 3, steps: 24, count: 1 });
      const cut = await train(whole, 8);
      expect(cut).toEqual(await train(echo({ vocabulary, rows: 3, steps: 8, count: 3, continues: true })));
      expect(cut.steps).toBe(6);
      expect(cut.parameters).not.toEqual((await train(whole)).parameters);
    });

    it('truncation that does not divide the length ends with a shorter piece', async () => {
      const whole = echo({ vocabulary, rows: 3, steps: 20, count: 1 });
      expect((await trainerFor(language(engine), { truncation: 8 }).fit(batchesOf(whole))).steps).toBe(3);
    });

    it('truncation is refused where there is one target a sequence', () => {
      const network = createNetwork([layers.gru({ units: 3 }), layers.lastStep(), layers.dense({ units: 2 })], {
        input: { features: 1 },
        engine,
      });
      expect(() => trainerFor(network, { truncation: 5 })).toThrow(/'truncation' needs a target at every step.*dense/);
    });

    it('one class a sequence of vectors is learned', async () => {
      const network = createNetwork([layers.lstm({ units: 6 }), layers.lastStep(), layers.dense({ units: 2 })], {
        input: { features: 1 },
        engine,
        seed: 2,
      });
      // Class 1 rises, class 0 falls.
      const inputs = tensor([0, 0.5, 1, 1, 0.5, 0, 0.2, 0.4, 0.9, 0.8, 0.3, 0.1], [4, 3, 1]);
      const targets = tensor(Int32Array.of(1, 0, 1, 0), [4]);
      const batches = batchesOf([{ inputs, targets, continues: false }]);
      const { epochs } = await trainerFor(network).fit(batches, { epochs: 120 });
      expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.1);
      expect(epochs.at(-1)!.trainLoss).toBeCloseTo(await evaluate(network, batches, { loss }), 1);
    });
  });

  describe('validation', () => {
    it('runs after each pass and the weights of the best pass are kept', async () => {
      const network = language(engine);
      const validation = batchesOf(echo({ vocabulary, rows: 4, steps: 8, count: 1 }, 5));
      // A learning rate far too high: validation gets worse from pass to pass.
      const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 30 }) });
      const { epochs, best } = await trainer.fit(batchesOf(data(2)), { epochs: 5, validation });
      const lowest = Math.min(...epochs.map(({ validationLoss }) => validationLoss!));
      expect(best!.validationLoss).toBe(lowest);
      expect(epochs.at(-1)!.validationLoss).toBeGreaterThan(lowest);
      expect(await evaluate(network, validation, { loss })).toBe(lowest);
    });

    it('the last weights stay with keepBest: false', async () => {
      const network = language(engine);
      const validation = batchesOf(echo({ vocabulary, rows: 4, steps: 8, count: 1 }, 5));
      const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 30 }) });
      const { epochs } = await trainer.fit(batchesOf(data(2)), { epochs: 5, validation, keepBest: false });
      expect(await evaluate(network, validation, { loss })).toBe(epochs.at(-1)!.validationLoss);
    });
  });
}
