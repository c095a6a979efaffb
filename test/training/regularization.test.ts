/** Penalties and decay, worked by hand. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { scheduled } from '../../src/network/rates.js';
import type { RegularizationOptions } from '../../src/network/regularization.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer, type TrainerOptions } from '../../src/training/trainer.js';
import { exact } from '../network/engines.js';
import { engines, expectWeights } from './probe-engines.js';
import { probe } from './weights-probe.js';

for (const [name, engine, digits] of engines)
  describe.skipIf(!engine)(`regularization, ${name}`, () => claims(engine!, digits));

function claims(engine: Engine, digits: number): void {
  const groups = { first: { kernel: [1, 1], recurrent: [1, 1], bias: [1], embedding: [1, 1] } };
  const start = Float32Array.of(2, -2, 2, 0);

  /** The weights of the four groups after one step of the rate 0.5 with the gradient 1. */
  async function stepped(options: Omit<TrainerOptions, 'loss' | 'updater'>, gradient = [1, 1, 1, 1]) {
    const on = await probe(engine, groups, start, { updater: updaters.sgd({ learningRate: 0.5 }), ...options });
    await on.step(Float64Array.from(gradient));
    const result = [...(await on.parameters())];
    on.dispose();
    return result;
  }
  const close = (got: ArrayLike<number>, want: readonly number[]) => expectWeights(got, want, digits);

  it('l2 draws each weight to zero by its size, biases left alone', async () =>
    close(await stepped({ regularization: { l2: 0.1 } }), [2 - 0.5 * 1.2, -2 - 0.5 * 0.8, 1.5, -0.5]));

  it('l1 draws each weight to zero alike, and not one that is zero', async () =>
    close(await stepped({ regularization: { l1: 0.1 } }), [2 - 0.5 * 1.1, -2 - 0.5 * 0.9, 1.5, -0.5]));

  it('decay is beside the gradient, times the learning rate', async () =>
    close(await stepped({ regularization: { decay: 0.1 } }), [2 - 0.5 - 0.1, -2 - 0.5 + 0.1, 1.5, -0.5]));

  it('decay does not go through the updater, l2 does', async () => {
    // Adagrad's first step is the learning rate whatever the gradient is.
    const updater = updaters.adagrad({ learningRate: 0.5, epsilon: 1e-30 });
    const after = async (regularization: RegularizationOptions) => {
      const on = await probe(engine, { first: { kernel: [1, 1] } }, Float32Array.of(2), { updater, regularization });
      await on.step(Float64Array.of(1));
      return [...(await on.parameters())];
    };
    close(await after({ l2: 0.1 }), [1.5]);
    close(await after({ decay: 0.1 }), [1.4]);
  });

  it('by group, and by layer where one differs', async () => {
    close(await stepped({ regularization: { l2: { bias: 0.1, recurrent: 0.2 } } }), [1.5, -2 - 0.5 * 0.6, 1.4, -0.5]);
    const layer = { first: { regularization: { l2: { kernel: 0 }, l1: { bias: 0.1 } } } };
    close(await stepped({ regularization: { l2: 0.1 }, layers: layer }), [1.5, -2 - 0.5 * 0.8, 1.45, -0.5]);
  });

  it('enters the gradient behind the clipping, or before it', async () => {
    const clip = { element: 1 };
    const late = await stepped({ clip, regularization: { l2: 0.5 } });
    close(late, [2 - 0.5 * 2, -2, 1.5, -0.5]);
    const early = await stepped({ clip, regularization: { l2: 0.5, placement: 'beforeClipping' } });
    close(early, [2 - 0.5 * 1, -2, 1.5, -0.5]);
  });

  it('follows a schedule', async () => {
    const half = (progress: { readonly iteration: number }) => 0.5 ** (progress.iteration - 1);
    const on = await probe(engine, { first: { kernel: [1, 1], bias: [1] } }, Float32Array.of(1, 1), {
      updater: updaters.sgd({ learningRate: 1 }),
      regularization: { decay: scheduled(0.5, half), l2: { kernel: 0.1, bias: scheduled(0.2, half) } },
    });
    await on.step(Float64Array.of(0, 0));
    close([...(await on.parameters())], [1 - 0.5 - 0.1, 1 - 0.2]);
    await on.step(Float64Array.of(0, 0));
    close([...(await on.parameters())], [0.4 - 0.4 * 0.25 - 0.4 * 0.1, 0.8 - 0.8 * 0.1]);
    on.dispose();
  });

  it('a schedule that leads below zero is refused, and nothing has changed', async () => {
    const on = await probe(engine, { first: { kernel: [1, 1] } }, Float32Array.of(1), {
      updater: updaters.sgd({ learningRate: 1 }),
      regularization: { l2: scheduled(0.5, () => -1) },
    });
    await expect(on.step(Float64Array.of(1))).rejects.toMatchObject({ code: 'out-of-range' });
    expect([...(await on.parameters())]).toEqual([1]);
    on.dispose();
  });

  it('the loss that is told is without the penalty', async () => {
    const on = await probe(engine, { first: { kernel: [1, 1] } }, Float32Array.of(3), {
      updater: updaters.sgd({ learningRate: 1 }),
      regularization: { l2: 10, placement: 'beforeClipping' },
    });
    expect(await on.step(Float64Array.of(2))).toMatchObject({ loss: 6, gradientNorm: 32 });
    on.dispose();
  });
}

