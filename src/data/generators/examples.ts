/** What the generators have in common: examples that depend on nothing but a seed and their number. */
import { uniforms } from '../../compute/random.js';
import { elementCount, printShape, type Shape, type Tensor } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import { wholeNumber } from '../../options.js';

/** What `arrays` cuts into batches. */
export interface Examples {
  /** `[examples, time]` ids or `[examples, time, features]`. */
  readonly inputs: Tensor;
  readonly targets: Tensor;
}

/** Examples some of whose steps have no target. */
export interface MaskedExamples extends Examples {
  /** `[examples, time]`, 1 where there is a target and 0 where there is none. */
  readonly mask: Tensor;
}

/** Options of every generator. */
export const generatorEntries = {
  /** How many. */
  examples: wholeNumber(1),
  /** The same seed gives the same examples; the first ones of many are those of few. */
  seed: wholeNumber(0),
};

/**
 * Numbers in [0, 1) for one example, one after another.
 *
 * @param purpose keeps the draws of generators apart that are given the same seed
 */
export function drawsOf(seed: number, purpose: number, example: number): () => number {
  const block = 64;
  let known: Float64Array = new Float64Array();
  let drawn = 0;
  return () => {
    const place = drawn % block;
    if (place === 0) known = uniforms(block, { seed, purpose, step: example, start: drawn });
    drawn += 1;
    return known[place]!;
  };
}

/** A whole number from `first` to `last`, both included. */
export const wholeFrom = (draw: () => number, first: number, last: number): number =>
  first + Math.floor(draw() * (last - first + 1));

/** @throws {MnemeError} `invalid-option` for more numbers than anyone can mean to hold in memory */
export function requireRoom(where: string, shape: Shape): void {
  if (elementCount(shape) <= mostElements) return;
  throw new MnemeError(
    'invalid-option',
    `${where}: ${printShape(shape)} are more than ${mostElements} numbers. Ask for fewer examples at a time, each time with another seed.`,
  );
}

/** 512 MiB of f32. */
const mostElements = 2 ** 27;
