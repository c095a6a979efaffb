/** Numbers that may change while training: learning rates, momenta, dropout, weight decay. */
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { isWithin, type NumberRange, printRange } from '../options.js';
import { isScheduleData, type Progress, type Schedule, type ScheduleData, scheduleOf } from './schedules.js';

/** A number times what a schedule gives. */
export interface Scheduled {
  readonly value: number;
  readonly schedule: Schedule;
  /** What the product must stay in; default: the finite numbers. */
  readonly range?: NumberRange;
  /** What a file holds: value and schedule, or for a schedule that is a function of the user's own the number alone. */
  toJSON(): RateData;
}

/** A number, the same throughout or scheduled. */
export type Rate = number | Scheduled;

/** A rate as plain data. */
export type RateData = number | { readonly value: number; readonly schedule: ScheduleData };

/**
 * A number that follows a schedule. In a file it is plain data, and comes back from it, with one exception: a schedule
 * that is a function of your own is lost, and what remains is the number alone.
 *
 * @param value what the schedule's factor multiplies
 * @example
 * updaters.sgd({ learningRate: 0.1, momentum: scheduled(0.9, schedules.ramp({ from: 0.5, steps: 1000 })) });
 */
export const scheduled = (value: number, schedule: Schedule): Scheduled => ({
  value,
  schedule,
  toJSON: () => {
    const data = schedule.toJSON?.();
    return data ? { value, schedule: data } : value;
  },
});

type RateInput = number | { readonly value: number; readonly schedule: Schedule | ScheduleData };

/**
 * The schema of such an option: a number, `scheduled(...)`, or its plain data. The number is within `range`, and so is,
 * in every step, what the schedule makes of it.
 */
export const rateOption = (range: NumberRange = {}) =>
  v.pipe(
    v.custom<RateInput>(
      (option) => (typeof option === 'number' ? isWithin(option, range) : isRateInput(option, range)),
      `a finite number${printRange(range)}, or scheduled(such a number, a schedule)`,
    ),
    v.transform(
      (option): Rate =>
        typeof option === 'number' ? option : { ...scheduled(option.value, scheduleOf(option.schedule)), range },
    ),
  );

const isRateInput = (option: unknown, range: NumberRange): boolean =>
  typeof option === 'object' &&
  option !== null &&
  'value' in option &&
  typeof option.value === 'number' &&
  isWithin(option.value, range) &&
  'schedule' in option &&
  (typeof option.schedule === 'function' || isScheduleData(option.schedule));

/**
 * What a rate is at that point of training.
 *
 * @param what the rate, for messages
 * @throws {MnemeError} `out-of-range` if a schedule leads out of the range
 */
export function rateAt(rate: Rate, progress: Progress, what = 'a rate'): number {
  if (typeof rate === 'number') return rate;
  const { value, schedule, range = {} } = rate;
  const product = value * schedule(progress);
  if (isWithin(product, range)) return product;
  throw new MnemeError(
    'out-of-range',
    `The schedule of ${what} leads to ${product} at step ${progress.iteration}, epoch ${progress.epoch}: it must stay a finite number${printRange(range)}.`,
  );
}

export const isScheduled = (rate: unknown): rate is Scheduled =>
  typeof rate === 'object' &&
  rate !== null &&
  'value' in rate &&
  typeof rate.value === 'number' &&
  'schedule' in rate &&
  typeof rate.schedule === 'function';