describe('options of regularization', () => {
  const network = createNetwork([layers.lstm({ units: 2 }), layers.lstm({ units: 2 }), layers.dense({ units: 1 })], {
    input: { features: 2 },
    engine: exact,
  });
  const make = (options: object) => () =>
    createTrainer(network, { loss: losses.meanSquaredError(), updater: updaters.sgd(), ...options });

  it('what is misspelt is named with the nearest right name', () => {
    expect(make({ regularisation: {} })).toThrow("unknown option 'regularisation'. Did you mean 'regularization'?");
    expect(make({ regularization: { L2: 1 } })).toThrow(
      "createTrainer: regularization: unknown option 'L2'. Did you mean 'l2'?",
    );
    expect(make({ regularization: { l2: { recurent: 1 } } })).toThrow(
      "createTrainer: regularization: l2: unknown option 'recurent'. Did you mean 'recurrent'?",
    );
    expect(make({ layers: { lstm2: {} } })).toThrow(
      "createTrainer: layers: there is no layer 'lstm2'. Did you mean 'lstm_2'? Known: lstm_1, lstm_2, dense.",
    );
    expect(make({ layers: { dense: { learningrate: 1 } } })).toThrow(
      "createTrainer: layers: dense: unknown option 'learningrate'. Did you mean 'learningRate'?",
    );
    expect(make({ layers: { dense: { regularization: { placement: 'beforeClipping' } } } })).toThrow(
      "createTrainer: layers: dense: regularization: unknown option 'placement'.",
    );
  });

  it('what is out of its range is named with what was expected', () => {
    const expected = 'must be a finite number at least 0, or scheduled(such a number, a schedule), got';
    expect(make({ regularization: { l1: -1 } })).toThrow(`createTrainer: regularization: option 'l1' ${expected} -1.`);
    expect(make({ regularization: { l2: { bias: Number.NaN } } })).toThrow(
      `createTrainer: regularization: l2: option 'bias' ${expected} NaN.`,
    );
    expect(make({ regularization: { decay: 'much' } })).toThrow(`option 'decay' ${expected} "much".`);
    expect(make({ layers: { dense: { learningRate: -1 } } })).toThrow(
      `createTrainer: layers: dense: option 'learningRate' ${expected} -1.`,
    );
    expect(make({ regularization: { placement: 'before' } })).toThrow("option 'placement' must be");
  });
});
