/** Batches of examples that lie in memory. */
import * as v from 'valibot';
import { elementCount, isTensor, printShape, type Shape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { parseOptions, wholeNumber } from '../options.js';
import { type Batch, type Batches, checkMask } from './batch.js';
import { type Examples, examplesOf, gather } from './examples.js';
import { checkLengths } from './lengths.js';
import { permutation } from './permutation.js';

const isWholeTensor = (value: unknown): boolean => isTensor(value) && elementCount(value.shape) === value.data.length;
const tensorSchema = v.custom<Tensor>(isWholeTensor, 'a tensor');
const examplesSchema = v.custom<Tensor | readonly Tensor[]>(
  (value) => isWholeTensor(value) || (Array.isArray(value) && value.every(isWholeTensor)),
  'a tensor or a list of tensors',
);

const arraysSchema = v.strictObject({
  /**
   * `[examples, time]` ids (i32) or `[examples, time, features]`; where sequences have different times, a list of them, each
   * `[time]` ids or `[time, features]`. A sequence may be empty.
   */
  inputs: examplesSchema,
  /**
   * One row an example: `[examples, time]` or `[examples]` ids, `[examples, time, features]` or `[examples, features]`. For a
   * list of inputs with a target at each step a list of the same times.
   */
  targets: examplesSchema,
  /**
   * Weights of the targets, `[examples, time]` or `[examples]`, or a list as the targets; at least 0: a target with 0 does
   * not count. Default: all 1.
   */
  mask: v.optional(examplesSchema),
  /** Of padded inputs in one tensor: steps of each example that are there, `[examples]` i32, 0 to time. Default: all. */
  lengths: v.optional(tensorSchema),
  /** Examples in a batch; the last one of a pass may have fewer. */
  batch: wholeNumber(1),
  /** Another order each epoch, fixed by the seed. Default: the order given. */
  shuffle: v.optional(v.strictObject({ seed: wholeNumber(0) })),
});
export type ArraysOptions = v.InferInput<typeof arraysSchema>;

/**
 * Cuts examples into batches; `f64` becomes `f32`. Nothing carries over from one batch to the next.
 *
 * Sequences of unequal times make batches with `lengths`, padded with zeros to the longest of the batch and on to a quarter, a
 * half, three quarters or all of the longest time there is, so that a few programs serve them all. Padding is not computed.
 *
 * @throws {MnemeError} `invalid-option`, `invalid-shape` when inputs, targets, mask and lengths differ in number or time,
 *   `invalid-argument` for a mask that holds other than finite numbers of at least 0, `out-of-range` for a length that its
 *   example has not, `insufficient-data` when there are none
 * @example
 * const batches = arrays({
 *   inputs: tensor(new Float32Array(300 * 60), [300, 60, 1]),
 *   targets: tensor(new Int32Array(300), [300]),
 *   batch: 10,
 *   shuffle: { seed: 123 },
 * });
 */
export function arrays(options: ArraysOptions): Batches {
  const {
    inputs: given,
    targets: wanted,
    mask,
    lengths: told,
    batch,
    shuffle,
  } = parseOptions(arraysSchema, options, 'arrays');
  const inputs = examplesOf(given, 'arrays: inputs');
  const targets = examplesOf(wanted, 'arrays: targets');
  const examples = inputs.count;
  if (examples !== targets.count) {
    throw new MnemeError(
      'invalid-shape',
      `arrays: inputs ${print(given)} hold ${examples} examples, but targets ${print(wanted)} hold ${targets.count}. ` +
        'There must be as many of both.',
    );
  }
  if (inputs.empty || targets.empty) {
    throw new MnemeError(
      'insufficient-data',
      `arrays: there is nothing in inputs ${print(given)} and targets ${print(wanted)}.`,
    );
  }
  if (told && isTensor(given)) checkLengths('arrays', told, examples, inputs.shape[0] ?? 1);
  if (told && !isTensor(given)) {
    throw new MnemeError('invalid-option', "arrays: a list of inputs tells its times: leave out the option 'lengths'.");
  }
  const lengths = told ? Int32Array.from(told.data) : inputs.lengths;
  // Targets of one number each have no axis of features.
  const [places, sequence] = placesOf(targets);
  const longest = inputs.shape[0]!;
  if (lengths) checkTimes(targets, sequence, lengths, longest, 'targets');
  const weights = mask && weightsOf(mask, targets, places);
  return {
    length: Math.ceil(examples / batch),
    tokens: lengths && sequence ? lengths.reduce((sum, length) => sum + length, 0) : examples * elementCount(places),
    *epoch(epoch) {
      const order = shuffle ? permutation(examples, shuffle.seed, epoch) : undefined;
      for (let start = 0; start < examples; start += batch) {
        const rows = Array.from(
          { length: Math.min(batch, examples - start) },
          (_, i) => order?.[start + i] ?? start + i,
        );
        const own = lengths && Int32Array.from(rows, (row) => lengths[row]!);
        const steps = own && paddedTime(Math.max(...own), longest);
        const ofTargets = sequence ? steps : undefined;
        yield {
          inputs: gather(inputs, rows, steps),
          targets: gather(targets, rows, ofTargets),
          ...(weights ? { mask: real(gather(weights, rows, ofTargets)) } : {}),
          ...(own ? { lengths: tensor(own, [rows.length]) } : {}),
          continues: false,
        } satisfies Batch;
      }
    },
  };
}

/** The shape of one example's targets without their features, and whether it has a target for every step. */
function placesOf({ shape, dtype }: Examples): [places: Shape, sequence: boolean] {
  const places = dtype === 'i32' || shape.length === 0 ? shape : shape.slice(0, -1);
  return [places, places.length > 0];
}

/** @throws {MnemeError} `invalid-shape`: which sequence */
function checkTimes(
  { lengths: own, shape }: Examples,
  sequence: boolean,
  lengths: Int32Array,
  longest: number,
  what: string,
): void {
  const wrong = own ? own.findIndex((length, index) => length !== lengths[index]) : -1;
  if (own && wrong >= 0) {
    throw new MnemeError(
      'invalid-shape',
      `arrays: sequence ${wrong} has ${lengths[wrong]} steps in inputs, but ${own[wrong]} in ${what}.`,
    );
  }
  if (own || !sequence || shape[0] === longest) return;
  throw new MnemeError(
    'invalid-shape',
    `arrays: sequences have up to ${longest} steps, but ${what} ${shape[0]}: give a list of them, each as long as its inputs, or one target an example.`,
  );
}

/** @throws {MnemeError} as `checkMask`, and `invalid-shape` where a list has other times than the targets */
function weightsOf(mask: Tensor | readonly Tensor[], targets: Examples, places: Shape): Examples {
  const weights = examplesOf(mask, 'arrays: mask');
  if (isTensor(mask)) {
    checkMask('arrays', mask, [targets.count, ...places]);
    return weights;
  }
  if (weights.count !== targets.count) {
    throw new MnemeError(
      'invalid-shape',
      `arrays: there are ${targets.count} examples, but ${weights.count} tensors in the mask.`,
    );
  }
  for (const [index, one] of mask.entries()) {
    checkMask(`arrays: example ${index}`, one, targets.lengths ? [targets.lengths[index]!] : places);
  }
  return weights;
}

/** So few times that a program for each is kept: quarters of the longest. */
function paddedTime(longest: number, whole: number): number {
  const quarter = Math.ceil(whole / 4);
  return Math.min(whole, Math.max(1, Math.ceil(longest / quarter)) * quarter);
}

/** A mask of 0 and 1 may be whole numbers. */
const real = ({ data, shape }: Tensor): Tensor => tensor(Float32Array.from(data), shape);

const print = (given: Tensor | readonly Tensor[]): string =>
  isTensor(given) ? printShape(given.shape) : `(${given.length} sequences)`;
