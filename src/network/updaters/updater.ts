/** What an updater is: a rule, element by element, from a parameter's gradient and its states to its change. */
import * as v from 'valibot';
import { Expression, expressionOf } from '../../compute/expression.js';
import { MnemeError, requireArgument } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { isScheduled, type Rate, rateAt, rateOption, type Scheduled } from '../rates.js';
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
   * @throws {MnemeError} `out-of-range` if a schedule leads out of the range of an option
   */
  scalars(progress: Progress, factor: number): Readonly<Record<string, number>>;
  /** New states, and the `change` that is subtracted from the parameter. */
  step(values: StepValues): Readonly<Record<string, Expression>>;
}

/** `gradient`, `parameter`, and the states and scalars by name. */
export type StepValues = Readonly<Record<string, Expression>>;

/** A number stands for a rate with that default, which may be any finite number and may be scheduled. */
type Entry = v.GenericSchema | number;
type Entries = Readonly<Record<string, Entry>> & { readonly learningRate: Entry };
type RateSchema = v.OptionalSchema<ReturnType<typeof rateOption>, number>;
type Schema<E extends Entries> = v.StrictObjectSchema<
  { readonly [Name in keyof E]: E[Name] extends v.GenericSchema ? E[Name] : RateSchema },
  undefined
>;
type Settings<E extends Entries> = v.InferOutput<Schema<E>>;
/** Options with what is scheduled replaced: by the number it is at a step, or by the expression that stands for it. */
type With<E extends Entries, Replacement> = {
  readonly [Name in keyof Settings<E>]: Scheduled extends Settings<E>[Name]
    ? Exclude<Settings<E>[Name], Scheduled> | Replacement
    : Settings<E>[Name];
};
type States<State extends string> = Readonly<Partial<Record<State, number>>>;

/** What an updater is made of. All but `step` may be left out. */
export interface UpdaterRule<E extends Entries, State extends string, Scalar extends string> {
  /**
   * Options by name, each a number (its default; any finite number will do, or a scheduled one) or a schema of valibot's.
   * `learningRate` is one of them. Default: `{ learningRate: 1e-3 }`.
   */
  readonly options?: E;
  /** The states that each parameter has, and the value they start with; may depend on the options. Default: none. */
  readonly states?: States<State> | ((options: Settings<E>) => States<State>);
  /**
   * Numbers that are computed once a step, in double precision, from the options as they are at this step and from its
   * number, from 1. Default: the learning rate.
   */
  readonly scalars?: (options: With<E, number>, iteration: number) => Readonly<Record<Scalar, number>>;
  /**
   * From a parameter, its gradient, its states and the scalars to its new states and the `change` that is subtracted
   * from it. In `options`, a rate that is scheduled is an expression, else a number; the learning rate is not among them.
   */
  readonly step: (
    values: Readonly<Record<'gradient' | 'parameter' | State | Scalar, Expression>>,
    options: Omit<With<E, Expression>, 'learningRate'>,
  ) => Readonly<Partial<Record<State, Expression | number>>> & { readonly change: Expression | number };
}
/**
 * Makes an updater of its rule. The compiler fuses the rule into one instruction over all parameters, so it runs as fast
 * as those that are built in.
 *
 * @param name what its states are called after, in checkpoints too
 * @throws {MnemeError} `invalid-argument`, when it is first used, if `step` does not return `change` and every state
 * @example
 * const signSgd = updater('signSgd', {
 *   step: ({ gradient, learningRate }) => ({ change: gradient.sign().mul(learningRate) }),
 * });
 * createTrainer(model, { loss, updater: signSgd({ learningRate: 1e-4 }) });
 */
export function updater<
  const E extends Entries = { readonly learningRate: number },
  State extends string = never,
  Scalar extends string = 'learningRate',
