/** Initializers that draw every number from one distribution that is said in full. */
import * as v from 'valibot';
import { elementCount } from '../../compute/tensor.js';
import { finiteNumber } from '../../options.js';
import { type RandomNumbers, rule } from './initializer.js';

export const uniform = rule(
  'uniform',
  { low: v.optional(finiteNumber(), -0.05), high: v.optional(finiteNumber(), 0.05) },
  ({ low, high }) =>
    (shape, random) =>
      random.uniform(elementCount(shape)).map((x) => low + (high - low) * x),
);

const bell = {
  mean: v.optional(finiteNumber(), 0),
  deviation: v.optional(finiteNumber({ minimum: 0 }), 0.05),
};

export const normal = rule(
  'normal',
  bell,
  ({ mean, deviation }) =>
    (shape, random) =>
      random.normal(elementCount(shape)).map((x) => mean + deviation * x),
);

export const truncatedNormal = rule(
  'truncatedNormal',
  bell,
  ({ mean, deviation }) =>
    (shape, random) =>
      truncatedNormals(elementCount(shape), random).map((x) => mean + deviation * x),
);

export const torchUniform = rule(
  'torchUniform',
  { size: v.optional(finiteNumber({ above: 0 })) },
  ({ size }) =>
    (shape, random) => {
      const limit = 1 / Math.sqrt(size ?? shape.at(-1)!);
      return random.uniform(elementCount(shape)).map((x) => limit * (2 * x - 1));
    },
);

/**
 * Standard normal numbers, those beyond two deviations drawn again until none is left. Which numbers take whose place
 * follows from the seed, for they come from the same sequence.
 */
export function truncatedNormals(count: number, random: RandomNumbers): Float64Array {
  const values = random.normal(count);
  let beyond: number[] = [];
  values.forEach((x, index) => {
    if (Math.abs(x) > 2) beyond.push(index);
  });
  while (beyond.length > 0) {
    const again = random.normal(beyond.length);
    for (const [position, index] of beyond.entries()) values[index] = again[position]!;
    beyond = beyond.filter((index) => Math.abs(values[index]!) > 2);
  }
  return values;
}
