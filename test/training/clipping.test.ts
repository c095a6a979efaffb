/** Clipping of every kind, worked by hand. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { ClipOptions } from '../../src/network/clipping.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { TrainerOptions } from '../../src/training/trainer.js';
import { exact } from '../network/engines.js';
import { engines, expectWeights } from './probe-engines.js';
import { probe } from './weights-probe.js';

for (const [name, engine, digits] of engines)
  describe.skipIf(!engine)(`clipping, ${name}`, () => claims(engine!, digits));

/** Two layers: of norms 5 and 13, and of a parameter of norm 2 and one of 0. */
const weights = { first: { kernel: [1, 2], bias: [2] }, second: { kernel: [1, 1], bias: [1] } } as const;
const gradient = [3, -4, 0, 12, 2, 0];
const [layerNorm, wholeNorm] = [13, Math.sqrt(13 ** 2 + 4)];

function claims(engine: Engine, digits: number): void {
  /** The gradient that the weights, all 0, were moved by. */
  async function bounded(clip: ClipOptions, of = gradient, more: Partial<TrainerOptions> = {}) {
    const on = await probe(engine, weights, new Float64Array(6), {
      updater: updaters.sgd({ learningRate: 1 }),
      clip,
      ...more,
    });
    const { gradientNorm } = await on.step(Float64Array.from(of));
    const got = Array.from(await on.parameters(), (value) => -value);
    on.dispose();
    return { got, gradientNorm };
  }
  const expectBounded = async (clip: ClipOptions, want: readonly number[]) => {
    const { got, gradientNorm } = await bounded(clip);
    expectWeights(got, want, digits);
    expect(gradientNorm).toBeCloseTo(wholeNorm, digits - 1);
  };
  const times = (factors: readonly number[]) => gradient.map((value, index) => value * factors[index]!);
  const byLayer = (first: number, second: number) => times([first, first, first, first, second, second]);
  const byParameter = (a: number, b: number, c: number) => times([a, a, b, b, c, 1]);

  it('by element', () => expectBounded({ element: 3.5 }, [3, -3.5, 0, 3.5, 2, 0]));

  it('by the norm of everything', async () => {
    await expectBounded({ globalNorm: 1 }, byLayer(1 / wholeNorm, 1 / wholeNorm));
    await expectBounded({ globalNorm: 20 }, gradient);
    await expectBounded({ globalNorm: 1, epsilon: 0.5 }, byLayer(1 / (wholeNorm + 0.5), 1 / (wholeNorm + 0.5)));
  });

  it('by the norm of each layer: only the one that is too large is made smaller', () =>
    expectBounded({ layerNorm: 2.5 }, byLayer(2.5 / layerNorm, 1)));

  it('by the norm of each parameter', () => expectBounded({ parameterNorm: 6 }, byParameter(1, 0.5, 1)));

  it('by other norms', async () => {
    await expectBounded({ layerNorm: 2, order: 1 }, byLayer(2 / 19, 1));
    await expectBounded({ parameterNorm: 3, order: 'maximum' }, byParameter(0.75, 0.25, 1));
    await expectBounded({ globalNorm: 7, order: 1 }, byLayer(1 / 3, 1 / 3));
  });

  it('renormalised: every norm is 1, and what is zero stays', async () => {
    await expectBounded({ renormalize: 'layer' }, byLayer(1 / layerNorm, 0.5));
    await expectBounded({ renormalize: 'parameter' }, byParameter(1 / 5, 1 / 12, 0.5));
    const { got } = await bounded({ renormalize: 'layer' }, [0, 0, 0, 0, 0, 0]);
    expect(got.map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('a layer that is frozen has no part in a norm', async () => {
    const { got, gradientNorm } = await bounded({ globalNorm: 1 }, gradient, {
      layers: { first: { trainable: false } },
    });
    expect(gradientNorm).toBeCloseTo(2, digits);
    expectWeights(got, [0, 0, 0, 0, 1, 0], digits);
  });

  if (engine.precision === 'f32')
    it('a norm of a part that overflows refuses the step', async () => {
      for (const clip of [{ layerNorm: 1 }, { parameterNorm: 1 }, { renormalize: 'parameter' }] as const) {
        const huge = [1e20, 1e20, 0, 0, 0, 0];
        await expect(bounded(clip, huge), JSON.stringify(clip)).rejects.toMatchObject({ code: 'not-finite' });
      }
    });

  it('a step whose loss is not a number is refused, whatever the clipping', async () => {
    for (const clip of [{ element: 1 }, { layerNorm: 1 }, { renormalize: 'layer' }] as const) {
      const on = await probe(engine, weights, Float64Array.of(1, 1, 1, 1, 1, 1), { updater: updaters.sgd(), clip });
      await expect(on.step(Float64Array.of(0, Number.NaN, 0, 0, 0, 0))).rejects.toMatchObject({ code: 'not-finite' });
      expect([...(await on.parameters())]).toEqual([1, 1, 1, 1, 1, 1]);
      on.dispose();
    }
  });
}

describe('options of clipping', () => {
  const make = (clip: object) =>
    probe(exact, weights, new Float64Array(6), { updater: updaters.sgd(), clip: clip as ClipOptions });

  it('one kind at a time, spelt right and in its range', async () => {
    await expect(make({ layerNorm: 1, parameterNorm: 1 })).rejects.toThrow(
      "createTrainer: clip: give one of 'element', 'globalNorm', 'layerNorm', 'parameterNorm' and 'renormalize'.",
    );
    await expect(make({ layernorm: 1 })).rejects.toThrow("unknown option 'layernorm'. Did you mean 'layerNorm'?");
    await expect(make({ renormalize: 'all' })).rejects.toThrow("option 'renormalize' must be");
    await expect(make({ globalNorm: 1, order: 3 })).rejects.toThrow("option 'order' must be");
    await expect(make({ parameterNorm: -1 })).rejects.toThrow("option 'parameterNorm' must be a finite number above 0");
  });
});
