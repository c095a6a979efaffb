/** Random orders that depend on nothing but a seed and a number: the same on every machine, in every run. */

/**
 * A permutation of 0 .. length-1, uniform up to the 32 bits of each draw (Fisher-Yates over Philox 4x32-10).
 *
 * @param seed whole number; its lower 64 bits are the key
 * @param number which of the seed's permutations: the epoch
 */
export function permutation(length: number, seed: number, number: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  let words: readonly number[] = [];
  for (let last = length - 1; last > 0; last--) {
    const draw = length - 1 - last;
    if (draw % 4 === 0) words = philox([draw / 4, 0, number, purpose], low, high);
    const other = Math.floor((words[draw % 4]! / 2 ** 32) * (last + 1));
    const moved = order[last]!;
    order[last] = order[other]!;
    order[other] = moved;
  }
  return order;
}

/** Keeps these draws apart from others made of the same seed. */
const purpose = 0x73687566;

type Counter = readonly [number, number, number, number];

/** Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.4). */
export function philox(counter: Counter, keyLow: number, keyHigh: number): Counter {
  let [a, b, c, d] = counter;
  for (let round = 0; round < 10; round++) {
    const even = BigInt(a >>> 0) * 0xd2511f53n;
    const odd = BigInt(c >>> 0) * 0xcd9e8d57n;
    const key0 = (keyLow + Math.imul(round, 0x9e3779b9)) >>> 0;
    const key1 = (keyHigh + Math.imul(round, 0xbb67ae85)) >>> 0;
    a = (Number(odd >> 32n) ^ b ^ key0) >>> 0;
    b = Number(odd & 0xffffffffn);
    c = (Number(even >> 32n) ^ d ^ key1) >>> 0;
    d = Number(even & 0xffffffffn);
  }
  return [a, b, c, d];
}
