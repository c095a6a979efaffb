/** What training promises. */
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import type { EpochRecord, StepRecord } from '../../src/training/listener.js';
import { createTrainer, type Trainer, type TrainerOptions } from '../../src/training/trainer.js';
import { batchesOf, echo } from './sequences.js';

const engine = createReferenceEngine({ precision: 'f32' });
const vocabulary = 4;
const language = (options: { dropout?: number; seed?: number } = {}): Network =>
  createNetwork(
    [
      layers.embedding({ vocabulary, units: 6 }),
      layers.gru({ units: 8, dropout: options.dropout ?? 0 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: options.seed ?? 1, engine },
  );
const loss = losses.softmaxCrossEntropy();
const trainerFor = (network: Network, options: Partial<TrainerOptions> = {}): Trainer =>
  createTrainer(network, { loss, updater: updaters.adam({ learningRate: 0.02 }), ...options });
const data = (count = 6, continues = false) => echo({ vocabulary, rows: 4, steps: 8, count, continues });

describe('fit', () => {
  it('learns', async () => {
    const network = language();
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
      const network = language({ dropout: 0.3 });
      await trainerFor(network, { clip: { globalNorm: 1 } }).fit(batchesOf(data()), { epochs: 2, inFlight });
      return network.readParameters();
    };
    const one = await train(1);
    expect(await train(4)).toEqual(one);
  });

  it('dropout draws other numbers at every step and none when evaluating', async () => {
    const network = language({ dropout: 0.5 });
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
    const history = await trainerFor(language()).fit(batchesOf([...data(2), ...partial, ...data(1)]));
    expect(history.steps).toBe(4);
  });

  it('the loss of a pass is the mean over its targets', async () => {
    const records: StepRecord[] = [];
    const batches = batchesOf([...data(2), ...echo({ vocabulary, rows: 2, steps: 5, count: 1 }, 7)]);
    const { epochs } = await trainerFor(language()).fit(batches, {
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
    const network = language();
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
      const network = language();
      const trainer = trainerFor(network);
      await trainer.fit(batchesOf([first]));
      await trainer.fit(batchesOf([first]));
      return network.readParameters();
    };
    expect(await train(continuing)).toEqual(await train(batch));
  });

  it('truncation trains as the same text cut into chunks that continue', async () => {
    const train = async (batches: readonly Batch[], truncation?: number) => {
      const network = language();
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
    expect((await trainerFor(language(), { truncation: 8 }).fit(batchesOf(whole))).steps).toBe(3);
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
    const network = language();
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
    const network = language();
    const validation = batchesOf(echo({ vocabulary, rows: 4, steps: 8, count: 1 }, 5));
    const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 30 }) });
    const { epochs } = await trainer.fit(batchesOf(data(2)), { epochs: 5, validation, keepBest: false });
    expect(await evaluate(network, validation, { loss })).toBe(epochs.at(-1)!.validationLoss);
  });
});

describe('ending', () => {
  it('a signal stops between steps, and the model is as after the last one', async () => {
    const controller = new AbortController();
    const network = language();
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
    const again = language();
    const trainer = trainerFor(again);
    const list = data();
    for (let step = 0; step < history.steps; step++) await trainer.step(list[step % 6]!);
    expect(await network.readParameters()).toEqual(await again.readParameters());
  });

  it('an aborted fit keeps its last weights, not the best ones', async () => {
    const controller = new AbortController();
    const network = language();
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
    const history = await trainerFor(language(), {
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
    const schedule = (progress: (typeof seen)[number]) => {
      seen.push({ ...progress });
      return 1;
    };
    await trainerFor(language(), { schedule }).fit(batchesOf(data(2)), { epochs: 2 });
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
    await trainerFor(language()).fit(batchesOf(data(2)), {
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
    const network = language();
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
  const at = (fraction: number, iteration = 1) => ({ fraction, iteration, epoch: 0 });

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
    await trainerFor(language(), { schedule }).fit(batchesOf(data(6)), {
      listeners: [{ onStep: ({ learningRate }) => rates.push(learningRate) }],
    });
    expect(rates).toEqual([0.005, 0.01, 0.015, 0.02, 0.02, 0.02]);
  });
});
