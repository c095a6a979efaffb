/** Activations that learn or draw their slope: values by hand, and what they start with. Gradients: test/gradients. */
import { describe, expect, it } from 'vitest';
import { random } from '../../src/compute/operations/index.js';
import { tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { createNetwork } from '../../src/network/network.js';
import { exact } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const signal: Signal = { kind: 'vectors', features: 3, sequence: true };
const x = tensor(Float64Array.of(-2, 0, 4, -1, 3, -8), [2, 1, 3]);

const outputOf = async (layer: Layer, parameters: Record<string, number[]>, training = false) => {
  const given = Object.fromEntries(
    Object.entries(parameters).map(([name, list]) => [name, tensor(list, [list.length])]),
  );
  const { y } = await evaluateGraph(
    exact,
    { x, step: tensor(Int32Array.of(1), [1]), ...given },
    ({ x: input, step, ...values }) => ({
      step: step!,
      y: layer.apply(
        {
          input: input!,
          parameters: values,
          states: {},
          training,
          random: (shape) => random(step!, shape, { seed: 1, purpose: 1, kind: 'uniform' }),
          rate: () => 0,
        },
        signal,
      ).output,
    }),
  );
  return [...y!.data];
};

describe('layers.parametricRelu', () => {
  it('has a slope for each feature, below 0 only', async () => {
    expect(await outputOf(layers.parametricRelu(), { slope: [0.5, 7, 0.25] })).toEqual([-1, 0, 4, -0.5, 3, -2]);
  });

  it('may share one slope', async () => {
    const layer = layers.parametricRelu({ shared: true });
    expect(layer.parameters(signal).slope!.shape).toEqual([1]);
    expect(await outputOf(layer, { slope: [0.5] })).toEqual([-1, 0, 4, -0.5, 3, -4]);
  });

  it('starts with 0.25, or with what is said', async () => {
    for (const [options, start] of [
      [undefined, 0.25],
      [{ initialSlope: 0 }, 0],
    ] as const) {
      const network = createNetwork([layers.parametricRelu(options)], { input: { features: 3 }, engine: exact });
      expect([...(await network.parameter('parametricRelu/slope')).data]).toEqual([start, start, start]);
    }
  });

  it('is no layer of ids', () => {
    expect(() => layers.parametricRelu().signal({ kind: 'ids', vocabulary: 3, sequence: true })).toThrow(
      /expected vectors/,
    );
  });

  it('names a misspelt option', () => {
    expect(() => layers.parametricRelu({ initialSlop: 1 } as object)).toThrow(
      "layers.parametricRelu: unknown option 'initialSlop'. Did you mean 'initialSlope'? Known: initialSlope, shared.",
    );
  });
});

describe('layers.randomizedRelu', () => {
  const layer = layers.randomizedRelu({ minimum: 0.25, maximum: 0.75 });

  it('has the mean slope where it does not train', async () => {
    expect(await outputOf(layer, {})).toEqual([-1, 0, 4, -0.5, 3, -4]);
    expect(layers.randomizedRelu().options).toEqual({ minimum: 1 / 8, maximum: 1 / 3 });
  });

  it('draws a slope for each number while training', async () => {
    const [first, zero, positive, second, , third] = await outputOf(layer, {}, true);
    const slopes = [first! / -2, second! / -1, third! / -8];
    for (const slope of slopes) {
      expect(slope).toBeGreaterThanOrEqual(0.25);
      expect(slope).toBeLessThan(0.75);
    }
    expect(new Set(slopes).size).toBe(3);
    expect([zero, positive]).toEqual([0, 4]);
  });

  it('refuses a minimum above the maximum', () => {
    expect(() => layers.randomizedRelu({ minimum: 1, maximum: 0 })).toThrow(/a minimum of at most the maximum/);
  });
});
