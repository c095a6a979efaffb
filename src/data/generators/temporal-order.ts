/** The temporal order problem: in which order did two symbols come, long ago and far apart? */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, generatorEntries, type MaskedExamples, requireRoom, wholeFrom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** Symbols of the shortest sequence; the longest has a tenth more. */
  time: v.optional(wholeNumber(10), 100),
});
export type TemporalOrderOptions = v.InferInput<typeof schema>;

/** The symbols in the order of their ids. */
export const temporalOrderSymbols = 'abcdXYEB';

/**
 * Temporal order of two symbols (Hochreiter and Schmidhuber 1997, experiment 6a): E, then symbols drawn from a, b, c, d, then the
 * trigger B. At one step between a tenth and a fifth of `time`, and at one between five and six tenths, stands X or Y
 * instead. At the trigger the class is asked for: XX, XY, YX, YY are 0, 1, 2, 3. Each sequence is `time` to 1.1·`time`
 * symbols long. Mark of the paper: wrong for less than 1 of 2560.
 *
 * @param options `examples`, `seed`; `time`: symbols of the shortest sequence, at least 10, default 100
 * @returns `inputs` `[examples, longest]`, ids in the order abcdXYEB, 0 behind the end; `targets` `[examples, longest]`, the class at
 *   the trigger and else 0; `mask` `[examples, longest]`, 1 at the trigger alone
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets, mask } = generators.temporalOrder({ examples: 1000, seed: 1 });
 */
export function temporalOrder(options: TemporalOrderOptions): MaskedExamples {
  const { examples, time, seed } = parseOptions(schema, options, 'generators.temporalOrder');
  const longest = time + Math.floor(time / 10);
  const shape = [examples, longest];
  requireRoom('generators.temporalOrder', shape);
  const inputs = new Int32Array(examples * longest);
  const targets = new Int32Array(inputs.length);
  const mask = new Float32Array(inputs.length);
  const tenths = (count: number): number => Math.floor((time * count) / 10);
  for (let example = 0; example < examples; example++) {
    const draw = drawsOf(seed, 0x6f726465, example);
    const last = wholeFrom(draw, time, longest) - 1;
    const places = [wholeFrom(draw, tenths(1), tenths(2)), wholeFrom(draw, tenths(5), tenths(6))];
    const symbols = places.map(() => wholeFrom(draw, 0, 1));
    const row = inputs.subarray(example * longest, (example + 1) * longest);
    for (let step = 1; step < last; step++) row[step] = wholeFrom(draw, 0, 3);
    for (const [index, place] of places.entries()) row[place] = temporalOrderSymbols.indexOf('X') + symbols[index]!;
    row[0] = temporalOrderSymbols.indexOf('E');
    row[last] = temporalOrderSymbols.indexOf('B');
    targets[example * longest + last] = 2 * symbols[0]! + symbols[1]!;
    mask[example * longest + last] = 1;
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape), mask: tensor(mask, shape) };
}
