/** Activations that are layers, for they learn, draw or halve something: values by hand. Gradients: test/gradients. */
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/compute/graph.js';
import { random } from '../../src/compute/operations/index.js';
import { type Shape, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, LayerContext, Signal } from '../../src/network/layers/layer.js';
import { createNetwork } from '../../src/network/network.js';
import { exact } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';

const signal: Signal = { kind: 'vectors', features: 3, sequence: true };
const x = tensor(Float64Array.of(-2, 0, 4, -1, 3, -8), [2, 1, 3]);

const contextOf = (input: Value): LayerContext => ({
  input,
  parameters: {},
  states: {},
  training: false,
  random: () => expect.fail('nothing is drawn here'),
  rate: () => 0,
});

const outputOf = async (layer: Layer, parameters: Record<string, number[]>, training = false) => {
  const tensors = Object.entries(parameters).map(([name, list]) => [name, tensor(list, [list.length])] as const);
  const given = { x, step: tensor(Int32Array.of(1), [1]), ...Object.fromEntries(tensors) };
  const { y } = await evaluateGraph(exact, given, ({ x: input, step, ...values }) => {
    const draw = (shape: Shape) => random(step!, shape, { seed: 1, purpose: 1, kind: 'uniform' });
    const context = { ...contextOf(input!), parameters: values, training, random: draw };
    return { step: step!, y: layer.apply(context, signal).output };
  });
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

describe('layers.gatedLinearUnit', () => {
  it('lets the first half through as the second says', async () => {
    const four = tensor(Float64Array.of(1, 2, 0, Math.log(3)), [1, 4]);
    const reads: Signal = { kind: 'vectors', features: 4, sequence: false };
    const layer = layers.gatedLinearUnit();
    expect(layer.signal(reads)).toEqual({ kind: 'vectors', features: 2, sequence: false });
    const { y } = await evaluateGraph(exact, { four }, ({ four: input }) => ({
      y: layer.apply(contextOf(input!), reads).output,
    }));
    expect(y!.shape).toEqual([1, 2]);
    expect([...y!.data]).toEqual([0.5, expect.closeTo(1.5, 14)]);
  });

  it('needs an even number of features', () => {
    expect(() => layers.gatedLinearUnit().signal(signal)).toThrow(
      'expected an even number of features, to be halved, got 3.',
    );
  });
});
