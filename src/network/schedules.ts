/** All schedules: a new one is an entry in a file of `schedules/` and a name in the table here. */
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { nearestName, wholeNumber } from '../options.js';
import { cosine, oneCycle } from './schedules/cycles.js';
import { constant, exponential, inverse, map, polynomial, ramp, sigmoid, step } from './schedules/decays.js';
import { plateau } from './schedules/plateau.js';
import { type Progress, passed, type Schedule, type ScheduleData, schedule, unitOption } from './schedules/schedule.js';

export type { Progress, Schedule, ScheduleData } from './schedules/schedule.js';

/** The schema of a schedule within another one's options: a function, or plain data. */
const scheduleOption = v.pipe(
  v.custom<Schedule | ScheduleData>(
    (option) => typeof option === 'function' || isScheduleData(option),
    'a schedule, as schedules.cosine() gives it',
  ),
  v.transform((option) => scheduleOf(option)),
);

/**
 * Rises linearly over the first `steps` iterations or epochs, times what `schedule` gives: 1/steps, 2/steps, ... (Goyal
 * et al. 2017; DL4J's RampSchedule).
 *
 * @param options `steps`; `schedule`: default 1 throughout; `unit`: of `steps`, 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.warmUp({ steps: 100, schedule: schedules.cosine() });
 */
const warmUp = schedule(
  'warmUp',
  { steps: wholeNumber(1), schedule: v.optional(scheduleOption), unit: unitOption },
  ({ steps, schedule = () => 1, unit }) =>
    (progress) =>
      Math.min(1, (passed(progress, unit) + 1) / steps) * schedule(progress),
);

/**
 * One schedule after another: the first until the first milestone, and so on (PyTorch's SequentialLR). Each counts
 * iterations (or epochs, with `unit: 'epoch'`) from its own beginning; what goes by the other unit or by the whole
 * training, as `cosine` without `period` does, counts from the beginning of the training.
 *
 * @param options
 * - `schedules`: two or more
 * - `milestones`: ascending, one less than schedules: the iteration or epoch, from 0, at which the next one begins
 * - `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.sequence({
 *   schedules: [schedules.ramp({ steps: 500 }), schedules.exponential({ factor: 0.999 })],
 *   milestones: [500],
 * });
 */
const sequence = schedule(
  'sequence',
  {
    schedules: v.pipe(v.array(scheduleOption), v.minLength(2)),
    milestones: v.pipe(
      v.array(wholeNumber(1)),
      v.check((milestones) => milestones.every((at, index) => at > (milestones[index - 1] ?? 0)), 'ascending'),
    ),
    unit: unitOption,
  },
  ({ schedules, milestones, unit }) => {
    if (milestones.length !== schedules.length - 1) {
      throw new MnemeError(
        'invalid-option',
        `schedules.sequence: ${schedules.length} schedules need ${schedules.length - 1} milestones between them, got ${milestones.length}.`,
      );
    }
    return (progress) => {
      const position = passed(progress, unit);
      const current = milestones.filter((milestone) => milestone <= position).length;
      const begun = milestones[current - 1] ?? 0;
      return schedules[current]!(unit === 'epoch' ? laterEpoch(progress, begun) : laterIteration(progress, begun));
    };
  },
);

const laterIteration = (progress: Progress, begun: number): Progress => ({
  ...progress,
  iteration: progress.iteration - begun,
});

const laterEpoch = (progress: Progress, begun: number): Progress => ({
  ...progress,
  epoch: progress.epoch - begun,
  losses: progress.losses.slice(begun),
});

export const schedules = {
  constant,
  step,
  map,
  exponential,
  inverse,
  polynomial,
  sigmoid,
  ramp,
  cosine,
  oneCycle,
  plateau,
  warmUp,
  sequence,
} as const;

/**
 * The schedule that plain data stands for; a function is one already.
 * @throws {MnemeError} `invalid-option`
 */
export function scheduleOf(option: Schedule | ScheduleData): Schedule {
  if (typeof option === 'function') return option;
  requireShallow(option);
  const { kind, ...options } = option;
  const kinds = new Map<string, unknown>(Object.entries(schedules));
  const make = kinds.get(kind) as ((options: object) => Schedule) | undefined;
  if (make) return make(options);
  throw new MnemeError(
    'invalid-option',
    `There is no schedule '${kind}'. Did you mean '${nearestName(kind, [...kinds.keys()])}'?`,
  );
}

/** Plain data may come from a file: it must not be so deep that reading it exhausts the stack. */
function requireShallow(data: object, depth = 0): void {
  if (depth > 32) throw new MnemeError('invalid-option', 'The data of a schedule may be nested 32 deep at most.');
  for (const part of Object.values(data))
    if (typeof part === 'object' && part !== null) requireShallow(part, depth + 1);
}

export const isScheduleData = (option: unknown): option is ScheduleData =>
  typeof option === 'object' && option !== null && 'kind' in option && typeof option.kind === 'string';
