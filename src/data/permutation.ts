/** Random orders that depend on nothing but a seed and a number: the same on every machine, in every run. */
import { philox, seedWords } from '../compute/random.js';

/**
 * A permutation of 0 .. length-1, uniform up to the 32 bits of each draw (Fisher-Yates over Philox 4x32-10).
 *
 * @param seed whole number; its lower 64 bits are the key
 * @param number which of the seed's permutations: the epoch
 */
export function permutation(length: number, seed: number, number: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  const key = seedWords(seed);
  let words: readonly number[] = [];
  for (let last = length - 1; last > 0; last--) {
    const draw = length - 1 - last;
    if (draw % 4 === 0) words = philox([draw / 4, 0, number, purpose], key);
    const other = Math.floor((words[draw % 4]! / 2 ** 32) * (last + 1));
    const moved = order[last]!;
    order[last] = order[other]!;
    order[other] = moved;
  }
  return order;
}

/** Keeps these draws apart from others made of the same seed. */
const purpose = 0x73687566;
