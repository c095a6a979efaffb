/** Numbers that may change while training: learning rates, momenta, dropout, weight decay. */
import * as v from 'valibot';
import { finiteNumber, isWithin, type NumberRange, printRange } from '../options.js';
import type { Progress, Schedule } from './schedules.js';

/** A number times what a schedule gives. */
export interface Scheduled {
  readonly value: number;
  readonly schedule: Schedule;
}

/** A number, the same throughout or scheduled. */
export type Rate = number | Scheduled;

/**
 * A number that follows a schedule.
 *
 * @param value what the schedule's factor multiplies
 * @example
 * updaters.sgd({ learningRate: 0.1, momentum: scheduled(0.9, schedules.ramp({ from: 0.5, steps: 1000 })) });
 */
export const scheduled = (value: number, schedule: Schedule): Scheduled => ({ value, schedule });

/** The schema of such an option; `range` holds for the number that the schedule multiplies. */
export const rateOption = (range: NumberRange = {}) =>
  v.union([
    finiteNumber(range),
    v.custom<Scheduled>(
      (option) => isScheduled(option) && isWithin(option.value, range),
      `a finite number${printRange(range)}, or scheduled(such a number, a schedule)`,
    ),
  ]);

/** What a rate is at that point of training. */
export const rateAt = (rate: Rate, progress: Progress): number =>
  typeof rate === 'number' ? rate : rate.value * rate.schedule(progress);

export const isScheduled = (rate: unknown): rate is Scheduled =>
  typeof rate === 'object' &&
  rate !== null &&
  'value' in rate &&
  typeof rate.value === 'number' &&
  'schedule' in rate &&
  typeof rate.schedule === 'function';
