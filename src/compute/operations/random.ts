/** `random`: new random numbers each step, by counter. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { normals, seedWords, uniforms } from '../random.js';
import type { Shape } from '../tensor.js';
import { expectShape, f32, trafficOf } from './operand.js';

export interface RandomOptions {
  /** A whole number. */
  readonly seed: number;
  /** 32 bits that tell this use of the seed from others. */
  readonly purpose: number;
  /** `uniform` in [0, 1), or `normal` with mean 0 and deviation 1. */
  readonly kind: 'uniform' | 'normal';
}

/**
 * Random numbers of a shape, which depend on seed, purpose and the step `[1]` i32.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const noise = random(step, [64, 128], { seed: 12345, purpose: 7, kind: 'normal' });
 */
export const random = (step: Value, shape: Shape, { seed, purpose, kind }: RandomOptions): Value =>
  makeNode(randomOperation, [step], { shape, seed, purpose, kind }).outputs[0]!;

export const randomOperation: Operation = {
  name: 'random',
  shape: ([step], { shape }) => {
    expectShape('random: step', step, [1], 'i32');
    return [f32(shape as Shape)];
  },
  gradient: () => [],
  reference: ({ inputs: [step], outputs: [y], attributes }) => {
    const { seed, purpose, kind } = attributes as unknown as RandomOptions;
    const settings = { seed, purpose, step: step!.data[0]! };
    y!.data.set((kind === 'normal' ? normals : uniforms)(y!.data.length, settings));
  },
  words: ({ attributes }) => {
    const { seed, purpose, kind } = attributes as unknown as RandomOptions;
    return [...seedWords(seed), purpose, kind === 'normal' ? 1 : 0].map((word) => word | 0);
  },
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};
