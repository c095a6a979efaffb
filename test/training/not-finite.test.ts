/** A step that would write NaN or Infinity leaves everything as it was, and its cause is named. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import { createTrainer } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';
import { batchesOf } from './sequences.js';

const zeros = (shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);

const engines: [string, Engine | undefined][] = [
  ['reference', createReferenceEngine({ precision: 'f32' })],
  ['native', native],
];

for (const [name, available] of engines)
  describe.skipIf(!available)(`steps that are not finite, ${name} engine`, () => claims(available!));

function claims(engine: Engine): void {
  const regression = () =>
    createNetwork([layers.lstm({ units: 3 }), layers.lstm({ units: 3 }), layers.dense({ units: 1 })], {
      input: { features: 2 },
      engine,
    });
  const good = (): Batch => ({
    inputs: tensor(
      Float32Array.from({ length: 12 }, (_, index) => Math.sin(index)),
      [2, 3, 2],
    ),
    targets: tensor(
      Float32Array.from({ length: 6 }, (_, index) => Math.cos(index)),
      [2, 3, 1],
    ),
    continues: false,
  });
  const loss = losses.meanSquaredError();

  /** Trains on good batches around one that is spoilt, and expects the message and nothing changed by or after it. */
  async function refuses(spoil: (batch: Batch, network: Network) => void | Promise<void>, message: RegExp) {
    const network = regression();
    const bad = good();
    await spoil(bad, network);
    const trainer = createTrainer(network, { loss, updater: updaters.adam({ learningRate: 0.01 }) });
    const failing = trainer.fit(batchesOf([good(), good(), bad, good(), good()]), { inFlight: 4 });
    await expect(failing).rejects.toMatchObject({ code: 'not-finite' });
    await expect(failing).rejects.toThrow(message);
    return { network, trainer };
  }

  it('NaN in the inputs is named with its place, and the model is as after the step before', async () => {
    const { network, trainer } = await refuses(({ inputs }) => {
      inputs.data[7] = Number.NaN;
    }, /Step 3 was refused: the data holds NaN: inputs\[1, 0, 1\].*as it was after step 2/);
    const again = regression();
    const twin = createTrainer(again, { loss, updater: updaters.adam({ learningRate: 0.01 }) });
    await twin.step(good());
    await twin.step(good());
    expect(await network.readParameters()).toEqual(await again.readParameters());
    expect(trainer.iteration).toBe(2);
    // Both go on in step: the updater's states are as they were too.
    await trainer.step(good());
    await twin.step(good());
    expect(await network.readParameters()).toEqual(await again.readParameters());
  });

  it('Infinity in the targets', () =>
    refuses(({ targets }) => {
      targets.data[2] = Number.POSITIVE_INFINITY;
    }, /the data holds Infinity: targets\[0, 2, 0\]/));

  it('a loss that overflows', () =>
    refuses(({ targets }) => {
      targets.data.fill(1e30);
    }, /the loss, meanSquaredError, is the first value on the way that is not finite/));

  /** One weight, 0, with the gradient -2·target. */
  const pulledTo = (target: number) => {
    const network = createNetwork([layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros' })], {
      input: { features: 1, sequence: false },
      engine,
    });
    const trainer = createTrainer(network, { loss, updater: updaters.sgd({ learningRate: 1e-30 }) });
    return trainer.step({ inputs: tensor([1], [1, 1]), targets: tensor([target], [1, 1]), continues: false });
  };

  it('a loss that overflows, though the update would be finite', async () => {
    await expect(pulledTo(1e25)).rejects.toThrow(/the loss, meanSquaredError, is the first value on the way/);
    await pulledTo(1e18);
  });

  it('a gradient whose norm overflows cannot be clipped by it', async () => {
    const parts = [
      layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros' }),
      layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros' }),
    ];
    const network = createNetwork(parts, { input: { features: 1, sequence: false }, engine });
    // The first gradient is 2·(0 - 1e-5)·1e25 = -2e20: its square is too large, its loss is tiny.
    await network.writeParameters(Float32Array.of(0, 1e25));
    const batch = { inputs: tensor([1], [1, 1]), targets: tensor([1e-5], [1, 1]), continues: false };
    const updater = updaters.sgd({ learningRate: 1e-30 });
    const byNorm = createTrainer(network, { loss, updater, clip: { globalNorm: 1 } });
    await expect(byNorm.step(batch)).rejects.toMatchObject({ code: 'not-finite' });
    await createTrainer(network, { loss, updater, clip: { element: 1 } }).step(batch);
  });

  it('steps queued behind a refused one say so', async () => {
    const network = regression();
    const trainer = createTrainer(network, { loss, updater: updaters.sgd() });
    const bad = good();
    bad.inputs.data[0] = Number.NaN;
    const [first, second] = await Promise.allSettled([trainer.step(bad), trainer.step(good())]);
    expect(first).toMatchObject({ reason: { message: expect.stringContaining('inputs[0, 0, 0]') } });
    expect(second).toMatchObject({ reason: { code: 'aborted' } });
    await trainer.step(good());
  });

  it('the layer whose output is first not finite', async () => {
    const network = createNetwork(
      [layers.dense({ units: 2 }), layers.simpleRnn({ units: 2, activation: 'identity' }), layers.dense({ units: 1 })],
      { input: { features: 2 }, engine },
    );
    await network.setParameter('simpleRnn/recurrentKernel', tensor([1e30, 0, 0, 1e30], [2, 2]));
    await network.setParameter('dense_1/bias', tensor([1, 1]));
    const trainer = createTrainer(network, { loss, updater: updaters.sgd() });
    const before = await network.readParameters();
    await expect(trainer.step(good())).rejects.toThrow(/the output of layer simpleRnn is the first value/);
    expect(await network.readParameters()).toEqual(before);
  });

  it('the gradient that is first not finite', async () => {
    const network = createNetwork([layers.dense({ units: 1 }), layers.dense({ units: 1 })], {
      input: { features: 1, sequence: false },
      engine,
    });
    await network.writeParameters(Float32Array.of(0, 0, 1e25, 1e18));
    const trainer = createTrainer(network, { loss, updater: updaters.sgd() });
    const batch = { inputs: zeros([1, 1]), targets: zeros([1, 1]), continues: false };
    await expect(trainer.step(batch)).rejects.toThrow(/the gradient of dense_1\/bias is the first value/);
  });

  it('parameters that would overflow', async () => {
    const network = createNetwork([layers.dense({ units: 1 })], { input: { features: 1, sequence: false }, engine });
    const trainer = createTrainer(network, { loss, updater: updaters.sgd({ learningRate: 1e38 }) });
    const batch = { inputs: tensor([1], [1, 1]), targets: tensor([1e3], [1, 1]), continues: false };
    await expect(trainer.step(batch)).rejects.toThrow(
      /the parameters or the updater would have become NaN or Infinity/,
    );
  });

  it('a validation loss', async () => {
    const bad = good();
    bad.inputs.data[0] = Number.NaN;
    await expect(evaluate(regression(), batchesOf([good(), bad]), { loss })).rejects.toThrow(
      /the loss of batch 2 is NaN: the data holds NaN: inputs\[0, 0, 0\]/,
    );
  });
}