>(name: string, rule: UpdaterRule<E, State, Scalar>): (options?: v.InferInput<Schema<E>>) => Updater {
  requireArgument(typeof name === 'string' && name !== '', 'updater', 'a name', name);
  requireArgument(typeof rule?.step === 'function', `updater '${name}'`, 'a rule with a function step', rule);
  const schema = schemaOf(name, rule);
  const scalarsOf = rule.scalars ?? (({ learningRate }) => ({ learningRate }) as Record<Scalar, number>);
  return (options) => {
    const settings = parseOptions(schema, options, `updaters.${name}`);
    const { learningRate, ...others } = settings as Updater['options'];
    const rates = scheduledIn(others);
    const states = typeof rule.states === 'function' ? rule.states(settings) : (rule.states ?? {});
    requireNumbers(`updater '${name}': state`, states);
    return {
      name,
      options: settings as Updater['options'],
      states: states as Readonly<Record<string, number>>,
      scalars: (progress, factor) => {
        const at = (rate: Rate, option: string) => rateAt(rate, progress, `option '${option}' of updaters.${name}`);
        const now = mapValues(rates, at);
        const current = { ...settings, ...now, learningRate: at(learningRate, 'learningRate') * factor };
        const scalars = scalarsOf(current as unknown as With<E, number>, progress.iteration);
        requireNumbers(`updater '${name}' at step ${progress.iteration}: scalar`, scalars);
        return { ...prefixed(`${name}.`, scalars), ...prefixed(`${name}.scheduled.`, now) };
      },
      step: (values) => {
        const own = (prefix: string) =>
          Object.fromEntries(
            Object.entries(values).flatMap(([key, value]) =>
              key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
            ),
          );
        const result = rule.step(
          { ...values, ...own(`${name}.`) } as Parameters<typeof rule.step>[0],
          { ...settings, ...own(`${name}.scheduled.`) } as unknown as With<E, Expression>,
        );
        requireNames(name, Object.keys(states), Object.keys(own(`${name}.`)));
        requireResults(name, ['change', ...Object.keys(states)], result);
        return mapValues(result as Readonly<Record<string, Expression | number>>, expressionOf);
      },
    };
  };
}

function schemaOf<E extends Entries>(name: string, { options }: { readonly options?: E }): Schema<E> {
  const entries: Entries = options ?? { learningRate: 1e-3 };
  const isEntry = (entry: unknown) => typeof entry === 'number' || (typeof entry === 'object' && entry !== null);
  requireArgument(
    'learningRate' in entries && Object.values(entries).every(isEntry),
    `updater '${name}': options`,
    'numbers or schemas, learningRate among them',
    entries,
  );
  const schemas = mapValues(entries, (entry) => (typeof entry === 'number' ? v.optional(rateOption(), entry) : entry));
  return v.strictObject(schemas) as unknown as Schema<E>;
}

const scheduledIn = (settings: object): Record<string, Scheduled> =>
  Object.fromEntries(Object.entries(settings).filter((entry): entry is [string, Scheduled] => isScheduled(entry[1])));

const mapValues = <From, To>(
  from: Readonly<Record<string, From>>,
  convert: (value: From, key: string) => To,
): Record<string, To> => Object.fromEntries(Object.entries(from).map(([key, value]) => [key, convert(value, key)]));

/** A scalar is a port of the step's program: its name must be nobody else's. */
const prefixed = (prefix: string, scalars: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(scalars).map(([key, value]) => [prefix + key, value]));

function requireNumbers(where: string, numbers: Readonly<Record<string, unknown>>): void {
  requireArgument(typeof numbers === 'object' && numbers !== null, `${where}s`, 'an object of numbers', numbers);
  const wrong = Object.entries(numbers).find(([, value]) => !Number.isFinite(value));
  if (wrong) throw new MnemeError('not-finite', `${where} '${wrong[0]}' is ${wrong[1]}: it must be a finite number.`);
}

/** What `step` is given has one name each, and so has what it returns. */
function requireNames(name: string, states: readonly string[], scalars: readonly string[]): void {
  const all = ['gradient', 'parameter', 'change', ...states, ...scalars];
  const twice = all.find((key, index) => all.indexOf(key) !== index);
  if (twice === undefined) return;
  throw new MnemeError(
    'invalid-argument',
    `updater '${name}': '${twice}' is there twice among its states, its scalars, gradient, parameter and change: call one of them otherwise.`,
  );
}

function requireResults(name: string, expected: readonly string[], result: object): void {
  requireArgument(
    typeof result === 'object' && result !== null,
    `updater '${name}': step`,
    'an object of results',
    result,
  );
  const given = Object.keys(result);
  const odd = Object.entries(result).find(([, value]) => !(value instanceof Expression) && typeof value !== 'number');
  if (odd) requireArgument(false, `updater '${name}': '${odd[0]}' that step returns`, 'an expression', odd[1]);
  const [missing] = expected.filter((key) => !given.includes(key));
  const [unknown] = given.filter((key) => !expected.includes(key));
  if (missing === undefined && unknown === undefined) return;
  throw new MnemeError(
    'invalid-argument',
    `updater '${name}': step must return ${expected.join(', ')}; ${missing === undefined ? `'${unknown}' is no state of it` : `'${missing}' is missing`}.`,
  );
}
