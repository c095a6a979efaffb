/** What a loss is. */
import type { Value } from '../../compute/graph.js';
import { printShape, sameShape, type Tensor } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import type { Reduction } from './reduction.js';

/** What a loss is given: all time-major, `[time, batch, ...]`, or `[batch, ...]` where the output is no sequence. */
export interface LossContext {
  /** The output of the last layer. */
  readonly output: Value;
  /** Vectors (f32), or one id for each row of the output (i32). */
  readonly targets: Value;
  /**
   * Weights of the targets, of the output's shape without its last axis (f32): what is 0 does not count, whatever its
   * output and target are, NaN included. Absent: all count alike.
   */
  readonly mask?: Value | undefined;
  /** The loss's `constants`, where it has any. */
  readonly constants?: Readonly<Record<string, Value>>;
}

/**
 * What training minimises. `losses` has those of the field, `loss` makes one of a formula over single numbers; what
 * neither can say is an object of this form.
 */
export interface Loss {
  readonly name: string;
  readonly options: { readonly reduction: Reduction };
  /** `ids`: targets may be i32 ids, one a row. `vectors`: they may be f32, of the shape of the output. */
  readonly targets: readonly ('ids' | 'vectors')[];
  /** Features of a target that is a vector, given those of the output; absent: as many. */
  targetFeatures?(features: number): number;
  /** Arrays that the loss needs and that never change, such as the weights of classes. */
  readonly constants?: Readonly<Record<string, Tensor>>;
  /**
   * What `apply` depends on beside `options`: losses of the same origin, with equal options, are the same loss, and share
   * programs. Absent: the loss itself, which shares none.
   */
  readonly origin?: object;
  /**
   * What the reduction 'mean' divides by: the weight of a batch when the losses of several are averaged. Ids that the mask
   * leaves out may lie outside the classes. Undefined: the sum of the mask, or the number of targets.
   */
  meanWeight?(targets: Tensor, mask: Tensor | undefined): number | undefined;
  /** The loss, `[1]`. */
  apply(context: LossContext): Value;
}

/** @throws {MnemeError} `invalid-shape` unless the targets are vectors of `features` numbers, by default as the output's */
export function checkVectors(
  name: string,
  { output, targets }: Pick<LossContext, 'output' | 'targets'>,
  features = output.shape.at(-1)!,
): void {
  const expected = [...output.shape.slice(0, -1), features];
  if (sameShape(expected, targets.shape) && targets.dtype === 'f32') return;
  throw new MnemeError(
    'invalid-shape',
    `losses.${name}: expected targets ${printShape(expected)} (f32) for a network's output of ${printShape(output.shape)}, ` +
      `got ${printShape(targets.shape)} (${targets.dtype}).`,
  );
}

/** What a loss of a batch weighs when those of several are averaged: with 'sum' all batches count alike. */
export function lossWeight(
  loss: Loss,
  { targets, mask }: { readonly targets: Tensor; readonly mask?: Tensor | undefined },
): number {
  const { reduction } = loss.options;
  if (reduction === 'sum') return 1;
  if (reduction === 'sumOverTime') return targets.shape[0]!;
  return loss.meanWeight?.(targets, mask) ?? (mask ? sumOf(mask) : targetCount(targets));
}

/** Ids, or vectors along the last axis. */
const targetCount = ({ dtype, data, shape }: Tensor): number =>
  dtype === 'i32' ? data.length : data.length / shape.at(-1)!;

function sumOf({ data }: Tensor): number {
  let sum = 0;
  for (const value of data) sum += value;
  return sum;
}
