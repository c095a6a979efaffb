/** Averages of the weights. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { constraints } from '../../src/network/constraints.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { AveragingOptions } from '../../src/network/weight-averaging.js';
import { evaluate } from '../../src/training/evaluate.js';
import { exact } from '../network/engines.js';
import { data, engines, language, loss, trainerFor } from './language.js';
import { engines as exactEngines, expectWeights } from './probe-engines.js';
import { batchesOf } from './sequences.js';
import { probe } from './weights-probe.js';

for (const [name, engine, digits] of exactEngines)
  describe.skipIf(!engine)(`averages by hand, ${name}`, () => byHand(engine!, digits));

function byHand(engine: Engine, digits: number): void {
  const on = (average: AveragingOptions, more: object = {}) =>
    probe(engine, { first: { kernel: [1, 1] }, second: { kernel: [1, 1] } }, Float64Array.of(5, 0), {
      updater: updaters.sgd({ learningRate: 1 }),
      layers: { first: { trainable: false } },
      average,
      ...more,
    });
  /** The average after each of the updates whose weights are 1, 2, 4, 8. */
  const averages = async (average: AveragingOptions) => {
    const { step, trainer, dispose } = await on(average);
    const told = [];
    for (const change of [-1, -1, -2, -4]) {
      await step(Float64Array.of(1, change));
      told.push(
        await trainer.averagedParameters().then(
          ([, second]) => second,
          () => undefined,
        ),
      );
    }
    dispose();
    return told;
  };
  const expectAverages = async (options: AveragingOptions, want: readonly (number | undefined)[]) => {
    const got = await averages(options);
    for (const [index, value] of want.entries()) {
      if (value === undefined) expect(got[index], `after update ${index + 1}`).toBeUndefined();
      // They are handed out in single precision.
      else expect(got[index], `after update ${index + 1}`).toBeCloseTo(value, Math.min(digits, 6) - 1);
    }
  };

  it('exponential: weights count by their age alone', () =>
    expectAverages({ kind: 'exponential', decay: 0.5 }, [1, 5 / 3, (1 + 2 * 2 + 4 * 4) / 7, (1 + 4 + 16 + 64) / 15]));

  it("exponential from a copy, as Keras' use_ema and PyTorch's AveragedModel", () =>
    expectAverages({ kind: 'exponential', decay: 0.5, start: 'first' }, [1, 1.5, 2.75, 5.375]));

  it('stochastic: the mean of all', () => expectAverages({ kind: 'stochastic' }, [1, 1.5, 7 / 3, 15 / 4]));

  it('from an update on, and every so many', async () => {
    await expectAverages({ kind: 'stochastic', from: 2 }, [undefined, undefined, 4, 6]);
    await expectAverages({ kind: 'stochastic', every: 2 }, [undefined, 2, 2, 5]);
    await expectAverages({ kind: 'exponential', decay: 0.5, from: 1, every: 2 }, [undefined, undefined, 4, 4]);
  });

  it('of weights as their constraints leave them', async () => {
    const { step, trainer } = await on({ kind: 'stochastic' }, { constraints: constraints.nonNegative() });
    await step(Float64Array.of(0, -2));
    await step(Float64Array.of(0, 4));
    expectWeights(await trainer.averagedParameters(), [5, 1], digits);
  });

  it('before the first there is none, and without the option none at all', async () => {
    const { trainer } = await on({ kind: 'stochastic', from: 10, every: 5 });
    await expect(trainer.averagedParameters()).rejects.toMatchObject({
      code: 'insufficient-data',
      message: 'No weights were averaged in 0 updates: the first are those after update 15.',
    });
    const without = await probe(engine, { first: { kernel: [1, 1] } }, Float64Array.of(1), { updater: updaters.sgd() });
    for (const attempt of [
      () => without.trainer.averagedParameters(),
      () => without.trainer.adoptAverage(),
      () => without.trainer.withAverage(() => 0),
    ]) {
      await expect(attempt()).rejects.toThrow("give createTrainer the option average: { kind: 'exponential' }");
    }
    // None of the attempts stands in the way.
    await without.step(Float64Array.of(1));
  });

  it('a step that is refused is not averaged', async () => {
    const { step, trainer } = await on({ kind: 'stochastic' });
    await step(Float64Array.of(0, -1));
    await expect(step(Float64Array.of(0, Number.NaN))).rejects.toMatchObject({ code: 'not-finite' });
    await step(Float64Array.of(0, -2));
    expectWeights(await trainer.averagedParameters(), [5, 2], digits);
  });
}

for (const [name, engine] of engines)
  describe.skipIf(!engine)(`averages of a model, ${name} engine`, () => claims(engine!));

