/** What a schedule is: a factor over time. */
import * as v from 'valibot';
import { parseOptions } from '../../options.js';

/** Where training stands when a step begins. */
export interface Progress {
  /** The update of the parameters that the step belongs to, from 1: the step itself, where gradients are not accumulated. */
  readonly iteration: number;
  /** From 0. */
  readonly epoch: number;
  /** Of the epochs, or of the seconds, that `fit` was asked for: from 0 to 1. */
  readonly fraction: number;
  /** Of each pass that is finished: the validation loss where there is one, else the training loss. */
  readonly losses: readonly number[];
}

/**
 * A factor: what a learning rate, a momentum, a dropout rate or a weight decay is multiplied by. Any function of the
 * progress will do; it keeps nothing, so that a training that is taken up again goes on as it would have.
 *
 * @example
 * createTrainer(model, { loss, updater, schedule: ({ epoch }) => 1 / (1 + epoch) });
 */
export interface Schedule {
  (progress: Progress): number;
  /** What a file holds of it: undefined, or absent, for a function of the user's own. */
  toJSON?(): ScheduleData | undefined;
}

/** A schedule as plain data: the name it has in `schedules`, and its options. */
export interface ScheduleData {
  readonly kind: string;
  readonly [option: string]: unknown;
}

type Entries = Readonly<Record<string, v.GenericSchema>>;
type Input<E extends Entries> = v.InferInput<v.StrictObjectSchema<E, undefined>>;
type Settings<E extends Entries> = v.InferOutput<v.StrictObjectSchema<E, undefined>>;

/** Makes a kind of schedule of the schema of its options and its rule. What it gives is finite: it ends at 1.8e308. */
export function schedule<E extends Entries>(
  kind: string,
  entries: E,
  rule: (options: Settings<E>) => (progress: Progress) => number,
): (...options: Record<string, never> extends Input<E> ? [options?: Input<E>] : [options: Input<E>]) => Schedule {
  const schema = v.strictObject(entries);
  return (...[options]) => {
    const settings = parseOptions(schema, options, `schedules.${kind}`);
    const factor = rule(settings);
    const toJSON = (): ScheduleData | undefined => {
      const data = { kind, ...(settings as object) };
      return Object.values(data).flat().every(isPlain) ? data : undefined;
    };
    return Object.assign((progress: Progress) => Math.min(factor(progress), Number.MAX_VALUE), { toJSON });
  };
}

/** Whether a file can hold it: everything but schedules that are functions of the user's own. */
const isPlain = (option: unknown): boolean =>
  typeof option !== 'function' || (option as Schedule).toJSON?.() !== undefined;

/** What a schedule counts: an iteration is a step of the trainer, an epoch a pass over the data; both from 0. */
export const unitOption = v.optional(v.picklist(['iteration', 'epoch']), 'iteration');
export type Unit = v.InferOutput<typeof unitOption>;

/** How many of them have passed. */
export const passed = ({ iteration, epoch }: Progress, unit: Unit): number =>
  unit === 'epoch' ? epoch : iteration - 1;
