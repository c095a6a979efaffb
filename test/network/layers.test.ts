/** What single layers compute where no other program's numbers say it. */
import { describe, expect, it } from 'vitest';
import { input, type Value } from '../../src/compute/graph.js';
import { tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { exact } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const apply = (layer: Layer, value: Value, signal: Signal, others: { last?: Value; lengths?: Value } = {}): Value =>
  layer.apply(
    {
      ...others,
      input: value,
      parameters: {},
      states: {},
      training: false,
      random: (shape) => input('random', shape, 'f32'),
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

  it("is each row's own where rows have lengths, zeros for none, and does not look at what lies behind", async () => {
    const x = tensor([1, 2, 3, 4, 5, 6, Number.NaN, 8, 9, 10, 11, 12, Number.NaN, 14, 15, 16, 17, 18], [3, 3, 2]);
    const given = { x, lengths: tensor(Int32Array.of(1, 3, 0), [3]) };
    const signal = { kind: 'vectors', features: 2, sequence: true } as const;
    const got = await evaluateGraph(exact, given, ({ x, lengths }) => ({
      last: apply(layers.lastStep(), x!, signal, { lengths: lengths! }),
    }));
    expect([...got.last!.data]).toEqual([1, 2, 15, 16, 0, 0]);
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
    const { output, last } = result;
    expect(apply(layers.lastStep(), output, layer.signal(signal), { last: last! })).toBe(result.states.hidden);
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
