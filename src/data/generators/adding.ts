/** The adding problem: two numbers out of many, marked, are to be added. */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, type Examples, generatorEntries, requireRoom, wholeFrom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** Steps of a sequence. */
  time: v.optional(wholeNumber(2), 100),
});
export type AddingOptions = v.InferInput<typeof schema>;

/**
 * The adding problem (Hochreiter and Schmidhuber 1997, experiment 4, in the form of Arjovsky, Shah and Bengio 2016): at
 * each step a number of [0, 1), and a mark that is 1 at one step of the first half and at one of the second half, else 0.
 * The target is the sum of both marked numbers, one for a sequence. Whoever always says 1 has a mean squared error of
 * 1/6, the variance of that sum; the papers measured 0.1767 on their data.
 *
 * @param options `examples`, `seed`; `time`: steps, at least 2, default 100
 * @returns `inputs` `[examples, time, 2]`, number and mark; `targets` `[examples, 1]`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const batches = arrays({ ...generators.adding({ examples: 1000, time: 100, seed: 1 }), batch: 50 });
 */
export function adding(options: AddingOptions): Examples {
  const { examples, time, seed } = parseOptions(schema, options, 'generators.adding');
  const shape = [examples, time, 2];
  requireRoom('generators.adding', shape);
  const inputs = new Float32Array(examples * time * 2);
  const targets = new Float32Array(examples);
  const half = Math.floor(time / 2);
  for (let example = 0; example < examples; example++) {
    const draw = drawsOf(seed, 0x61646469, example);
    const marked = [wholeFrom(draw, 0, half - 1), wholeFrom(draw, half, time - 1)];
    for (let step = 0; step < time; step++) inputs[(example * time + step) * 2] = draw();
    for (const step of marked) {
      inputs[(example * time + step) * 2 + 1] = 1;
      targets[example]! += inputs[(example * time + step) * 2]!;
    }
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, [examples, 1]) };
}