function claims(engine: Engine): void {
  const trained = async () => {
    const network = language(engine);
    const trainer = trainerFor(network, { average: { kind: 'exponential', decay: 0.9 } });
    await trainer.fit(batchesOf(data()), { epochs: 3 });
    return { network, trainer };
  };
  const validation = batchesOf(data(2));

  it('adoptAverage puts them into the network, where they stay', async () => {
    const { network, trainer } = await trained();
    const averages = await trainer.averagedParameters();
    expect(averages).not.toEqual(await network.readParameters());
    await trainer.adoptAverage();
    expect(await network.readParameters()).toEqual(averages);
  });

  it('withAverage gives what is done with them, and trains on with the others to the bit', async () => {
    const { network, trainer } = await trained();
    const twin = await trained();
    const before = await network.readParameters();
    const averages = await trainer.averagedParameters();
    const told = await trainer.withAverage(async () => {
      expect(await network.readParameters()).toEqual(averages);
      return evaluate(network, validation, { loss });
    });
    expect(await network.readParameters()).toEqual(before);
    const other = language(engine);
    await other.writeParameters(averages);
    expect(told).toBe(await evaluate(other, validation, { loss }));
    await trainer.fit(batchesOf(data()));
    await twin.trainer.fit(batchesOf(data()));
    expect(await network.readParameters()).toEqual(await twin.network.readParameters());
    expect(await trainer.averagedParameters()).toEqual(await twin.trainer.averagedParameters());
  });

  it('a listener may look at them, and the training does not notice', async () => {
    const run = async (look: boolean) => {
      const network = language(engine);
      const trainer = trainerFor(network, { average: { kind: 'stochastic' } });
      const losses: number[] = [];
      const evaluated = async () => {
        if (look) losses.push(await trainer.withAverage(() => evaluate(network, validation, { loss })));
      };
      await trainer.fit(batchesOf(data()), { epochs: 2, listeners: [{ onEpoch: evaluated, onStep: evaluated }] });
      return { losses, parameters: await network.readParameters() };
    };
    const looked = await run(true);
    expect(looked.losses).toHaveLength(14);
    expect(looked.parameters).toEqual((await run(false)).parameters);
  });

  it('no step runs meanwhile, nor another of its kind; what the action throws goes through', async () => {
    const { network, trainer } = await trained();
    const before = await network.readParameters();
    const attempt = trainer.withAverage(async () => {
      await expect(trainer.step(data(1)[0]!)).rejects.toMatchObject({ code: 'busy' });
      await expect(trainer.fit(batchesOf(data(1)))).rejects.toMatchObject({ code: 'busy' });
      await expect(trainer.withAverage(() => 0)).rejects.toThrow(
        'withAverage is still running on this trainer: wait until it has ended.',
      );
      throw new RangeError('mine');
    });
    await expect(attempt).rejects.toThrow(new RangeError('mine'));
    expect(await network.readParameters()).toEqual(before);
    await trainer.step(data(1)[0]!);
    expect(await network.readParameters()).not.toEqual(before);
  });

  it('a trainer that was disposed says so, and the network stays', async () => {
    const { network, trainer } = await trained();
    trainer.dispose();
    trainer.dispose();
    for (const attempt of [
      () => trainer.averagedParameters(),
      () => trainer.adoptAverage(),
      () => trainer.withAverage(() => 0),
      () => trainer.step(data(1)[0]!),
      () => trainer.fit(batchesOf(data(1))),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'disposed',
        message: 'This trainer was disposed: make a new one.',
      });
    }
    await trainerFor(network).step(data(1)[0]!);
  });

  it('adoptAverage is refused while a fit runs', async () => {
    const { trainer } = await trained();
    const fit = trainer.fit(batchesOf(data()));
    await expect(trainer.adoptAverage()).rejects.toMatchObject({ code: 'busy' });
    await fit;
  });
}

describe('options of averaging', () => {
  it('are checked', () => {
    const make = (average: object) => () => trainerFor(language(exact), { average: average as AveragingOptions });
    expect(make({ kind: 'ema' })).toThrow("createTrainer: average: option 'kind' must be");
    expect(make({})).toThrow("createTrainer: average: option 'kind' is missing.");
    expect(make({ kind: 'exponential', decay: 1 })).toThrow(
      "option 'decay' must be a finite number at least 0 and below 1",
    );
    expect(make({ kind: 'stochastic', decay: 0.9 })).toThrow("unknown option 'decay'. Did you mean");
    expect(make({ kind: 'stochastic', every: 0 })).toThrow(
      "option 'every' must be a whole number of at least 1, got 0.",
    );
  });
});
