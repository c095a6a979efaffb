/** Averages of the weights over the updates of a training. */
import * as v from 'valibot';
import { finiteNumber, parseOptions, wholeNumber } from '../options.js';

const when = { from: v.optional(wholeNumber(0), 0), every: v.optional(wholeNumber(1), 1) };
const exponentialSchema = v.strictObject({
  kind: v.literal('exponential'),
  decay: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.999),
  start: v.optional(v.picklist(['corrected', 'first']), 'corrected'),
  ...when,
});
const stochasticSchema = v.strictObject({ kind: v.literal('stochastic'), ...when });
const kindSchema = v.strictObject({ ...exponentialSchema.entries, kind: v.picklist(['exponential', 'stochastic']) });

/**
 * Takes weights into the average after update `from + every`, `from + 2·every` and so on; `from`: at least 0, default 0;
 * `every`: at least 1, default 1.
 * - `{ kind: 'exponential' }`: average = decay·average + (1 - decay)·weights (Polyak and Juditsky 1992 for the idea), `decay` in
 *   [0, 1), default 0.999. `start`: 'corrected' divides by 1 - decay^n as Adam does, so that all weights count by their
 *   age alone (default); 'first' begins with a copy of the first weights, as Keras' `use_ema` and PyTorch's AveragedModel do
 * - `{ kind: 'stochastic' }`: the mean of all of them (stochastic weight averaging, Izmailov et al. 2018)
 */
export type AveragingOptions = v.InferInput<typeof exponentialSchema> | v.InferInput<typeof stochasticSchema>;
export type Averaging = v.InferOutput<typeof exponentialSchema> | v.InferOutput<typeof stochasticSchema>;

/** @throws {MnemeError} `invalid-option` */
export function averagingOf(options: AveragingOptions, where: string): Averaging {
  const { kind } = parseOptions(kindSchema, options, where);
  return kind === 'exponential'
    ? parseOptions(exponentialSchema, options, where)
    : parseOptions(stochasticSchema, options, where);
}

/** How often weights were taken into the average by the end of an update, from 1. */
export const timesAveraged = ({ from, every }: Averaging, iteration: number): number =>
  Math.max(0, Math.floor((iteration - from) / every));

/** The share that the weights after an update, from 1, get in the average: 0 where they are not taken into it. */
export function averagingWeight(averaging: Averaging, iteration: number): number {
  const times = timesAveraged(averaging, iteration);
  if (times === timesAveraged(averaging, iteration - 1)) return 0;
  if (times === 1) return 1;
  if (averaging.kind === 'stochastic') return 1 / times;
  const { decay, start } = averaging;
  return start === 'first' ? 1 - decay : (1 - decay) / (1 - decay ** times);
}
