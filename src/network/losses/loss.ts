/** What a loss is, and how the losses of single targets become one number. */
import * as v from 'valibot';
import type { Value } from '../../compute/graph.js';
import { printShape, sameShape, type Tensor } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';

/** What a loss is given: both time-major, `[time, batch, ...]`, or `[batch, ...]` where the output is no sequence. */
export interface LossContext {
  /** The output of the last layer. */
  readonly output: Value;
  /** Of the output's shape (f32), or one id for each row of it (i32). */
  readonly targets: Value;
  /**
   * Weights of the targets, of the output's shape without its last axis (f32): what is 0 does not count, whatever its
   * output and target are. Absent: all count alike.
   */
  readonly mask?: Value | undefined;
  /** The loss's `constants`, where it has any. */
  readonly constants?: Readonly<Record<string, Value>>;
}

export interface Loss {
  readonly name: string;
  readonly options: { readonly reduction: Reduction };
  /** `ids`: targets may be i32 ids, one a row. `vectors`: they may have the shape of the output. */
  readonly targets: readonly ('ids' | 'vectors')[];
  /** Arrays that the loss needs and that never change, such as the weights of classes. */
  readonly constants?: Readonly<Record<string, Tensor>>;
  /** The loss, `[1]`. */
  apply(context: LossContext): Value;
}

/**
 * How the losses of single targets become one number:
 * - `mean`: over all steps and rows, as Keras and PyTorch do by default
 * - `sumOverTime`: summed over the steps, mean over the rows of the batch, as DL4J does
 */
export const reductions = ['mean', 'sumOverTime'] as const;
export type Reduction = (typeof reductions)[number];

export const reductionSchema = v.strictObject({ reduction: v.optional(v.picklist(reductions), 'mean') });
export type LossOptions = v.InferInput<typeof reductionSchema>;

/** The factor that a sum over all targets is multiplied by. */
export function reductionScale({ output }: LossContext, reduction: Reduction): number {
  const rows = output.shape.slice(0, -1);
  const batch = rows.at(-1) ?? 1;
  return 1 / (reduction === 'mean' ? rows.reduce((product, extent) => product * extent, 1) : batch);
}

/** How many targets (or rows, for 'sumOverTime') a loss of a batch stands for when several are averaged. */
export const lossWeight = (reduction: Reduction, batch: number, time: number): number =>
  reduction === 'mean' ? batch * time : batch;

/** @throws {MnemeError} `invalid-shape` unless the targets have the shape of the output */
export function checkSameShape(name: string, { output, targets }: LossContext): void {
  if (sameShape(output.shape, targets.shape)) return;
  throw new MnemeError(
    'invalid-shape',
    `losses.${name}: targets must have the shape of the network's output, ${printShape(output.shape)}, got ${printShape(targets.shape)}.`,
  );
}
