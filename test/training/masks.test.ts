/** What a mask leaves out of the targets has no part in training and evaluation, whatever stands there. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { arrays } from '../../src/data/arrays.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import type { StepRecord } from '../../src/training/listener.js';
import { createTrainer } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';
import { batchesOf } from './sequences.js';

const engines: [string, Engine | undefined][] = [
  ['reference', createReferenceEngine({ precision: 'f32' })],
  ['native', native],
];
for (const [name, available] of engines) describe.skipIf(!available)(`${name} engine`, () => claims(available!));

const [rows, steps, vocabulary] = [3, 5, 4] as const;
const floats = (values: readonly number[], ...shape: number[]): Tensor => tensor(Float32Array.from(values), shape);

/** Rows of 5, 3 and 1 steps, padded. */
const mask = floats([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0], rows, steps);
const counts = (place: number) => mask.data[place] !== 0;
const ids = Int32Array.from({ length: rows * steps }, (_, index) => (index * index) % vocabulary);
const numbers = Array.from({ length: rows * steps * 2 }, (_, index) => Math.sin(index));

/** Sequences of ids, with `padding` as the targets that are masked. */
const words = (padding: number): Batch => ({
  inputs: tensor(ids, [rows, steps]),
  targets: tensor(
    ids.map((id, place) => (counts(place) ? (id + 1) % vocabulary : padding)),
    [rows, steps],
  ),
  mask,
  continues: false,
});
const curves = (padding: number): Batch => ({
  inputs: tensor(ids, [rows, steps]),
  targets: floats(
    numbers.map((x, place) => (counts(Math.floor(place / 2)) ? x : padding)),
    rows,
    steps,
    2,
  ),
  mask,
  continues: false,
});

function claims(engine: Engine): void {
  const network = (units: number) =>
    createNetwork([layers.embedding({ vocabulary, units: 3 }), layers.lstm({ units: 4 }), layers.dense({ units })], {
      engine,
      seed: 5,
    });
  const adam = () => updaters.adam({ learningRate: 0.01 });

  it.each([
    ['ids, -100 among them', () => network(vocabulary), losses.softmaxCrossEntropy(), words, [0, 3, -100, 2 ** 31 - 1]],
    [
      'ids of classes that weigh',
      () => network(vocabulary),
      losses.softmaxCrossEntropy({ classWeights: [1, 2, 3, 4], labelSmoothing: 0.1 }),
      words,
      [0, -1],
    ],
    ['ids of a likelihood', () => network(vocabulary), losses.negativeLogLikelihood(), words, [0, -1]],
    ['numbers, NaN among them', () => network(2), losses.meanSquaredError(), curves, [0, 1e30, Number.NaN]],
    ['directions, NaN among them', () => network(2), losses.cosine(), curves, [0, Number.NaN]],
  ] as [string, () => Network, Loss, (padding: number) => Batch, number[]][])(
    'training gives the same bits whatever is masked: %s',
    async (_, make, loss, batch, paddings) => {
      const trained = async (padding: number) => {
        const subject = make();
        const trainer = createTrainer(subject, { loss, updater: adam() });
        const history = await trainer.fit(batchesOf([batch(padding)]), { epochs: 3 });
        return {
          history: history.epochs.map(({ trainLoss }) => trainLoss),
          parameters: await subject.readParameters(),
        };
      };
      const [first, ...others] = await Promise.all(paddings.map(trained));
      for (const other of others) expect(other).toEqual(first);
      expect(first!.history.every(Number.isFinite)).toBe(true);
      expect(first!.history[2]).toBeLessThan(first!.history[0]!);
    },
  );

  it('a padded batch has the gradient of its sequences one by one, as the mask weighs them', async () => {
    const loss = losses.softmaxCrossEntropy({ reduction: 'sum' });
    const updater = updaters.sgd({ learningRate: 0.5 });
    const changes = async (batch: Batch) => {
      const subject = network(vocabulary);
      const before = await subject.readParameters();
      const { loss: value } = await createTrainer(subject, { loss, updater }).step(batch);
      return { value, change: (await subject.readParameters()).map((x, index) => x - before[index]!) };
    };
    const whole = await changes(words(-1));
    const parts = await Promise.all(
      [5, 3, 1].map((length, row) => {
        const cut = (data: Int32Array) => tensor(data.slice(row * steps, row * steps + length), [1, length]);
        const { inputs, targets } = words(-1);
        return changes({
          inputs: cut(inputs.data as Int32Array),
          targets: cut(targets.data as Int32Array),
          continues: false,
        });
      }),
    );
    const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((total, part) => total + of(part), 0);
    // Sums of some ten terms around 1, in single precision.
    expect(whole.value).toBeCloseTo(
      sum(({ value }) => value),
      5,
    );
    for (const [index, change] of whole.change.entries()) {
      expect(change).toBeCloseTo(
        sum((part) => part.change[index]!),
        5,
      );
    }
  });

  it('where everything is masked a step has the loss 0 and the gradient 0, and changes nothing', async () => {
    const subject = network(vocabulary);
    const trainer = createTrainer(subject, { loss: losses.softmaxCrossEntropy(), updater: updaters.sgd() });
    const before = await subject.readParameters();
    const nothing = { ...words(-1), mask: floats(new Array(15).fill(0), rows, steps) };
    const history = await trainer.fit(batchesOf([nothing]), { epochs: 2 });
    expect(history.epochs.map(({ trainLoss }) => trainLoss)).toEqual([0, 0]);
    expect(await trainer.step(nothing)).toMatchObject({ loss: 0, gradientNorm: 0 });
    expect(await subject.readParameters()).toEqual(before);
    // There is no mean over nothing.
    await expect(evaluate(subject, batchesOf([nothing]), { loss: losses.softmaxCrossEntropy() })).rejects.toMatchObject(
      {
        code: 'insufficient-data',
        message: 'evaluate: no target counts: the masks hold nothing but 0.',
      },
    );
  });

  it('the loss of several batches is the mean over all targets that count', async () => {
    const { inputs, targets } = words(0);
    const batches = (batch: number) => arrays({ inputs, targets, mask, batch });
    const classWeights = [1, 2, 3, 4];
    for (const loss of [losses.softmaxCrossEntropy(), losses.softmaxCrossEntropy({ classWeights })]) {
      const whole = await evaluate(network(vocabulary), batches(3), { loss });
      expect(await evaluate(network(vocabulary), batches(1), { loss })).toBeCloseTo(whole, 5);
      const subject = network(vocabulary);
      const still = createTrainer(subject, { loss, updater: updaters.sgd({ learningRate: 0 }) });
      const history = await still.fit(batches(2));
      expect(history.epochs[0]!.trainLoss).toBeCloseTo(whole, 5);
    }
  });

  it('pieces of a long sequence take their part of the mask along', async () => {
    const lossesOf = async (truncation?: number) => {
      const subject = network(vocabulary);
      const records: StepRecord[] = [];
      const trainer = createTrainer(subject, {
        loss: losses.softmaxCrossEntropy({ reduction: 'sum' }),
        updater: updaters.sgd({ learningRate: 0 }),
        ...(truncation ? { truncation } : {}),
      });
      await trainer.fit(batchesOf([words(-100)]), { listeners: [{ onStep: (record) => void records.push(record) }] });
      return records.map((record) => record.loss);
    };
    const [whole] = await lossesOf();
    const pieces = await lossesOf(2);
    expect(pieces).toHaveLength(3);
    expect(pieces.reduce((sum, piece) => sum + piece, 0)).toBeCloseTo(whole!, 5);
  });

  describe('what is not finite', () => {
    const spoilt = (name: 'inputs' | 'targets', place: number): Batch => {
      const batch: Batch = {
        inputs: floats(numbers, rows, steps, 2),
        targets: floats(numbers, rows, steps, 2),
        mask,
        continues: false,
      };
      batch[name].data[place] = Number.NaN;
      return batch;
    };
    const failing = (batch: Batch) => {
      const subject = createNetwork([layers.lstm({ units: 2 }), layers.dense({ units: 2 })], {
        input: { features: 2 },
        engine,
      });
      const loss = losses.meanSquaredError();
      const trained = createTrainer(subject, { loss, updater: adam() }).step(batch);
      return [trained, evaluate(subject, batchesOf([batch]), { loss })] as const;
    };

    it('is named among the targets that count', async () => {
      // Row 1, step 2 counts; row 1, step 3 does not.
      for (const run of failing(spoilt('targets', 15)))
        await expect(run).rejects.toThrow(/the data holds NaN: targets\[1, 2, 1\]/);
      for (const run of failing(spoilt('targets', 16))) await expect(run).resolves.toBeDefined();
    });

    it('is not looked for among the targets that do not count', async () => {
      const batch = spoilt('targets', 16);
      batch.targets.data[20] = Number.POSITIVE_INFINITY;
      for (const run of failing(batch))
        await expect(run).rejects.toThrow(/the data holds Infinity: targets\[2, 0, 0\]/);
    });

    it('is named among the inputs, which the mask of the targets says nothing of', async () => {
      const [trained] = failing(spoilt('inputs', 16));
      await expect(trained).rejects.toThrow(/the data holds NaN: inputs\[1, 3, 0\]/);
    });
  });
}

