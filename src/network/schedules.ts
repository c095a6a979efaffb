/** Factors over time: what a learning rate, a momentum, a dropout rate or a weight decay is multiplied by. */
import * as v from 'valibot';
import { finiteNumber, parseOptions, wholeNumber } from '../options.js';

/** Where training stands when a step begins. */
export interface Progress {
  /** Of this trainer's steps, from 1. */
  readonly iteration: number;
  /** From 0. */
  readonly epoch: number;
  /** Of the epochs, or of the seconds, that `fit` was asked for: from 0 to 1. */
  readonly fraction: number;
  /** Of each pass that is finished: the validation loss where there is one, else the training loss. */
  readonly losses: readonly number[];
}

/**
 * A factor. Any function of the progress will do; it keeps nothing, so that a training that is taken up again goes on
 * as it would have.
 */
export type Schedule = (progress: Progress) => number;

const cosineSchema = v.strictObject({ final: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 0) });
const warmUpSchema = v.strictObject({
  steps: wholeNumber(1),
  schedule: v.optional(v.custom<Schedule>((value) => typeof value === 'function', 'a schedule')),
});

export const schedules = {
  /** 1 throughout. */
  constant: (): Schedule => () => 1,

  /**
   * Half a cosine wave from 1 to `final` (default 0) over the whole training (Loshchilov and Hutter 2017, without
   * restarts).
   */
  cosine(options: v.InferInput<typeof cosineSchema> = {}): Schedule {
    const { final } = parseOptions(cosineSchema, options, 'schedules.cosine');
    return ({ fraction }) => final + ((1 - final) * (1 + Math.cos(Math.PI * Math.min(fraction, 1)))) / 2;
  },

  /**
   * Rises linearly over the first `steps` steps, times what `schedule` gives (default 1).
   * @example
   * schedules.warmUp({ steps: 100, schedule: schedules.cosine() });
   */
  warmUp(options: v.InferInput<typeof warmUpSchema>): Schedule {
    const { steps, schedule = () => 1 } = parseOptions(warmUpSchema, options, 'schedules.warmUp');
    return (progress) => Math.min(1, progress.iteration / steps) * schedule(progress);
  },
} as const;
