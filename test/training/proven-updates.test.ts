/** Updates of large networks are computed once where that is safe: nothing but the time shows it. */
import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { Updater } from '../../src/network/updaters/updater.js';
import { batchShape } from '../../src/training/batch-shape.js';
import { trainingRule } from '../../src/training/rule.js';
import { trainStep } from '../../src/training/train-step.js';
import { createTrainer } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';

const loss = losses.meanSquaredError();
const waves = (shape: [number, number], frequency: number, size = 1): Tensor =>
  tensor(
    Float32Array.from({ length: shape[0] * shape[1] }, (_, index) => size * Math.sin(frequency * index)),
    shape,
  );
/** 40,400 parameters: more than what proofs are made for. */
const large = (threads = 1): Network =>
  createNetwork([layers.dense({ units: 200, activation: 'tanh' }), layers.dense({ units: 2 })], {
    input: { features: 200, sequence: false },
    engine: native!,
    threads,
  });
const batch = (size = 1): Batch => ({
  inputs: waves([4, 200], 0.7, size),
  targets: waves([4, 2], 1.3),
  continues: false,
});
const bits = async (network: Network) => new Int32Array((await network.readParameters()).buffer);

describe.skipIf(!native)('proven updates', () => {
  const rules: Record<string, Updater> = {
    adam: updaters.adam({ learningRate: 0.01 }),
    nesterovs: updaters.nesterovs({ learningRate: 0.01 }),
    rmsprop: updaters.rmsprop({ learningRate: 0.001, centered: true, momentum: 0.9 }),
  };

  it('large networks have them, small ones and those with constraints do not', () => {
    const guardOf = (network: Network, options: object = {}) => {
      const rule = trainingRule(network, { loss, updater: rules.adam!, ...options });
      const shape = { ...batchShape(network, loss, batch()), initialStates: 'zero' as const };
      const guards = trainStep(network, rule, shape).instructions.filter(({ attributes }) => attributes.guard);
      return guards.map(({ words }) => words[0]);
    };
    expect(guardOf(large())).toEqual([2]);
    expect(guardOf(large(), { clip: { globalNorm: 1 }, gradientNoise: { variance: 0.1 } })).toEqual([2]);
    expect(guardOf(large(), { regularization: { l2: 1e-3 } })).toEqual([2]);
    expect(guardOf(large(), { average: { kind: 'exponential' } })).toEqual([1]);
    const small = createNetwork([layers.dense({ units: 2 })], { input: { features: 200, sequence: false } });
    expect(guardOf(small)).toEqual([1]);
  });

  for (const [name, updater] of Object.entries(rules)) {
    it(`${name}: the bits are those of updates that are computed twice`, async () => {
      const results = [];
      for (const [threads, looked] of [
        [1, false],
        [2, false],
        [1, true],
      ] as const) {
        const network = large(threads);
        const trainer = createTrainer(network, { loss, updater, clip: { globalNorm: 1 } });
        for (let count = 0; count < 5; count++) {
          // Whoever may have written makes the next update look for itself.
          if (looked) network.touch();
          await trainer.step(batch());
        }
        results.push(await bits(network));
      }
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    });
  }

  it('a gradient that overflows the update is refused behind updates that were proven, and training goes on', async () => {
    const network = large();
    const trainer = createTrainer(network, { loss, updater: rules.adam! });
    for (let count = 0; count < 3; count++) await trainer.step(batch());
    const before = await bits(network);
    // Its squares are beyond single precision.
    const tooLarge = { ...batch(), targets: waves([4, 2], 1.3, 1e30) };
    await expect(trainer.step(tooLarge)).rejects.toMatchObject({ code: 'not-finite' });
    expect(await bits(network)).toEqual(before);
    await trainer.step(batch());
    expect((await network.readParameters()).every(Number.isFinite)).toBe(true);
  });

  it('parameters that somebody else made large are seen', async () => {
    const network = large();
    const trainer = createTrainer(network, { loss, updater: updaters.sgd({ learningRate: 1 }) });
    for (let count = 0; count < 3; count++) await trainer.step(batch());
    const shape = [2];
    await network.setParameter('dense_2/bias', tensor(Float32Array.of(3e38, 0), shape));
    const before = await bits(network);
    await expect(trainer.step(batch())).rejects.toMatchObject({ code: 'not-finite' });
    expect(await bits(network)).toEqual(before);
  });

  it('two trainers of one network do not trust what the other has measured', async () => {
    const network = large();
    const first = createTrainer(network, { loss, updater: updaters.sgd({ learningRate: 0.01 }) });
    const second = createTrainer(network, { loss, updater: updaters.sgd({ learningRate: 3e37 }) });
    await first.step(batch());
    await second.step(batch()).catch(() => undefined);
    await first.step(batch()).catch(() => undefined);
    expect((await network.readParameters()).every(Number.isFinite)).toBe(true);
  });

  it('ordinary updates are proven: they do not look at a number that was written without a word, and do at one with', async () => {
    for (const announced of [false, true]) {
      const network = large();
      const regularization = { l2: 1e-3 };
      const trainer = createTrainer(network, { loss, updater: rules.adam!, regularization });
      // The first input is 0, so that its weights touch neither output nor gradient: only the penalty, whose square overflows.
      const blind = batch();
      for (let row = 0; row < 4; row++) blind.inputs.data[200 * row] = 0;
      for (let count = 0; count < 3; count++) await trainer.step(blind);
      await network.stream.write(network.memory, 0, Float32Array.of(3e38));
      if (announced) network.touch();
      const step = trainer.step(blind);
      if (announced) await expect(step).rejects.toMatchObject({ code: 'not-finite' });
      else await step;
    }
  });
});