describe('masks that do not fit', () => {
  const engine = createReferenceEngine({ precision: 'f32' });
  const step = (batch: object) => {
    const subject = createNetwork([layers.embedding({ vocabulary, units: 2 }), layers.dense({ units: vocabulary })], {
      engine,
    });
    const trainer = createTrainer(subject, { loss: losses.softmaxCrossEntropy(), updater: updaters.sgd() });
    return trainer.step({ ...words(0), ...batch });
  };

  it('are refused with what is wrong', async () => {
    await expect(step({ mask: floats([1, 1, 1], 3) })).rejects.toMatchObject({
      code: 'invalid-shape',
      message: 'A batch: the mask holds a weight for each target, [3, 5], got [3].',
    });
    const weighing = (weight: number) => ({
      mask: tensor(
        mask.data.map((x, place) => (place === 7 ? weight : x)),
        [rows, steps],
      ),
    });
    await expect(step(weighing(-1))).rejects.toThrow(
      'weights in a mask are finite and at least 0, got -1 at element 7.',
    );
    await expect(step(weighing(Number.NaN))).rejects.toThrow('got NaN at element 7.');
    await expect(step(weighing(Number.POSITIVE_INFINITY))).rejects.toThrow('got Infinity at element 7.');
    await expect(step({ mask: tensor(new Int32Array(15), [rows, steps]) })).rejects.toThrow(/must be f32, got i32/);
    await expect(step({ mask: [1, 0] })).rejects.toThrow(/its mask is Array/);
  });

  it('an id outside the vocabulary is refused where it counts, with its place', async () => {
    const { targets } = words(-100);
    targets.data[1] = 7;
    await expect(step({ targets })).rejects.toThrow(/input 'targets': id 7 at \[0, 1\]/);
  });
});
