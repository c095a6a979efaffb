/** The Mackey-Glass series: chaotic, made by an equation with delay, to be told some steps ahead. */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, type Examples, generatorEntries, requireRoom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** Steps of a sequence. */
  time: v.optional(wholeNumber(1), 100),
  /** The delay of the equation. */
  tau: v.optional(wholeNumber(1), 17),
  /** How many steps ahead the target lies. */
  horizon: v.optional(wholeNumber(1), 6),
});
export type MackeyGlassOptions = v.InferInput<typeof schema>;

/**
 * Mackey-Glass forecasting (Mackey and Glass 1977): x' = 0.2·x(t-τ) / (1 + x(t-τ)^10) - 0.1·x, a value at each unit of time.
 * It is chaotic from τ = 17 on. Each sequence has a beginning of its own, a constant of [1.1, 1.3) before time 0, and
 * starts where that is forgotten, after 300 units of time. Wanted at every step is the value `horizon` units later.
 *
 * @param options `examples`, `seed`; `time`: steps, at least 1, default 100; `tau`: whole, at least 1, default 17; `horizon`: at
 *   least 1, default 6
 * @returns `inputs` and `targets` `[examples, time, 1]`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets } = generators.mackeyGlass({ examples: 100, time: 200, horizon: 84, seed: 1 });
 */
export function mackeyGlass(options: MackeyGlassOptions): Examples {
  const { examples, time, tau, horizon, seed } = parseOptions(schema, options, 'generators.mackeyGlass');
  const shape = [examples, time, 1];
  requireRoom('generators.mackeyGlass', [examples + 1, (settling + time + horizon + tau) * stepsOfUnit]);
  const inputs = new Float32Array(examples * time);
  const targets = new Float32Array(examples * time);
  for (let example = 0; example < examples; example++) {
    const history = 1.1 + 0.2 * drawsOf(seed, 0x6d676c73, example)();
    const series = mackeyGlassSeries(settling + time + horizon, { tau, history, stepsOfUnit });
    inputs.set(series.subarray(settling, settling + time), example * time);
    targets.set(series.subarray(settling + horizon, settling + horizon + time), example * time);
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape) };
}

const settling = 300;
/** Steps of a tenth: the error of a unit of time is below 1e-9, which f32 does not see. */
const stepsOfUnit = 10;

/**
 * x at 0, 1, 2, ..., by the classical Runge-Kutta method of fourth order. What lies half a step after a known value is the
 * cubic through two values and their slopes (Hermite), of the same order.
 *
 * @param history x at all times before 0, and at 0
 */
export function mackeyGlassSeries(
  length: number,
  { tau, history, stepsOfUnit }: { readonly tau: number; readonly history: number; readonly stepsOfUnit: number },
): Float64Array {
  const step = 1 / stepsOfUnit;
  const delay = tau * stepsOfUnit;
  const steps = (length - 1) * stepsOfUnit;
  const values = new Float64Array(steps + 1);
  const slopes = new Float64Array(steps + 1);
  const slope = (x: number, delayed: number): number => (0.2 * delayed) / (1 + delayed ** 10) - 0.1 * x;
  const known = (index: number): number => (index < 0 ? history : values[index]!);
  const between = (index: number): number =>
    index < 0
      ? history
      : (values[index]! + values[index + 1]!) / 2 + (step / 8) * (slopes[index]! - slopes[index + 1]!);
  values[0] = history;
  for (let now = 0; now < steps; now++) {
    const x = values[now]!;
    const [before, half, after] = [known(now - delay), between(now - delay), known(now + 1 - delay)];
    const first = slope(x, before);
    const second = slope(x + (step / 2) * first, half);
    const third = slope(x + (step / 2) * second, half);
    const fourth = slope(x + step * third, after);
    values[now + 1] = x + (step / 6) * (first + 2 * second + 2 * third + fourth);
    slopes[now] = first;
  }
  return Float64Array.from({ length }, (_, unit) => values[unit * stepsOfUnit]!);
}
