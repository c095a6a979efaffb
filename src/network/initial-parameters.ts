/** The values that the parameters of a network start with. */
import { normals, uniforms } from '../compute/random.js';
import type { RandomNumbers } from './initializers.js';
import { purposeOf } from './purpose.js';
import type { Traceable } from './trace.js';

/**
 * All parameters, flat in the order of the layout. Each depends on the seed, its name and its shape only: adding a
 * layer of another kind changes no other parameter.
 */
export function initialParameters({ layers, signals, parameterLayout, layerNames, seed }: Traceable): Float32Array {
  const last = parameterLayout.at(-1);
  const values = new Float32Array(last ? last.offset + last.length : 0);
  const specifications = new Map(
    layers.flatMap((layer, index) =>
      Object.entries(layer.parameters(signals[index]!)).map(([name, specification]) => [
        `${layerNames[index]}/${name}`,
        specification,
      ]),
    ),
  );
  for (const { name, shape, offset } of parameterLayout) {
    values.set(specifications.get(name)!.initializer(shape, numbersFor(seed, name)), offset);
  }
  return values;
}

function numbersFor(seed: number, name: string): RandomNumbers {
  const purpose = purposeOf(name);
  let start = 0;
  const next = (count: number) => {
    start += count;
    return { seed, purpose, start: start - count };
  };
  return {
    uniform: (count) => uniforms(count, next(count)),
    normal: (count) => normals(count, next(count)),
  };
}
