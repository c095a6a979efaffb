/** Batches of examples that lie in memory. */
import * as v from 'valibot';
import { elementCount, isTensor, type NumericArray, printShape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { parseOptions, wholeNumber } from '../options.js';
import { type Batches, checkMask } from './batch.js';
import { permutation } from './permutation.js';

const tensorSchema = v.custom<Tensor>(
  (value) => isTensor(value) && elementCount(value.shape) === value.data.length,
  'a tensor',
);

const arraysSchema = v.strictObject({
  /** `[examples, time]` ids (i32) or `[examples, time, features]`. */
  inputs: tensorSchema,
  /** One row an example: `[examples, time]` or `[examples]` ids, `[examples, time, features]` or `[examples, features]`. */
  targets: tensorSchema,
  /** Weights of the targets, `[examples, time]` or `[examples]`, at least 0: a target with 0 does not count. Default: all 1. */
  mask: v.optional(tensorSchema),
  /** Examples in a batch; the last one of a pass may have fewer. */
  batch: wholeNumber(1),
  /** Another order each epoch, fixed by the seed. Default: the order given. */
  shuffle: v.optional(v.strictObject({ seed: wholeNumber(0) })),
});
export type ArraysOptions = v.InferInput<typeof arraysSchema>;

/**
 * Cuts examples into batches; `f64` becomes `f32`. Nothing carries over from one batch to the next.
 *
 * @throws {MnemeError} `invalid-option`, `invalid-shape` when inputs, targets and mask differ in number,
 *   `invalid-argument` for a mask that holds other than finite numbers of at least 0, `insufficient-data` when there are none
 * @example
 * const batches = arrays({
 *   inputs: tensor(new Float32Array(300 * 60), [300, 60, 1]),
 *   targets: tensor(new Int32Array(300), [300]),
 *   batch: 10,
 *   shuffle: { seed: 123 },
 * });
 */
export function arrays(options: ArraysOptions): Batches {
  const { inputs, targets, mask, batch, shuffle } = parseOptions(arraysSchema, options, 'arrays');
  const examples = inputs.shape[0] ?? 0;
  if (examples !== targets.shape[0]) {
    throw new MnemeError(
      'invalid-shape',
      `arrays: inputs ${printShape(inputs.shape)} hold ${examples} examples, but targets ` +
        `${printShape(targets.shape)} hold ${targets.shape[0]}. The first axis must be the same.`,
    );
  }
  if (inputs.data.length === 0 || targets.data.length === 0) {
    throw new MnemeError(
      'insufficient-data',
      `arrays: there is nothing in inputs ${printShape(inputs.shape)} and targets ${printShape(targets.shape)}.`,
    );
  }
  // Targets of one axis have one number each.
  const places = targets.dtype === 'i32' || targets.shape.length === 1 ? targets.shape : targets.shape.slice(0, -1);
  if (mask) checkMask('arrays', mask, places);
  return {
    length: Math.ceil(examples / batch),
    tokens: places.reduce((product, extent) => product * extent, 1),
    *epoch(epoch) {
      const order = shuffle ? permutation(examples, shuffle.seed, epoch) : undefined;
      for (let start = 0; start < examples; start += batch) {
        const rows = Array.from(
          { length: Math.min(batch, examples - start) },
          (_, i) => order?.[start + i] ?? start + i,
        );
        yield {
          inputs: gather(inputs, rows),
          targets: gather(targets, rows),
          ...(mask ? { mask: real(gather(mask, rows)) } : {}),
          continues: false,
        };
      }
    },
  };
}

function gather(source: Tensor, rows: readonly number[]): Tensor {
  const size = source.data.length / source.shape[0]!;
  if (source.data.length === 0) {
    throw new MnemeError('invalid-argument', `arrays: the buffer behind ${printShape(source.shape)} was detached.`);
  }
  const data: NumericArray =
    source.dtype === 'i32' ? new Int32Array(rows.length * size) : new Float32Array(rows.length * size);
  for (const [place, row] of rows.entries()) data.set(source.data.subarray(row * size, (row + 1) * size), place * size);
  return tensor(data, [rows.length, ...source.shape.slice(1)]);
}

/** A mask of 0 and 1 may be whole numbers. */
const real = ({ data, shape }: Tensor): Tensor => tensor(Float32Array.from(data), shape);
