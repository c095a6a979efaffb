/** The gradient of every loss is that of what it computes, and the losses are what their formulas say. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { type Loss, reductions } from '../../src/network/losses/loss.js';
import { exact } from '../network/engines.js';
import { evaluateGraph } from '../network/evaluate-graph.js';
import { expectGradients, noise } from './finite-differences.js';

const [time, batch, features] = [3, 2, 4] as const;
const ids = tensor(Int32Array.of(0, 3, 1, 1, 2, 0), [time, batch]);
const output = noise([time, batch, features], 1);
const unit = { ...output, data: noise([time, batch, features], 2).data.map((x) => 1 / (1 + Math.exp(-x))) };

describe.each(reductions)('reduction %s', (reduction) => {
  it('softmax cross entropy of ids', () => check(losses.softmaxCrossEntropy({ reduction }), ids));
  it('softmax cross entropy of any weights on the classes', () =>
    check(losses.softmaxCrossEntropy({ reduction }), unit));
  it('sigmoid cross entropy', () => check(losses.sigmoidCrossEntropy({ reduction }), unit));
  it('mean squared error', () => check(losses.meanSquaredError({ reduction }), unit));

  it('of one target a row', () =>
    expectGradients(
      { output: noise([batch, features], 4) },
      ({ output, targets }) => losses.meanSquaredError({ reduction }).apply({ output: output!, targets: targets! }),
      { targets: noise([batch, features], 5) },
    ));
});

describe('reductions', () => {
  const value = async (loss: Loss) =>
    (
      await evaluateGraph(exact, { output, ids }, (values) => ({
        loss: loss.apply({ output: values.output!, targets: values.ids! }),
      }))
    ).loss!.data[0]!;

  it('the mean over all targets times the steps is the sum over time', async () => {
    const mean = await value(losses.softmaxCrossEntropy());
    const sum = await value(losses.softmaxCrossEntropy({ reduction: 'sumOverTime' }));
    expect(sum).toBeCloseTo(mean * time, 12);
  });
});

describe('sigmoid cross entropy', () => {
  it('of a logit of exactly 0 has the gradient 1/2 - target', async () => {
    const loss = losses.sigmoidCrossEntropy();
    const given = { logit: tensor([0], [1, 1]), target: tensor(Float64Array.of(0.3), [1, 1]) };
    const got = await evaluateGraph(exact, given, ({ logit, target }) => {
      const value = loss.apply({ output: logit!, targets: target! });
      return { value, gradient: gradients(value, [logit!])[0]! };
    });
    expect(got.value!.data[0]).toBeCloseTo(Math.log(2), 12);
    expect(got.gradient!.data[0]).toBeCloseTo(0.2, 12);
  });

  it('does not overflow where a sigmoid is 0 or 1', async () => {
    const given = { logits: tensor([1000, -1000], [1, 2]), targets: tensor([0, 1], [1, 2]) };
    const got = await evaluateGraph(exact, given, ({ logits, targets }) => ({
      loss: losses.sigmoidCrossEntropy().apply({ output: logits!, targets: targets! }),
    }));
    expect(got.loss!.data[0]).toBe(1000);
  });
});

describe('softmax cross entropy', () => {
  it('after a softmax layer takes the softmax once', async () => {
    const loss = losses.softmaxCrossEntropy();
    const softmax = layers.activation({ activation: 'softmax' });
    const got = await evaluateGraph(exact, { output, ids }, (values) => {
      const probabilities = softmax.apply(
        {
          input: values.output!,
          parameters: {},
          states: {},
          training: true,
          random: () => values.output!,
          rate: () => 0,
        },
        { kind: 'vectors', features, sequence: true },
      ).output;
      return {
        fromLogits: loss.apply({ output: values.output!, targets: values.ids! }),
        fromProbabilities: loss.apply({ output: probabilities, targets: values.ids! }),
      };
    });
    expect(got.fromProbabilities!.data[0]).toBe(got.fromLogits!.data[0]);
  });
});

function check(loss: Loss, targets: Tensor): Promise<void> {
  return expectGradients({ output }, (values) => loss.apply({ output: values.output!, targets: values.targets! }), {
    targets,
  });
}
