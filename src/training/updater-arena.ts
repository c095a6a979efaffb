/**
 * The updater arena: what training keeps from step to step besides the parameters. First what changes: each state of
 * the updater, the gradient that is being accumulated and the averaged weights, where there are any, each in the layout
 * of the trained parameters; then the number of steps that took effect (f32, modulo `sequenceModulus`) and that number as
 * the counter of random numbers (i32). Behind it the lowest and highest of the parameters and
 * of each state, where updates are proven, and the numbers that differ between parameters and stay.
 */
import { isUniform } from './coefficients.js';
import { isProvable } from './proof.js';
import { type CoefficientName, coefficientNames, type TrainingRule } from './rule.js';

/** Steps are counted in f32, where whole numbers up to 2^24 are exact. */
export const sequenceModulus = 2 ** 24;

/** Where everything lies, in elements. */
export interface UpdaterLayout {
  readonly states: readonly { readonly name: string; readonly start: number; readonly offset: number }[];
  readonly accumulated: number | undefined;
  readonly average: number | undefined;
  readonly completed: number;
  readonly draws: number;
  /** Of what changes while training: what a checkpoint holds. */
  readonly length: number;
  readonly extremes: number | undefined;
  /** Of each term of a coefficient that is not the same for all parameters. */
  readonly coefficients: Readonly<Record<CoefficientName, readonly (number | undefined)[]>>;
  /** Of all. */
  readonly size: number;
}

export function updaterLayout(rule: TrainingRule): UpdaterLayout {
  const { updater, count, accumulate, average, coefficients } = rule;
  let end = 0;
  const take = (length: number) => {
    end += length;
    return end - length;
  };
  const states = Object.entries(updater.states).map(([name, start]) => ({ name, start, offset: take(count) }));
  const accumulated = accumulate > 1 ? take(count) : undefined;
  const averaged = average ? take(count) : undefined;
  const completed = take(1);
  const draws = take(1);
  const length = end;
  const extremes = isProvable(rule) ? take(2 + 2 * states.length) : undefined;
  const places = (name: CoefficientName) =>
    coefficients[name].map((term) => (isUniform(term) ? undefined : take(count)));
  const ofCoefficients = Object.fromEntries(coefficientNames.map((name) => [name, places(name)]));
  return {
    states,
    accumulated,
    average: averaged,
    completed,
    draws,
    length,
    extremes,
    coefficients: ofCoefficients as Record<CoefficientName, (number | undefined)[]>,
    size: end,
  };
}

/** What the arena holds before the first step, where it is not zero. */
export function* initialContents(rule: TrainingRule): Generator<{ offset: number; values: Float64Array }> {
  const layout = updaterLayout(rule);
  for (const { start, offset } of layout.states) {
    if (start !== 0) yield { offset, values: new Float64Array(rule.count).fill(start) };
  }
  for (const name of coefficientNames) {
    for (const [index, offset] of layout.coefficients[name].entries()) {
      if (offset === undefined) continue;
      const { numbers } = rule.coefficients[name][index]!;
      const values = new Float64Array(rule.count);
      for (const [of, { start, length }] of rule.trained.entries()) values.fill(numbers[of]!, start, start + length);
      yield { offset, values };
    }
  }
}
