/** What an updater is: a rule, element by element, from a parameter's gradient and its states to its change. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import { parseOptions } from '../../options.js';

/** An updater with its options filled in. */
export interface Updater {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>> & { readonly learningRate: number };
  /** States of each parameter in the order they lie in the updater arena, and the value they start with. */
  readonly states: Readonly<Record<string, number>>;
  /** Numbers that change from step to step, computed in double precision. `iteration` counts from 1. */
  scalars(iteration: number, learningRate: number): Readonly<Record<string, number>>;
  /** New states, and the `change` that is subtracted from the parameter. */
  step(values: StepValues): Readonly<Record<string, Expression>>;
}

/** `gradient`, `parameter`, and the states and scalars by name. */
export type StepValues = Readonly<Record<string, Expression>>;

type Entries = Readonly<Record<string, v.GenericSchema>>;
type Settings<E extends Entries> = v.InferOutput<v.StrictObjectSchema<E, undefined>> & {
  readonly learningRate: number;
};

interface Rule<E extends Entries, State extends string, Scalar extends string> {
  /** Schema of the options; `learningRate` is one of them. */
  readonly options: E;
  /** Start values of the states that these options need. */
  readonly states: (options: Settings<E>) => Readonly<Partial<Record<State, number>>>;
  /** From options (the schedule applied to `learningRate`) and iteration. */
  readonly scalars: (options: Settings<E>, iteration: number) => Readonly<Record<Scalar, number>>;
  readonly step: (
    values: Readonly<Record<'gradient' | 'parameter' | State | Scalar, Expression>>,
    options: Settings<E>,
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
    const settings = parseOptions(schema, options, `updaters.${name}`) as Settings<E>;
    return {
      name,
      options: settings,
      states: rule.states(settings) as Readonly<Record<string, number>>,
      scalars: (iteration, learningRate) => rule.scalars({ ...settings, learningRate }, iteration),
      step: (values) =>
        rule.step(
          values as Readonly<Record<'gradient' | 'parameter' | State | Scalar, Expression>>,
          settings,
        ) as Readonly<Record<string, Expression>>,
    };
  };
}
