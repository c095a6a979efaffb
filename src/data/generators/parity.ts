/** Parity: is the number of ones so far odd? */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, type Examples, generatorEntries, requireRoom, wholeFrom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** Bits of a sequence. */
  time: v.optional(wholeNumber(1), 50),
});
export type ParityOptions = v.InferInput<typeof schema>;

/**
 * Running parity: bits, each 0 or 1 with equal chance; wanted at every step is whether an odd number of ones has come so
 * far. No bit may be forgotten, and what they mean is never a sum. Whoever guesses has a cross entropy of log(2) nats.
 * (Bengio, Simard and Frasconi 1994 ask for the parity at the end alone: the last step of this.)
 *
 * @param options `examples`, `seed`; `time`: bits, at least 1, default 50
 * @returns `inputs` `[examples, time]`, ids 0 and 1; `targets` of the same shape, ids 0 (even) and 1 (odd)
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets } = generators.parity({ examples: 1000, time: 50, seed: 1 });
 */
export function parity(options: ParityOptions): Examples {
  const { examples, time, seed } = parseOptions(schema, options, 'generators.parity');
  const shape = [examples, time];
  requireRoom('generators.parity', shape);
  const inputs = new Int32Array(examples * time);
  const targets = new Int32Array(examples * time);
  for (let example = 0; example < examples; example++) {
    const draw = drawsOf(seed, 0x70617269, example);
    let odd = 0;
    for (let step = 0; step < time; step++) {
      const bit = wholeFrom(draw, 0, 1);
      odd = (odd + bit) % 2;
      inputs[example * time + step] = bit;
      targets[example * time + step] = odd;
    }
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape) };
}
