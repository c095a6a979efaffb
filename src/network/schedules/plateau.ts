/** A schedule that falls when the loss does not. */
import * as v from 'valibot';
import { finiteNumber, wholeNumber } from '../../options.js';
import { schedule } from './schedule.js';

const entries = {
  factor: v.optional(finiteNumber({ minimum: 0, below: 1 }), 0.1),
  patience: v.optional(wholeNumber(0), 10),
  threshold: v.optional(finiteNumber({ minimum: 0 }), 1e-4),
  thresholdKind: v.optional(v.picklist(['relative', 'absolute']), 'relative'),
  cooldown: v.optional(wholeNumber(0), 0),
  minimum: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 0),
  formula: v.optional(v.picklist(['pytorch', 'keras']), 'pytorch'),
};
type Settings = v.InferOutput<v.StrictObjectSchema<typeof entries, undefined>>;

/**
 * 1, and `factor` times less whenever the loss of an epoch (of validation where there is one) has not become better
 * for some epochs: ReduceLROnPlateau of PyTorch or Keras, which count differently. All losses so far are looked at in
 * every step, so nothing has to be kept.
 *
 * @param options
 * - `factor`: at least 0 and below 1, default 0.1
 * - `patience`: epochs without a better loss that are borne: the next one lowers the rate (with `formula: 'keras'` the
 *   last of them does), default 10
 * - `threshold`: a loss is better below best·(1 - threshold), or with `thresholdKind: 'absolute'` (as Keras has it) below
 *   best - threshold; default 1e-4, 'relative'
 * - `cooldown`: epochs after a fall that are not counted ('keras': one less), default 0
 * - `minimum`: the factor does not fall below it, from 0 to 1, default 0
 * - `formula`: 'pytorch' (default) or 'keras'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.plateau({ factor: 0.5, patience: 3 });
 */
export const plateau = schedule(
  'plateau',
  entries,
  (options) =>
    ({ losses }) =>
      (options.formula === 'keras' ? asKeras : asPytorch)(losses, options),
);

const isBetter = (loss: number, best: number, { threshold, thresholdKind }: Settings): boolean =>
  loss < (thresholdKind === 'absolute' ? best - threshold : best * (1 - threshold));

/** In the cooldown no epoch is bad; a fall follows the epoch that makes more bad ones than patience bears. */
function asPytorch(losses: readonly number[], options: Settings): number {
  const { factor, patience, cooldown, minimum } = options;
  let [height, best, bad, cooling] = [1, Number.POSITIVE_INFINITY, 0, 0];
  for (const loss of losses) {
    const better = isBetter(loss, best, options);
    if (better) best = loss;
    bad = better || cooling > 0 ? 0 : bad + 1;
    cooling = Math.max(0, cooling - 1);
    if (bad > patience) [height, bad, cooling] = [Math.max(height * factor, minimum), 0, cooldown];
  }
  return height;
}

/** The cooldown's last epoch counts already; a fall follows the epoch that uses patience up. */
function asKeras(losses: readonly number[], options: Settings): number {
  const { factor, patience, cooldown, minimum } = options;
  let [height, best, bad, cooling] = [1, Number.POSITIVE_INFINITY, 0, 0];
  for (const loss of losses) {
    if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
    if (isBetter(loss, best, options)) [best, bad] = [loss, 0];
    else if (cooling === 0) {
      bad += 1;
      if (bad >= patience) [height, bad, cooling] = [Math.max(height * factor, minimum), 0, cooldown];
    }
  }
  return height;
}
