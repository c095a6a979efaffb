/** Counters past what 24, 31 and 32 bits hold, and at the end of what numbers count: a run of years goes on as it began. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { NumericArray } from '../../src/compute/tensor.js';
import { updaters } from '../../src/index.js';
import { trainingRule } from '../../src/training/rule.js';
import { Stepper } from '../../src/training/stepper.js';
import { data, engines, language, loss } from './language.js';

const position = { epoch: 0, fraction: 0, losses: [] };
const batches = data(5);

/** Five steps of a trainer that has done `many` before: what they gave, and what they left. */
async function fiveStepsAfter(engine: Engine, many: number, dropout = 0) {
  const network = language(engine, { dropout });
  const stepper = new Stepper(
    network,
    trainingRule(network, { loss, updater: updaters.sgd({ learningRate: 0.1 }) }),
    () => 1,
  );
  const given: Readonly<Record<string, NumericArray>> = {
    updater: Float32Array.of(many % 2 ** 24, 0),
    draws: Int32Array.of(many),
  };
  await stepper.restore({ iteration: many, rows: undefined, array: (name) => given[name]! });
  const results = await Promise.all(batches.map((batch) => stepper.submit(batch, position)));
  const { iteration, reads } = stepper.capture();
  const draws = (await reads.get('draws'))![0];
  const parameters = await network.readParameters();
  stepper.dispose();
  network.dispose();
  return { results, iteration, draws, parameters };
}

describe.each(engines)('on the %s engine', (_, engine) => {
  it.skipIf(!engine).each([2 ** 24 - 2, 2 ** 31 - 2, 2 ** 32 - 2, 2 ** 40, Number.MAX_SAFE_INTEGER - 5])(
    'the steps after %d others compute what the first ones do',
    async (many) => {
      const first = await fiveStepsAfter(engine!, 0);
      const late = await fiveStepsAfter(engine!, many);
      expect(late.results).toEqual(first.results);
      expect(late.parameters).toEqual(first.parameters);
      expect(late.iteration).toBe(many + 5);
      expect(late.draws).toBe((many + 5) | 0);
    },
  );

  it.skipIf(!engine)('dropout goes on drawing where its counter wraps, the same each time', async () => {
    const many = 2 ** 31 - 2;
    const late = await fiveStepsAfter(engine!, many, 0.5);
    expect(late.draws).toBe(-(2 ** 31) + 3);
    // Each step draws something else: losses that nothing but dropout tells apart from those without it.
    const without = await fiveStepsAfter(engine!, many);
    expect(late.results.every(({ loss: each }, index) => each !== without.results[index]!.loss)).toBe(true);
    expect(await fiveStepsAfter(engine!, many, 0.5)).toEqual(late);
  });

  it.skipIf(!engine)('a step past 2^53 is refused: its number would be that of the one before', async () => {
    await expect(fiveStepsAfter(engine!, Number.MAX_SAFE_INTEGER - 4)).rejects.toMatchObject({ code: 'out-of-range' });
  });
});
