/** Training says clearly what does not fit. */
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import { createTrainer } from '../../src/training/trainer.js';
import { batchesOf } from './sequences.js';

const engine = createReferenceEngine({ precision: 'f32' });
const ids = (shape: number[], fill = 1): Tensor =>
  tensor(new Int32Array(shape.reduce((a, b) => a * b)).fill(fill), shape);
const zeros = (shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);

const language = () =>
  createNetwork(
    [layers.embedding({ vocabulary: 5, units: 3 }), layers.lstm({ units: 3 }), layers.dense({ units: 5 })],
    {
      engine,
    },
  );
const regression = () =>
  createNetwork([layers.lstm({ units: 3 }), layers.lstm({ units: 3 }), layers.dense({ units: 1 })], {
    input: { features: 2 },
    engine,
  });
const train = (network: Network, batches: readonly Batch[], loss = losses.softmaxCrossEntropy(), options = {}) =>
  createTrainer(network, { loss, updater: updaters.adam({ learningRate: 0.01 }) }).fit(batchesOf(batches), options);

describe('shapes', () => {
  it.each([
    [
      'inputs of wrong type',
      zeros([2, 4, 5]),
      ids([2, 4]),
      /layer embedding \(number 1\) reads ids \[batch, time\] \(i32\), got inputs \[2, 4, 5\] \(f32\)/,
    ],
    ['inputs of right shape and wrong type', zeros([2, 4]), ids([2, 4]), /reads ids .* got inputs \[2, 4\] \(f32\)/],
    ['inputs without time', ids([8]), ids([8]), /reads ids \[batch, time\]/],
    [
      'targets of another length',
      ids([2, 4]),
      ids([2, 3]),
      /after layer dense takes targets \[2, 4\] ids \(i32\) or \[2, 4, 5\] \(f32\), got \[2, 3\] \(i32\)/,
    ],
    ['targets of another number of classes', ids([2, 4]), zeros([2, 4, 6]), /or \[2, 4, 5\] \(f32\), got \[2, 4, 6\]/],
  ] as const)('%s', async (_, inputs, targets, message) => {
    await expect(train(language(), [{ inputs, targets, continues: false }])).rejects.toThrow(message);
  });

  it('vectors of another size', async () => {
    const batch = { inputs: zeros([2, 4, 3]), targets: zeros([2, 4, 1]), continues: false };
    await expect(train(regression(), [batch], losses.meanSquaredError())).rejects.toThrow(
      /layer lstm_1 \(number 1\) reads vectors \[batch, time, 2\] \(f32\), got inputs \[2, 4, 3\]/,
    );
  });

  it('ids where the loss takes vectors', async () => {
    const batch = { inputs: zeros([2, 4, 2]), targets: ids([2, 4, 1]), continues: false };
    await expect(train(regression(), [batch], losses.meanSquaredError())).rejects.toThrow(
      /takes targets \[2, 4, 1\] \(f32\)/,
    );
  });

  it('a batch that continues one of other rows', async () => {
    const batch = (rows: number, continues: boolean) => ({
      inputs: ids([rows, 4]),
      targets: ids([rows, 4]),
      continues,
    });
    await expect(train(language(), [batch(2, false), batch(3, true)])).rejects.toThrow(
      /A batch of 3 rows continues one of 2 rows/,
    );
  });

  it.each([
    ['inputs', ids([2, 4], 5), ids([2, 4])],
    ['targets', ids([2, 4]), ids([2, 4], -1)],
  ])('ids outside the vocabulary in %s: which, and where', async (name, inputs, targets) => {
    const failing = train(language(), [{ inputs, targets, continues: false }]);
    await expect(failing).rejects.toMatchObject({ code: 'out-of-range' });
    await expect(failing).rejects.toThrow(
      new RegExp(`input '${name === 'inputs' ? 'input' : name}': id (5|-1) at \\[0, 0\\]`),
    );
  });
});

