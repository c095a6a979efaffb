/** What an updater is: a rule, element by element, from a parameter's gradient and its states to its change. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import { parseOptions } from '../../options.js';
import { isScheduled, type Rate, rateAt, type Scheduled } from '../rates.js';
import type { Progress } from '../schedules.js';

/** An updater with its options filled in. */
export interface Updater {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>> & { readonly learningRate: Rate };
  /** States of each parameter in the order they lie in the updater arena, and the value they start with. */
  readonly states: Readonly<Record<string, number>>;
  /**
   * Numbers that change from step to step, computed in double precision; always the same names.
   *
   * @param factor multiplies the learning rate
   */
  scalars(progress: Progress, factor: number): Readonly<Record<string, number>>;
  /** New states, and the `change` that is subtracted from the parameter. */
  step(values: StepValues): Readonly<Record<string, Expression>>;
}

/** `gradient`, `parameter`, and the states and scalars by name. */
export type StepValues = Readonly<Record<string, Expression>>;

type Entries = Readonly<Record<string, v.GenericSchema>>;
type Settings<E extends Entries> = v.InferOutput<v.StrictObjectSchema<E, undefined>>;
/** Options with what is scheduled replaced: by the number it is at a step, or by the expression that stands for it. */
type With<E extends Entries, Replacement> = {
  readonly [Name in keyof Settings<E>]: Scheduled extends Settings<E>[Name]
    ? Exclude<Settings<E>[Name], Scheduled> | Replacement
    : Settings<E>[Name];
} & { readonly learningRate: number };

interface Rule<E extends Entries, State extends string, Scalar extends string> {
  /** Schema of the options; `learningRate` is one of them. What `rateOption` describes may be scheduled. */
  readonly options: E;
  /** Start values of the states that these options need. */
  readonly states: (options: Settings<E>) => Readonly<Partial<Record<State, number>>>;
  /** From the options as they are at this step, and its number, from 1. */
  readonly scalars: (options: With<E, number>, iteration: number) => Readonly<Record<Scalar, number>>;
  /** In `options`, a rate that is scheduled is an expression, else a number. */
  readonly step: (
    values: Readonly<Record<'gradient' | 'parameter' | State | Scalar, Expression>>,
    options: With<E, Expression>,
  ) => Readonly<Partial<Record<State, Expression>>> & { readonly change: Expression };
}

/**
 * Makes an updater of its rule. The compiler fuses the rule into one instruction over all parameters.
 *
 * @example
 * export const signSgd = updater('signSgd', {
 *   options: { learningRate: v.optional(finiteNumber({ minimum: 0 }), 1e-3) },
 *   states: () => ({}),
 *   scalars: ({ learningRate }) => ({ rate: learningRate }),
 *   step: ({ gradient, rate }) => ({ change: gradient.sign().mul(rate) }),
 * });
 */
export function updater<E extends Entries, State extends string, Scalar extends string>(
  name: string,
  rule: Rule<E, State, Scalar>,
): (options?: v.InferInput<v.StrictObjectSchema<E, undefined>>) => Updater {
  const schema = v.strictObject(rule.options);
  return (options) => {
    const settings = parseOptions(schema, options, `updaters.${name}`);
    const entries = Object.entries(settings as Record<string, unknown>);
    const changing = entries.flatMap(([key, value]) =>
      key !== 'learningRate' && isScheduled(value) ? [[key, value] as const] : [],
    );
    return {
      name,
      options: settings as Updater['options'],
      states: rule.states(settings) as Readonly<Record<string, number>>,
      scalars: (progress, factor) => {
        const now = Object.fromEntries(changing.map(([key, rate]) => [key, rateAt(rate, progress)]));
        const learningRate = rateAt((settings as Updater['options']).learningRate, progress) * factor;
        const current = { ...(settings as object), ...now, learningRate } as With<E, number>;
        const named = Object.entries(now).map(([key, value]) => [scalarOf(key), value]);
        return { ...rule.scalars(current, progress.iteration), ...Object.fromEntries(named) };
      },
      step: (values) => {
        const expressions = changing.map(([key]) => [key, values[scalarOf(key)]]);
        const current = { ...(settings as object), ...Object.fromEntries(expressions) } as With<E, Expression>;
        return rule.step(
          values as Readonly<Record<'gradient' | 'parameter' | State | Scalar, Expression>>,
          current,
        ) as Readonly<Record<string, Expression>>;
      },
    };
  };
}

/** The scalar that stands for a scheduled option. */
const scalarOf = (option: string): string => `scheduled.${option}`;
