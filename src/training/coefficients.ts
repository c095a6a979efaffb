/** Numbers that differ from parameter to parameter, such as the factors of learning rates. */
import { constant, type Expression } from '../compute/expression.js';
import { input, stored, type Value } from '../compute/graph.js';
import { isScheduled, type Rate, rateAt, type Scheduled } from '../network/rates.js';
import type { Progress } from '../network/schedules.js';

/**
 * What a number is for each trained parameter: the sum of terms, each a number a parameter times what a schedule gives.
 * There is one term for each schedule that occurs, and one without.
 */
export type Coefficient = readonly CoefficientTerm[];

export interface CoefficientTerm {
  /** The largest of the rates with the schedule in question. */
  readonly scheduled: Scheduled | undefined;
  /** Of each trained parameter. */
  readonly numbers: readonly number[];
}

/** The coefficient of rates, one for each trained parameter. */
export function coefficientOf(rates: readonly Rate[]): Coefficient {
  const scheduleOf = (rate: Rate) => (isScheduled(rate) ? rate.schedule : undefined);
  const numberOf = (rate: Rate) => (isScheduled(rate) ? rate.value : rate);
  return [...new Set(rates.map(scheduleOf))].map((schedule) => {
    const own = rates.filter((rate) => isScheduled(rate) && rate.schedule === schedule) as Scheduled[];
    return {
      scheduled: own.sort((a, b) => b.value - a.value)[0],
      numbers: rates.map((rate) => (scheduleOf(rate) === schedule ? numberOf(rate) : 0)),
    };
  });
}

/** Whether a term is the same number for all parameters: a constant in an expression, and no array. */
export const isUniform = ({ numbers }: CoefficientTerm): boolean => numbers.every((number) => number === numbers[0]);

/**
 * What the schedules of a coefficient give, by port.
 * @throws {MnemeError} `out-of-range` if a schedule leads out of the range of the option
 */
export const scheduleFactors = (name: string, coefficient: Coefficient, progress: Progress): Record<string, number> =>
  Object.fromEntries(
    coefficient.flatMap(({ scheduled }, index) => {
      if (!scheduled) return [];
      rateAt(scheduled, progress, name);
      return [[factorPort(name, index), scheduled.schedule(progress)]];
    }),
  );

/**
 * The coefficient of one element.
 *
 * @param offsets of the numbers that differ in the updater arena, one a term
 * @param of the element of a value
 */
export const coefficientAt = (
  name: string,
  coefficient: Coefficient,
  { offsets, count }: { readonly offsets: readonly (number | undefined)[]; readonly count: number },
  of: (value: Value) => Expression,
): Expression =>
  coefficient.reduce((sum, { scheduled, numbers }, index) => {
    const offset = offsets[index];
    const array = offset !== undefined && stored('updater', offset, [count], 'f32', `${name}.${index}`);
    const number = array ? of(array) : constant(numbers[0] ?? 0);
    return sum.add(scheduled ? number.mul(of(input(factorPort(name, index), [1], 'f32'))) : number);
  }, constant(0));

const factorPort = (name: string, index: number): string => `${name}.schedule.${index}`;
