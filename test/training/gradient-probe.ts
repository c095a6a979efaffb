/** A network whose gradient is whatever its input says: for looking at clipping and updaters alone. */
import type { Engine } from '../../src/compute/engine/engine.js';
import { map, reduceSum } from '../../src/compute/operations/index.js';
import { type NumericArray, tensor } from '../../src/compute/tensor.js';
import type { Layer } from '../../src/network/layers/layer.js';
import type { Loss } from '../../src/network/losses/loss.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { createTrainer, type TrainerOptions } from '../../src/training/trainer.js';

/** Σ p·x: its gradient for p is x. */
const product = (count: number): Layer => ({
  kind: 'product',
  options: {},
  signal: (input) => input,
  parameters: () => ({
    p: { shape: [count], group: 'kernel', initializer: () => new Float64Array(count) },
  }),
  states: () => ({}),
  apply: ({ input, parameters }) => ({ output: map((x, p) => x.mul(p), input, parameters.p!), states: {} }),
});

const sum: Loss = {
  name: 'sum',
  options: { reduction: 'mean' },
  targets: ['vectors'],
  apply: ({ output }) => reduceSum([output], { axis: 'all' }),
};

/** The parameters after each step with the given gradients, and the norm that each step reported. */
export async function trajectory(
  engine: Engine,
  start: ArrayLike<number>,
  gradients: readonly ArrayLike<number>[],
  options: Omit<TrainerOptions, 'loss'>,
): Promise<{ parameters: NumericArray[]; norms: number[] }> {
  const count = start.length;
  const network: Network = createNetwork([product(count)], { input: { features: count, sequence: false }, engine });
  const trainer = createTrainer(network, { loss: sum, ...options });
  await network.stream.write(network.memory, 0, numbers(engine, start));
  const parameters: NumericArray[] = [];
  const norms: number[] = [];
  for (const gradient of gradients) {
    const inputs = tensor(numbers(engine, gradient), [1, count]);
    const targets = tensor(new Float32Array(count), [1, count]);
    const { gradientNorm } = await trainer.step({ inputs, targets, continues: false });
    norms.push(gradientNorm);
    parameters.push(await network.stream.read(network.memory, 0, count, 'f32'));
  }
  trainer.dispose();
  network.dispose();
  return { parameters, norms };
}

const numbers = (engine: Engine, values: ArrayLike<number>): NumericArray =>
  engine.precision === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
