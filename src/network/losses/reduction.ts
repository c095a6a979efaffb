/** How the losses of single targets become one number. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { filled, map, reduceSum } from '../../compute/operations/index.js';

/**
 * With `w` the weight that a mask gives each target, or 1:
 * - `mean`: Σ w·loss / Σ w over all steps and rows, as Keras and PyTorch do by default. 0, with the gradient 0, where
 *   every weight is 0
 * - `sumOverTime`: Σ w·loss / rows of the batch, as DL4J does: a mask makes it smaller
 * - `sum`: Σ w·loss
 */
export const reductions = ['mean', 'sumOverTime', 'sum'] as const;
export type Reduction = (typeof reductions)[number];

export const reductionEntries = { reduction: v.optional(v.picklist(reductions), 'mean') };

/** What the loss of each target is multiplied by before all are added up. */
export interface Weighting {
  readonly scale: number;
  /** One a target, of the output's shape without its last axis; absent: 1. A target of weight 0 must not be looked at. */
  readonly weights: Value | undefined;
}

/**
 * The weighting of a reduction.
 *
 * @param given `weights`: of the targets; `divisor`: what 'mean' divides by the sum of, where that is not their number.
 *   Default: both the mask
 */
export function weightingOf(
  { output, mask }: { readonly output: Value; readonly mask?: Value | undefined },
  reduction: Reduction,
  given: { readonly weights: Value | undefined; readonly divisor: Value | undefined } = {
    weights: mask,
    divisor: mask,
  },
): Weighting {
  const { weights, divisor } = given;
  const rows = output.shape.slice(0, -1);
  if (reduction === 'sum') return { scale: 1, weights };
  if (reduction === 'sumOverTime') return { scale: 1 / (rows.at(-1) ?? 1), weights };
  if (!divisor) return { scale: 1 / rows.reduce((product, extent) => product * extent, 1), weights };
  const total = reduceSum(divisor, { axis: 'all' });
  const all = weights ?? filled(1, divisor.shape);
  return { scale: 1, weights: map((weight, sum) => sum.equal(0).select(0, weight.div(sum)), all, total) };
}

/** One a row, as `map` and `reduceSum` stretch them over the columns. */
export const perRow = (weights: Value): Value => reshape(weights, [...weights.shape, 1]);
