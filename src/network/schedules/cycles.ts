/** Schedules that rise and fall. */
import * as v from 'valibot';
import { MnemeError } from '../../errors.js';
import { finiteNumber, wholeNumber } from '../../options.js';
import { passed, schedule, unitOption } from './schedule.js';

/** From `from` to `to` along half a cosine wave, at a share of the way. */
const halfWave = (from: number, to: number, share: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;

/**
 * Half a cosine wave from 1 to `final` (Loshchilov and Hutter 2017, equation 5): over the whole training, or with
 * `period` over so many iterations or epochs, then again from the top in periods `multiplier` times as long each (warm
 * restarts; PyTorch's CosineAnnealingWarmRestarts, Keras' CosineDecayRestarts).
 *
 * @param options
 * - `final`: from 0 to 1, default 0
 * - `period`: length of the first wave; default: one wave over the whole training
 * - `multiplier`: whole number, default 1
 * - `decay`: height of the top from one wave to the next, from 0 to 1, default 1
 * - `unit`: of the period, 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.cosine({ period: 10, multiplier: 2, unit: 'epoch' });
 */
export const cosine = schedule(
  'cosine',
  {
    final: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 0),
    period: v.optional(wholeNumber(1)),
    multiplier: v.optional(wholeNumber(1), 1),
    decay: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 1),
    unit: unitOption,
  },
  ({ final, period, multiplier, decay, unit }) =>
    (progress) => {
      if (period === undefined) return halfWave(1, final, Math.min(progress.fraction, 1));
      const { wave, share } = waveAt(passed(progress, unit), period, multiplier);
      return final + (1 - final) * decay ** wave * halfWave(1, 0, share);
    },
);

/** Which wave it is, from 0, and how far it has come. */
function waveAt(position: number, period: number, multiplier: number): { wave: number; share: number } {
  if (multiplier === 1) return { wave: Math.floor(position / period), share: (position % period) / period };
  let [wave, start, length] = [0, 0, period];
  while (position >= start + length) [wave, start, length] = [wave + 1, start + length, length * multiplier];
  return { wave, share: (position - start) / length };
}

/**
 * One cycle: from `initial` up to `peak` and down to `final` (Smith and Topin 2019; PyTorch's OneCycleLR, whose rate is
 * that of the peak). With `phases: 3` it comes down to `initial` as steeply as it went up, and then to `final` (DL4J's
 * CycleSchedule). A momentum goes the other way: `initial` and `final` 1, `peak` below.
 *
 * @param options
 * - `steps`: iterations or epochs of the cycle; default: the whole training
 * - `rise`: share of the cycle in which it rises, above 0 and below 1 (at most 1/2 with three phases), default 0.3
 * - `initial`: default 1/25; `peak`: default 1; `final`: default 1/250000; all at least 0
 * - `phases`: 2 (default) or 3
 * - `shape`: 'cosine' (default) or 'linear'
 * - `unit`: of `steps`, 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.sgd({
 *   learningRate: scheduled(0.5, schedules.oneCycle({ steps: 2000 })),
 *   momentum: scheduled(0.95, schedules.oneCycle({ steps: 2000, initial: 1, peak: 0.9, final: 1 })),
 * });
 */
export const oneCycle = schedule(
  'oneCycle',
  {
    steps: v.optional(wholeNumber(2)),
    rise: v.optional(finiteNumber({ above: 0, below: 1 }), 0.3),
    initial: v.optional(finiteNumber({ minimum: 0 }), 1 / 25),
    peak: v.optional(finiteNumber({ minimum: 0 }), 1),
    final: v.optional(finiteNumber({ minimum: 0 }), 1 / 250_000),
    phases: v.optional(v.picklist([2, 3]), 2),
    shape: v.optional(v.picklist(['cosine', 'linear']), 'cosine'),
    unit: unitOption,
  },
  ({ steps, rise, initial, peak, final, phases, shape, unit }) => {
    if (phases === 3 && rise > 0.5) {
      throw new MnemeError(
        'invalid-option',
        `schedules.oneCycle: three phases need a rise of at most 0.5, so that it may fall as long; got ${rise}.`,
      );
    }
    // The first and the last step lie on the ends of the cycle, so it has one interval less than steps.
    const last = steps === undefined ? 1 : steps - 1;
    const top = steps === undefined ? rise : rise * steps - 1;
    const corners =
      phases === 2
        ? [
            [0, initial],
            [top, peak],
            [last, final],
          ]
        : [
            [0, initial],
            [top, peak],
            [2 * top, initial],
            [last, final],
          ];
    const between = shape === 'cosine' ? halfWave : straight;
    return (progress) => {
      const position = Math.min(last, steps === undefined ? progress.fraction : passed(progress, unit));
      const next = Math.max(
        1,
        corners.findIndex(([at]) => position <= at!),
      );
      const [[start, from], [end, to]] = [corners[next - 1]!, corners[next]!] as [[number, number], [number, number]];
      // A cycle of few steps may have its top before the first.
      return end > start ? between(from, to, (position - start) / (end - start)) : to;
    };
  },
);

const straight = (from: number, to: number, share: number): number => (1 - share) * from + share * to;
