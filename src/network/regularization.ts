/** Keeping weights small: penalties in the gradient, and decay beside it. */
import * as v from 'valibot';
import type { Expression } from '../compute/expression.js';
import { parseOptions } from '../options.js';
import { isScheduled, type Rate, rateOption } from './rates.js';
import { type ByGroup, byGroup, type Groups } from './weight-groups.js';

/** What a weight w with gradient g is drawn to zero by; numbers of at least 0, which may be scheduled. */
export interface PenaltyOptions {
  /** g += l1·sign(w), the gradient of l1·|w| (Tibshirani 1996). */
  readonly l1?: ByGroup<Rate> | undefined;
  /** g += l2·w, the gradient of l2·w²/2, as in DL4J and as PyTorch's `weight_decay`. Keras' `L2(x)` is `l2: 2·x`. */
  readonly l2?: ByGroup<Rate> | undefined;
  /**
   * w -= learningRate·decay·w beside the updater and not through it (Loshchilov and Hutter 2019, algorithm 2), as
   * PyTorch's AdamW, Keras' `weight_decay` and DL4J's WeightDecay with `applyLR`.
   */
  readonly decay?: ByGroup<Rate> | undefined;
}

/**
 * Each of `l1`, `l2` and `decay` is one number for kernels, recurrent kernels and embedding tables (biases are left
 * alone, as DL4J does), or an object of numbers by weight group: `{ kernel, recurrent, bias, embedding }`.
 */
export interface RegularizationOptions extends PenaltyOptions {
  /**
   * Where `l1` and `l2` enter the gradient: 'afterClipping' as in DL4J, and in PyTorch where the optimizer does it
   * (default); or 'beforeClipping' as in Keras, where the penalty is part of the loss that is differentiated.
   */
  readonly placement?: Placement | undefined;
}

const placements = ['afterClipping', 'beforeClipping'] as const;
export type Placement = (typeof placements)[number];

/** Penalties by weight group. */
export interface Penalties {
  readonly l1: Groups<Rate>;
  readonly l2: Groups<Rate>;
  readonly decay: Groups<Rate>;
}

// What they are is for `byGroup` to check, which can say more.
const some = v.optional(v.custom<ByGroup<Rate>>(() => true));
const given = { l1: some, l2: some, decay: some };
const penaltySchema = v.strictObject(given);
const schema = v.strictObject({ ...given, placement: v.optional(v.picklist(placements), 'afterClipping') });

/** @throws {MnemeError} `invalid-option` */
export function regularizationOf(
  options: RegularizationOptions | undefined,
  where: string,
): Penalties & { readonly placement: Placement } {
  const { placement, ...penalties } = parseOptions(schema, options, where);
  return { ...sorted(penalties, where), placement };
}

/** Those of one layer. @throws {MnemeError} `invalid-option` */
export const penaltiesOf = (options: PenaltyOptions | undefined, where: string): Penalties =>
  sorted(parseOptions(penaltySchema, options, where), where);

function sorted(options: PenaltyOptions, where: string): Penalties {
  const groups = (name: keyof PenaltyOptions) =>
    byGroup(options[name], rateOption({ minimum: 0 }), isRate, [where, name]) as Groups<Rate>;
  return { l1: groups('l1'), l2: groups('l2'), decay: groups('decay') };
}

/** The gradient with the penalties in it. */
export const penalized = (
  gradient: Expression,
  weight: Expression,
  { l1, l2 }: { readonly l1: Expression; readonly l2: Expression },
): Expression => gradient.add(weight.mul(l2)).add(weight.sign().mul(l1));

/** Whatever is no object of groups: also what is no rate at all, for the schema to refuse. */
const isRate = (option: unknown): boolean => typeof option !== 'object' || option === null || isScheduled(option);
