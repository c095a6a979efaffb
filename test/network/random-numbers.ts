/** Random numbers as an initializer gets them. */
import { normals, uniforms } from '../../src/compute/random.js';
import type { RandomNumbers } from '../../src/network/initializers.js';

export function numbers(purpose: number): RandomNumbers {
  let start = 0;
  const next = (count: number) => {
    start += count;
    return { seed: 11, purpose, start: start - count };
  };
  return {
    uniform: (count) => uniforms(count, next(count)),
    normal: (count) => normals(count, next(count)),
  };
}