describe('data', () => {
  it.each([
    ['no batches', batchesOf([])],
    ['batches that turn out to be none', { length: 3, tokens: 12, epoch: () => [] }],
  ])('%s', async (_, batches) => {
    const trainer = createTrainer(language(), { loss: losses.softmaxCrossEntropy(), updater: updaters.sgd() });
    await expect(trainer.fit(batches)).rejects.toMatchObject({ code: 'insufficient-data' });
    await expect(evaluate(language(), batches, { loss: losses.softmaxCrossEntropy() })).rejects.toMatchObject({
      code: 'insufficient-data',
    });
  });
});

describe('things of the wrong kind', () => {
  const loss = losses.softmaxCrossEntropy();
  const trainer = () => createTrainer(language(), { loss, updater: updaters.sgd() });

  it('no model', () => {
    expect(() => createTrainer({} as never, { loss, updater: updaters.sgd() })).toThrow(
      'createTrainer: expected a model or a network, got Object.',
    );
  });

  it('no batches', async () => {
    await expect(trainer().fit([] as never)).rejects.toThrow(/fit: expected batches, .* got Array/);
    await expect(trainer().fit(batchesOf([]), { validation: [] as never })).rejects.toThrow(/fit: validation: .*Array/);
    await expect(evaluate(language(), 3 as never, { loss })).rejects.toThrow(
      /evaluate: expected batches, .* got number/,
    );
  });

  it('batches of no tensors', async () => {
    const batch = { inputs: [1, 2], targets: ids([1, 2]), continues: false } as never;
    await expect(trainer().fit(batchesOf([batch]))).rejects.toThrow(/its inputs are Array/);
    await expect(trainer().step(batch)).rejects.toThrow(/its inputs are Array/);
    await expect(evaluate(language(), batchesOf([batch]), { loss })).rejects.toThrow(/its inputs are Array/);
  });

  it('too large for any machine: refused before anything is allocated, with the size (8 bytes a number here)', async () => {
    const network = createNetwork([layers.lstm({ units: 2 ** 17 })], { input: { features: 1 }, engine });
    await expect(network.readParameters()).rejects.toMatchObject({ code: 'out-of-memory' });
    await expect(network.readParameters()).rejects.toThrow(/512\.\d GiB/);
  });
});

describe('one at a time', () => {
  it('a second fit of the same network is refused, the first goes on', async () => {
    const network = language();
    const batches = batchesOf([{ inputs: ids([2, 4]), targets: ids([2, 4]), continues: false }]);
    const make = () => createTrainer(network, { loss: losses.softmaxCrossEntropy(), updater: updaters.sgd() });
    const first = make().fit(batches, { epochs: 3 });
    await expect(make().fit(batches)).rejects.toMatchObject({ code: 'busy' });
    expect((await first).steps).toBe(3);
    await make().fit(batches);
  });

  it('options are checked', async () => {
    const network = language();
    const loss = losses.softmaxCrossEntropy();
    expect(() => createTrainer(network, { loss, updater: 'adam' as never })).toThrow(
      /option 'updater' must be an updater/,
    );
    const clip = (options: object) => () =>
      createTrainer(network, { loss, updater: updaters.sgd(), clip: options as never });
    expect(clip({ globalnorm: 1 })).toThrow(
      "createTrainer: clip: unknown option 'globalnorm'. Did you mean 'globalNorm'",
    );
    expect(clip({ globalNorm: 1, element: 1 })).toThrow("give one of 'element', 'globalNorm'");
    expect(clip({})).toThrow("give one of 'element', 'globalNorm'");
    expect(clip({ element: 0 })).toThrow("option 'element' must be a finite number above 0, got 0");
    await expect(train(language(), [], loss, { epoch: 3 })).rejects.toThrow(
      "unknown option 'epoch'. Did you mean 'epochs'",
    );
    expect(() => updaters.adam({ learningrate: 1 } as never)).toThrow("Did you mean 'learningRate'");
    expect(() => losses.meanSquaredError({ reduction: 'average' as never })).toThrow(/"mean" \| "sumOverTime"/);
  });

  it('fails with disposed after dispose', async () => {
    const network = language();
    network.dispose();
    await expect(train(network, [])).rejects.toMatchObject({ code: 'disposed' });
  });
});
