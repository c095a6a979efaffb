/** What single layers compute where no other program's numbers say it. */
import { describe, expect, it } from 'vitest';
import { input, type Value } from '../../src/compute/graph.js';
import { random } from '../../src/compute/operations/index.js';
import { tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { exact } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const apply = (layer: Layer, value: Value, signal: Signal, step?: Value): Value =>
  layer.apply(
    {
      input: value,
      parameters: {},
      states: {},
      training: step !== undefined,
      random: (shape) => random(step!, shape, { seed: 1, purpose: 2, kind: 'uniform' }),
      rate: () => 0,
    },
    signal,
  ).output;

describe('lastStep', () => {
  it('of a sequence that no recurrent layer made is its last step', async () => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [3, 2, 2]);
    const got = await evaluateGraph(exact, { x }, (values) => ({
      last: apply(layers.lastStep(), values.x!, { kind: 'vectors', features: 2, sequence: true }),
    }));
    expect([...got.last!.data]).toEqual([9, 10, 11, 12]);
    expect(got.last!.shape).toEqual([2, 2]);
  });

  it('after a recurrent layer is its final hidden state, and no gradient for the other steps is made', () => {
    const layer = layers.lstm({ units: 3 });
    const signal: Signal = { kind: 'vectors', features: 2, sequence: true };
    const port = (name: string, shape: number[]) => input(name, shape, 'f32');
    const result = layer.apply(
      {
        input: port('x', [4, 5, 2]),
        parameters: { kernel: port('w', [2, 12]), recurrentKernel: port('u', [3, 12]), bias: port('b', [12]) },
        states: {},
        training: true,
        random: (shape) => port('random', [...shape]),
        rate: () => 0,
      },
      signal,
    );
    expect(apply(layers.lastStep(), result.output, layer.signal(signal))).toBe(result.states.hidden);
  });
});

describe('dropout', () => {
  it('drops the given share while training and keeps the mean', async () => {
    const count = 40_000;
    const x = tensor(new Float32Array(count).fill(2), [1, 1, count]);
    const step = tensor(Int32Array.of(5), [1]);
    const signal: Signal = { kind: 'vectors', features: count, sequence: true };
    const got = await evaluateGraph(exact, { x, step }, (values) => ({
      y: apply(layers.dropout({ rate: 0.3 }), values.x!, signal, values.step!),
    }));
    const values = [...got.y!.data];
    const kept = values.filter((value) => value !== 0);
    // Four standard errors of a share of 40,000.
    const error = 4 * Math.sqrt((0.3 * 0.7) / count);
    expect(Math.abs(kept.length / count - 0.7)).toBeLessThan(error);
    expect(new Set(kept)).toEqual(new Set([2 * (1 / 0.7)]));
  });

  it('does nothing otherwise', () => {
    const x = input('x', [2, 2, 2], 'f32');
    expect(apply(layers.dropout({ rate: 0.3 }), x, { kind: 'vectors', features: 2, sequence: true })).toBe(x);
  });
});

describe('oneHot', () => {
  it('makes a vector of each id', async () => {
    const ids = tensor(Int32Array.of(2, 0), [1, 2]);
    const got = await evaluateGraph(exact, { ids }, (values) => ({
      y: apply(layers.oneHot({ vocabulary: 3 }), values.ids!, { kind: 'ids', vocabulary: 3, sequence: true }),
    }));
    expect([...got.y!.data]).toEqual([0, 0, 1, 1, 0, 0]);
  });
});
