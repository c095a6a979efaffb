/** What weights must satisfy after every update, worked by hand. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { constraints } from '../../src/network/constraints.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { TrainerOptions } from '../../src/training/trainer.js';
import { exact } from '../network/engines.js';
import { engines, expectWeights } from './probe-engines.js';
import { probe, type Weights } from './weights-probe.js';

for (const [name, engine, digits] of engines)
  describe.skipIf(!engine)(`constraints, ${name}`, () => claims(engine!, digits));

function claims(engine: Engine, digits: number): void {
  /** Columns of the norms 5 and 0.5. */
  const start = [3, 0.3, 4, 0.4];

  async function stepped(
    option: TrainerOptions['constraints'],
    { weights = { first: { kernel: [2, 2] } }, values = start }: { weights?: Weights; values?: readonly number[] } = {},
  ): Promise<number[]> {
    const on = await probe(engine, weights, Float64Array.from(values), {
      updater: updaters.sgd({ learningRate: 1 }),
      constraints: option,
    });
    await on.step(new Float64Array(values.length));
    const result = [...(await on.parameters())];
    on.dispose();
    return result;
  }
  const close = (got: ArrayLike<number>, want: readonly number[]) => expectWeights(got, want, digits);
  const scaled = (columns: readonly number[]) => start.map((value, index) => value * columns[index % 2]!);
  const epsilon = 1e-7;

  it('maxNorm scales the weights into a unit where their norm is too large, and leaves others to the bit', async () => {
    const got = await stepped(constraints.maxNorm({ maximum: 2 }));
    close(got, scaled([2 / (5 + epsilon), 1]));
    const real = (value: number) => (engine.precision === 'f64' ? value : Math.fround(value));
    expect([got[1], got[3]]).toEqual([real(0.3), real(0.4)]);
  });

  it('minMaxNorm moves norms into the range, or part of the way', async () => {
    const range = { minimum: 1, maximum: 2 };
    close(await stepped(constraints.minMaxNorm(range)), scaled([2 / (5 + epsilon), 1 / (0.5 + epsilon)]));
    const half = await stepped(constraints.minMaxNorm({ ...range, rate: 0.5 }));
    close(half, scaled([3.5 / (5 + epsilon), 0.75 / (0.5 + epsilon)]));
  });

  it('unitNorm makes norms 1, and leaves zeros', async () => {
    close(await stepped(constraints.unitNorm()), scaled([1 / (5 + epsilon), 1 / (0.5 + epsilon)]));
    const got = await stepped(constraints.unitNorm(), { values: [3, 0, 4, 0] });
    close(got, [3 / (5 + epsilon), 0, 4 / (5 + epsilon), 0]);
    expect([got[1], got[3]]).toEqual([0, 0]);
  });

  it('nonNegative raises to zero what is below', async () =>
    expect(await stepped(constraints.nonNegative(), { values: [3, -0.25, -4, 0.5] })).toEqual([3, 0, 0, 0.5]));

  it('axis 1 takes the weights out of each input; an embedding table is constrained by vector', async () => {
    const norms = [Math.hypot(3, 0.3), Math.hypot(4, 0.4)];
    const byRow = start.map((value, index) => value / (norms[Math.floor(index / 2)]! + epsilon));
    close(await stepped(constraints.unitNorm({ axis: 1 })), byRow);
    close(await stepped(constraints.unitNorm(), { weights: { first: { embedding: [2, 2] } } }), byRow);
    const byColumn = await stepped(constraints.unitNorm({ axis: 0 }), { weights: { first: { embedding: [2, 2] } } });
    close(byColumn, scaled([1 / (5 + epsilon), 1 / (0.5 + epsilon)]));
  });

  it('biases are constrained only where they are named, as one group', async () => {
    const weights: Weights = { first: { bias: [4] } };
    expect(await stepped(constraints.nonNegative(), { weights, values: [1, -1, 2, -2] })).toEqual([1, -1, 2, -2]);
    const norm = Math.hypot(...start);
    close(
      await stepped({ bias: constraints.unitNorm() }, { weights }),
      start.map((value) => value / (norm + epsilon)),
    );
  });

  it('holds after the update and not before', async () => {
    const on = await probe(engine, { first: { kernel: [2, 1] } }, Float64Array.of(3, 4), {
      updater: updaters.sgd({ learningRate: 1 }),
      constraints: constraints.maxNorm({ maximum: 1 }),
    });
    await on.step(Float64Array.of(3, -4));
    close([...(await on.parameters())], [0, 8 / (8 + epsilon)]);
    on.dispose();
  });

  it('a step that is refused leaves weights that do not satisfy them as they are', async () => {
    const on = await probe(engine, { first: { kernel: [2, 2] } }, Float64Array.from(start), {
      updater: updaters.adam({ learningRate: 1 }),
      constraints: constraints.maxNorm({ maximum: 1 }),
    });
    const before = await on.parameters();
    await expect(on.step(Float64Array.of(1, Number.NaN, 1, 1))).rejects.toMatchObject({ code: 'not-finite' });
    expect(await on.parameters()).toEqual(before);
    expect(on.trainer.iteration).toBe(0);
    on.dispose();
  });

  it('weights whose norm overflows come back to what is finite', async () => {
    const huge = 1e30;
    const got = await stepped(constraints.minMaxNorm({ minimum: 0.5, rate: 0.5 }), { values: [huge, 1, -huge, 1] });
    expect(got.every((value) => Number.isFinite(value))).toBe(true);
    expect(Math.abs(got[0]!)).toBeLessThanOrEqual(huge);
  });
}

describe('options of constraints', () => {
  it('are checked', async () => {
    expect(() => constraints.maxNorm({ maximum: 0 })).toThrow(
      "constraints.maxNorm: option 'maximum' must be a finite number above 0 and at most 1e+30, got 0.",
    );
    expect(() => constraints.minMaxNorm({ rate: 2 })).toThrow(
      "option 'rate' must be a finite number above 0 and at most 1",
    );
    expect(() => constraints.maxNorm({ maximun: 1 } as object)).toThrow("Did you mean 'maximum'?");
    const option = { kernel: 'maxNorm' } as unknown as TrainerOptions['constraints'];
    const made = probe(exact, { first: { kernel: [1, 1] } }, Float64Array.of(1), {
      updater: updaters.sgd(),
      constraints: option,
    });
    await expect(made).rejects.toThrow(
      "createTrainer: constraints: option 'kernel' must be a constraint, as constraints.maxNorm() gives it",
    );
  });

  it('a range whose ends are the wrong way round is refused', () => {
    expect(() => constraints.minMaxNorm({ minimum: 2, maximum: 1 })).toThrow(
      "constraints.minMaxNorm: 'minimum' is 2, above 'maximum', which is 1.",
    );
  });
});
