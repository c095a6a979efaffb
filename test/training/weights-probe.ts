/** A network of several layers whose gradient is whatever its input says: for looking at what is done with it alone. */
import type { Engine } from '../../src/compute/engine/engine.js';
import { reshape } from '../../src/compute/graph.js';
import { concatenate, filled, map, reduceSum } from '../../src/compute/operations/index.js';
import { elementCount, type NumericArray, type Shape, tensor } from '../../src/compute/tensor.js';
import type { Layer, WeightGroup } from '../../src/network/layers/layer.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { createTrainer, type Trainer, type TrainerOptions } from '../../src/training/trainer.js';

/** Layers by name, each with the shapes of its parameters by group. */
export type Weights = Readonly<Record<string, { readonly [Group in WeightGroup]?: Shape }>>;

export interface ProbeParameter {
  readonly layer: string;
  readonly group: WeightGroup;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

/** The parameters one after another. */
export function parametersOf(weights: Weights): ProbeParameter[] {
  let offset = 0;
  return Object.entries(weights).flatMap(([layer, groups]) =>
    Object.entries(groups).map(([group, shape]) => {
      const length = elementCount(shape);
      offset += length;
      return { layer, group: group as WeightGroup, shape, offset: offset - length, length };
    }),
  );
}

/** Multiplies its share of the features by its parameters, and leaves the others alone. */
function probeLayer(kind: string, own: readonly ProbeParameter[], total: number): Layer {
  const start = own[0]!.offset;
  const end = own.at(-1)!.offset + own.at(-1)!.length;
  const ones = (count: number) => (count > 0 ? [filled(1, [count])] : []);
  return {
    kind,
    options: {},
    signal: (input) => input,
    parameters: () =>
      Object.fromEntries(
        own.map(({ group, shape, length }) => [group, { shape, group, initializer: () => new Float64Array(length) }]),
      ),
    states: () => ({}),
    apply: ({ input, parameters }) => {
      const flat = own.map(({ group, length }) => reshape(parameters[group]!, [length]));
      const factors = concatenate([...ones(start), ...flat, ...ones(total - end)], 0);
      return { output: map((x, factor) => x.mul(factor), input, factors), states: {} };
    },
  };
}

/** Its value is Σ output, so the gradient of each weight is what the input has in its place. */
export const sum: Loss = {
  name: 'sum',
  options: { reduction: 'mean' },
  targets: ['vectors'],
  apply: ({ output }) => reduceSum([output], { axis: 'all' }),
};

export interface Probe {
  readonly network: Network;
  readonly trainer: Trainer;
  /** One step with that gradient. */
  step(gradient: NumericArray): ReturnType<Trainer['step']>;
  parameters(): Promise<NumericArray>;
  dispose(): void;
}

export async function probe(
  engine: Engine,
  weights: Weights,
  start: NumericArray,
  options: Omit<TrainerOptions, 'loss'>,
): Promise<Probe> {
  const all = parametersOf(weights);
  const count = start.length;
  const layers = Object.keys(weights).map((name) =>
    probeLayer(
      name,
      all.filter(({ layer }) => layer === name),
      count,
    ),
  );
  const network = createNetwork(layers, { input: { features: count, sequence: false }, engine, seed: 7 });
  const trainer = createTrainer(network, { loss: sum, ...options });
  const real = (values: NumericArray) =>
    engine.precision === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
  await network.stream.write(network.memory, 0, real(start));
  const targets = tensor(new Float32Array(count), [1, count]);
  return {
    network,
    trainer,
    step: (gradient) => trainer.step({ inputs: tensor(real(gradient), [1, count]), targets, continues: false }),
    parameters: () => network.stream.read(network.memory, 0, count, 'f32'),
    dispose: () => {
      trainer.dispose();
      network.dispose();
    },
  };
}
