/** What training adds to the steps of a recurrent layer: masks that are the same in all of them, and zoneout. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { reshape, type Value } from '../../compute/graph.js';
import { filled, map } from '../../compute/operations/index.js';
import type { Shape } from '../../compute/tensor.js';
import type { Rate } from '../rates.js';
import { dropoutRate, keptOrZero } from './dropout.js';
import type { LayerContext } from './layer.js';

/** Options that every recurrent layer has; an LSTM's zoneout also has a `cell`. */
export const noiseEntries = {
  recurrentDropout: v.optional(dropoutRate, 0),
  variationalDropout: v.optional(
    v.strictObject({ input: v.optional(dropoutRate, 0), output: v.optional(dropoutRate, 0) }),
  ),
  zoneout: v.optional(v.strictObject({ hidden: v.optional(dropoutRate, 0) })),
} as const;

export type NoiseOptions = {
  readonly recurrentDropout: Rate;
  readonly variationalDropout?: { readonly input: Rate; readonly output: Rate } | undefined;
  readonly zoneout?: { readonly hidden: Rate; readonly cell?: Rate } | undefined;
};

/** The rates by the names they are asked for. */
export const noiseRates = ({ recurrentDropout, variationalDropout, zoneout }: NoiseOptions): Record<string, Rate> => ({
  recurrentDropout,
  ...(variationalDropout
    ? { 'variationalDropout.input': variationalDropout.input, 'variationalDropout.output': variationalDropout.output }
    : {}),
  ...(zoneout ? { 'zoneout.hidden': zoneout.hidden, 'zoneout.cell': zoneout.cell ?? 0 } : {}),
});

/** A mask of 0 and 1/(1 - rate), drawn anew in every training step; undefined where nothing is dropped. */
export function dropoutMask(context: LayerContext, rate: string, shape: Shape): Value | undefined {
  return drawn(context, rate, shape, (share, uniform) => keptOrZero(share, constant(1), uniform));
}

/** A sequence `[time, batch, features]` times a mask `[batch, features]`, the same in all steps. */
export function maskedSequence(sequence: Value, mask: Value | undefined): Value {
  if (!mask) return sequence;
  const [time, batch, features] = sequence.shape as [number, number, number];
  // Seen as one long row a step, the mask is one a column.
  const columns = batch * features;
  const product = map((x, m) => x.mul(m), reshape(sequence, [time, columns]), reshape(mask, [columns]));
  return reshape(product, sequence.shape);
}

/**
 * The share of the old state that stays, for `states` of all steps: while training 1 with the probability of that rate,
 * else 0; otherwise the rate itself, which is what is kept on average (Krueger et al. 2017, section 3.3).
 */
export function zoneoutKeep(
  context: LayerContext,
  rate: Rate | undefined,
  name: string,
  states: Shape,
): Value | undefined {
  if (rate === undefined || rate === 0) return undefined;
  if (!context.training) return filled(typeof rate === 'number' ? rate : rate.value, [1]);
  return drawn(context, name, states, (share, uniform) => uniform.less(share).select(1, 0));
}

function drawn(
  context: LayerContext,
  name: string,
  shape: Shape,
  result: (rate: Expression, uniform: Expression) => Expression,
): Value | undefined {
  const rate = context.training ? context.rate(name) : 0;
  if (rate === 0) return undefined;
  const uniform = context.random(shape);
  return typeof rate === 'number'
    ? map((x) => result(constant(rate), x), uniform)
    : map((share, x) => result(share, x), rate, uniform);
}
