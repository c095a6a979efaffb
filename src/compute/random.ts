/**
 * Random numbers by counter: Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011). A number depends on seed, purpose,
 * step and its index only, so it is the same in every engine and whatever was drawn before.
 */

export interface RandomSettings {
  /** A whole number, or its two 32-bit words, the low one first. */
  readonly seed: number | readonly [low: number, high: number];
  /** 32 bits that tell one use of the seed from another. */
  readonly purpose: number;
  /** 32 bits, such as the number of the training step. Default 0. */
  readonly step?: number;
  /** The element to start with. Default 0. */
  readonly start?: number;
}

/**
 * `count` numbers in [0, 1), multiples of 2^-24.
 *
 * @example
 * uniforms(3, { seed: 12345, purpose: 1 });
 */
export function uniforms(count: number, settings: RandomSettings): Float64Array {
  return draw(count, settings, (words, results) => {
    for (let index = 0; index < 4; index++) results[index] = fraction(words[index]!);
  });
}

/** `count` numbers of mean 0 and deviation 1, by Box and Muller's method (1958). */
export function normals(count: number, settings: RandomSettings): Float64Array {
  return draw(count, settings, (words, results) => {
    for (let pair = 0; pair < 4; pair += 2) {
      const radius = Math.sqrt(-2 * Math.log(fraction(words[pair]!) + 2 ** -24));
      const angle = 2 * Math.PI * fraction(words[pair + 1]!);
      results[pair] = radius * Math.cos(angle);
      results[pair + 1] = radius * Math.sin(angle);
    }
  });
}

/** Low and high word of a seed. */
export function seedWords(seed: RandomSettings['seed']): readonly [low: number, high: number] {
  return typeof seed === 'number' ? [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] : [seed[0] >>> 0, seed[1] >>> 0];
}

/** The four words of a block: ten rounds of Philox on `counter` under `key`. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const words = Uint32Array.from(counter);
  mix(words, key[0], key[1]);
  return [words[0]!, words[1]!, words[2]!, words[3]!];
}

/** Ten rounds on the four words, in place: millions of them run when a large network is made. */
function mix(words: Uint32Array, low: number, high: number): void {
  let [a, b, c, d] = [words[0]! | 0, words[1]! | 0, words[2]! | 0, words[3]! | 0];
  for (let round = 0; round < 10; round++) {
    const first = highProduct(0xd251, 0x1f53, a);
    const second = highProduct(0xcd9e, 0x8d57, c);
    const [nextB, nextD] = [Math.imul(0xcd9e8d57, c), Math.imul(0xd2511f53, a)];
    a = second ^ b ^ low;
    c = first ^ d ^ high;
    b = nextB;
    d = nextD;
    low = (low + 0x9e3779b9) | 0;
    high = (high + 0xbb67ae85) | 0;
  }
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
}

function draw(
  count: number,
  { seed, purpose, step = 0, start = 0 }: RandomSettings,
  convert: (words: Uint32Array, results: Float64Array) => void,
): Float64Array {
  const result = new Float64Array(count);
  const [low, high] = seedWords(seed);
  const words = new Uint32Array(4);
  const four = new Float64Array(4);
  let known = -1;
  for (let index = 0; index < count; index++) {
    const block = Math.floor((start + index) / 4);
    if (block !== known) {
      words[0] = block;
      words[1] = Math.floor(block / 2 ** 32);
      words[2] = step;
      words[3] = purpose;
      mix(words, low, high);
      convert(words, four);
      known = block;
    }
    result[index] = four[(start + index) % 4]!;
  }
  return result;
}

const fraction = (word: number): number => (word >>> 8) * 2 ** -24;

/** The upper 32 bits of the product of two unsigned words, the first given in halves. */
function highProduct(aHigh: number, aLow: number, b: number): number {
  const [bHigh, bLow] = [b >>> 16, b & 0xffff];
  const low = Math.imul(aLow, bLow);
  const middle = Math.imul(aHigh, bLow) + (low >>> 16);
  const other = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}
