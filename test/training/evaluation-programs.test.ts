/** Evaluation keeps its programs, and never computes one loss with the program of another. */
import { expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import { loss as ownLoss } from '../../src/network/losses/elementwise.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { createNetwork } from '../../src/network/network.js';
import { evaluate } from '../../src/training/evaluate.js';
import { batchesOf } from './sequences.js';

/** A network that gives out its inputs, and how many programs its engine has loaded. */
function subject() {
  const inner = createReferenceEngine({ precision: 'f64' });
  let loaded = 0;
  const engine: Engine = {
    name: inner.name,
    instructionSet: inner.instructionSet,
    precision: inner.precision,
    defaultThreads: inner.defaultThreads,
    load: (program) => {
      loaded += 1;
      return inner.load(program);
    },
    allocate: (elements) => inner.allocate(elements),
    createStream: (options) => inner.createStream(options),
  };
  const network = createNetwork([layers.activation({ activation: 'identity' })], {
    input: { features: 2, sequence: false },
    engine,
  });
  const measure = (loss: Loss, targets: Tensor) =>
    evaluate(network, batchesOf([{ inputs: tensor([1, 5], [1, 2]), targets, continues: false }]), { loss });
  return { measure, loaded: () => loaded };
}
const zeros = tensor([0, 0], [1, 2]);

it('tells losses of one name apart by their options and formulas', async () => {
  const { measure } = subject();
  expect(await measure(losses.huber({ delta: 1 }), zeros)).toBeCloseTo((0.5 + 4.5) / 2, 12);
  expect(await measure(losses.huber({ delta: 2 }), zeros)).toBeCloseTo((0.5 + 8) / 2, 12);
  expect(
    await measure(
      ownLoss('huber', (x, t) => x.sub(t)),
      zeros,
    ),
  ).toBeCloseTo(3, 12);
  expect(
    await measure(
      ownLoss('huber', (x, t) => t.sub(x)),
      zeros,
    ),
  ).toBeCloseTo(-3, 12);
  const id = tensor(Int32Array.of(0), [1]);
  const plain = Math.log(1 + Math.exp(4));
  expect(await measure(losses.softmaxCrossEntropy({ reduction: 'sum' }), id)).toBeCloseTo(plain, 12);
  for (const weight of [2, 3]) {
    const weighed = losses.softmaxCrossEntropy({ reduction: 'sum', classWeights: [weight, 1] });
    expect(await measure(weighed, id)).toBeCloseTo(weight * plain, 12);
  }
  // An object of one's own is told apart by what it is.
  const scaled = (factor: number): Loss => {
    const { origin, ...inner } = ownLoss('mine', (x, t) => x.sub(t).mul(factor));
    return { ...inner, name: 'scaled' };
  };
  expect(await measure(scaled(1), zeros)).toBeCloseTo(3, 12);
  expect(await measure(scaled(2), zeros)).toBeCloseTo(6, 12);
});

it('a loss made anew with the same options needs no new program', async () => {
  const { measure, loaded } = subject();
  const formula = (x: Parameters<Parameters<typeof ownLoss>[1]>[0], t: typeof x) => x.sub(t).abs();
  const all = [() => losses.huber({ delta: 3 }), () => losses.cosine(), () => ownLoss('mine', formula)];
  for (const make of all) await measure(make(), zeros);
  expect(loaded()).toBe(3);
  for (const make of all) await measure(make(), zeros);
  expect(loaded()).toBe(3);
});
