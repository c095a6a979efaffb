/** Gradients of several batches for one update. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { exact, native } from '../network/engines.js';
import { data, engines, language, trainerFor, vocabulary } from './language.js';
import { engines as exactEngines, expectWeights } from './probe-engines.js';
import { batchesOf, echo } from './sequences.js';
import { probe } from './weights-probe.js';

for (const [name, engine, digits] of exactEngines)
  describe.skipIf(!engine)(`accumulation by hand, ${name}`, () => byHand(engine!, digits));

function byHand(engine: Engine, digits: number): void {
  const on = (accumulate: number, more: object = {}) =>
    probe(engine, { first: { kernel: [1, 2] } }, Float64Array.of(1, 1), {
      updater: updaters.sgd({ learningRate: 1 }),
      accumulate,
      ...more,
    });

  it('the parameters move once a group, by the mean of its gradients', async () => {
    const { step, parameters, trainer } = await on(3);
    const told = [];
    for (const [a, b] of [
      [1, 3],
      [2, 0],
      [6, 0],
    ] as const) {
      told.push(await step(Float64Array.of(a, b)));
      if (told.length < 3) expect([...(await parameters())]).toEqual([1, 1]);
    }
    expectWeights(await parameters(), [1 - 3, 1 - 1], digits);
    expect(told.map(({ updated }) => updated)).toEqual([false, false, true]);
    expect(told[0]!.gradientNorm).toBeCloseTo(Math.sqrt(10), digits - 1);
    expect(told[2]!.gradientNorm).toBeCloseTo(Math.sqrt(10), digits - 1);
    expect(trainer.iteration).toBe(1);
    // The next group begins anew.
    for (const gradient of [1, 1, 1]) await step(Float64Array.of(gradient, 0));
    expectWeights(await parameters(), [-3, 0], digits);
  });

  it('clips and penalizes the mean', async () => {
    const { step, parameters } = await on(2, { clip: { element: 1 }, regularization: { l2: 0.5 } });
    await step(Float64Array.of(4, 0));
    await step(Float64Array.of(-3, 0));
    expectWeights(await parameters(), [1 - 0.5 - 0.5, 1 - 0.5], digits);
  });

  it('schedules and the updater count updates', async () => {
    const seen: number[] = [];
    const schedule = schedules.inverse({ decay: 1 });
    const { step, parameters, trainer } = await on(2, {
      schedule: (progress: Parameters<typeof schedule>[0]) => {
        seen.push(progress.iteration);
        return schedule(progress);
      },
      updater: updaters.adam({ learningRate: 0.5, epsilon: 1e-30 }),
    });
    const rates = [];
    for (let batch = 0; batch < 4; batch++) rates.push((await step(Float64Array.of(1, 1))).learningRate);
    expect(new Set(seen.slice(0, 2))).toEqual(new Set([1]));
    expect(new Set(seen.slice(2))).toEqual(new Set([2]));
    expect(rates).toEqual([0.5, 0.5, 0.25, 0.25]);
    // Adam's steps with a gradient that does not change are the learning rate.
    expectWeights(await parameters(), [1 - 0.5 - 0.25, 1 - 0.5 - 0.25], digits - 1);
    expect(trainer.iteration).toBe(2);
  });

  it('a batch that is refused leaves what was gathered, and its place is taken by the next', async () => {
    const { step, parameters } = await on(2);
    await step(Float64Array.of(1, 1));
    await expect(step(Float64Array.of(Number.NaN, 1))).rejects.toThrow(/Step 2 was refused: the data holds NaN/);
    await step(Float64Array.of(3, 3));
    expectWeights(await parameters(), [-1, -1], digits);
  });
}

const rows = (batch: Batch, from: number, count: number): Batch => {
  const cut = ({ data, shape }: Batch['inputs']) => {
    const each = data.length / shape[0]!;
    return tensor(data.slice(from * each, (from + count) * each), [count, ...shape.slice(1)]);
  };
  return { inputs: cut(batch.inputs), targets: cut(batch.targets), continues: batch.continues };
};

describe('several small batches are one large one', () => {
  it.each([
    ['reference in double precision', exact, 2 ** -53],
    ['native', native, 2 ** -24],
  ] as const)('%s', async (_, engine, roundoff) => {
    if (!engine) return;
    const [large, next] = echo({ vocabulary, rows: 6, steps: 5, count: 2, continues: true });
    const updater = updaters.sgd({ learningRate: 0.5 });
    const whole = language(engine);
    const parts = language(engine);
    const start = await whole.readParameters();
    const one = trainerFor(whole, { updater });
    const few = trainerFor(parts, { updater, accumulate: 3 });
    const { gradientNorm } = await one.step(large!);
    for (let part = 0; part < 3; part++) await few.step(rows(large!, 2 * part, 2));
    const read = (of: typeof whole) => of.stream.read(of.memory, 0, of.parameterCount, 'f32');
    const [a, b] = await Promise.all([read(whole), read(parts)]);
    // A gradient is a sum over 30 rows of numbers that went through 5 steps of a dozen roundings of sums of up to 14
    // terms; no part of it is larger than the size of the whole times the square root of its parts.
    const bound = 0.5 * gradientNorm * 5 * (30 + 12 * 14) * roundoff;
    for (const [index, value] of a.entries()) {
      expect(Math.abs(value - b[index]!), `parameter ${index}`).toBeLessThanOrEqual(
        bound + 2 * roundoff * Math.abs(value),
      );
    }
    expect([...a].some((value, index) => Math.abs(value - start[index]!) > 100 * bound)).toBe(true);
    expect(next).toBeDefined();
  });
});

for (const [name, engine] of engines)
  describe.skipIf(!engine)(`accumulation in a fit, ${name} engine`, () => {
    const after = async (fits: readonly (readonly Batch[])[], inFlight = 3) => {
      const network = language(engine!, { dropout: 0.2 });
      const trainer = trainerFor(network, { accumulate: 4 });
      let steps = 0;
      for (const batches of fits) steps += (await trainer.fit(batchesOf(batches), { inFlight })).steps;
      const parameters = await network.readParameters();
      network.dispose();
      return { parameters, steps, iteration: trainer.iteration };
    };

    it('a group that the end of a fit interrupts goes on in the next one', async () => {
      const all = data(8);
      const whole = await after([all]);
      expect(whole).toMatchObject({ steps: 8, iteration: 2 });
      expect(await after([all.slice(0, 3), all.slice(3, 6), all.slice(6)])).toEqual(whole);
      const none = await after([all.slice(0, 3)]);
      expect(none.iteration).toBe(0);
      expect(none.parameters).toEqual(await language(engine!).readParameters());
    });

    it('listeners hear of every batch, and which of them updated the parameters', async () => {
      const heard: boolean[] = [];
      const trainer = trainerFor(language(engine!), { accumulate: 2 });
      await trainer.fit(batchesOf(data(5)), { listeners: [{ onStep: ({ updated }) => void heard.push(updated) }] });
      expect(heard).toEqual([false, true, false, true, false]);
    });

    it('states are carried from batch to batch, and steps in flight make no difference', async () => {
      const all = data(8, true);
      const alone = await after([all], 1);
      expect(await after([all], 4)).toEqual(alone);
      expect(alone.parameters).not.toEqual((await after([data(8)])).parameters);
    });
  });
