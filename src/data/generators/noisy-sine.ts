/** A sine wave under noise, to be told one step ahead. */
import * as v from 'valibot';
import { normals } from '../../compute/random.js';
import { tensor } from '../../compute/tensor.js';
import { finiteNumber, parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, type Examples, generatorEntries, requireRoom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** Steps of a sequence. */
  time: v.optional(wholeNumber(1), 100),
  /** Steps of one wave. */
  period: v.optional(finiteNumber({ minimum: 2 }), 25),
  /** Standard deviation of the noise; the wave's own is 0.71. */
  noise: v.optional(finiteNumber({ minimum: 0, maximum: 1e6 }), 0.1),
});
export type NoisySineOptions = v.InferInput<typeof schema>;

/**
 * sin(2π·step / period + phase) + noise, with a phase of each sequence's own and normal noise of each step's own. Wanted at
 * every step is the wave at the next one, without noise: so the error may fall below the noise. Whoever says what came last
 * has a mean squared error of noise² + 1 - cos(2π / period).
 *
 * @param options `examples`, `seed`; `time`: steps, at least 1, default 100; `period`: in steps, at least 2, default 25; `noise`:
 *   standard deviation, 0 to 1e6, default 0.1
 * @returns `inputs` and `targets` `[examples, time, 1]`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets } = generators.noisySine({ examples: 100, time: 100, noise: 0.2, seed: 1 });
 */
export function noisySine(options: NoisySineOptions): Examples {
  const { examples, time, period, noise, seed } = parseOptions(schema, options, 'generators.noisySine');
  const shape = [examples, time, 1];
  requireRoom('generators.noisySine', shape);
  const inputs = new Float32Array(examples * time);
  const targets = new Float32Array(examples * time);
  for (let example = 0; example < examples; example++) {
    const phase = drawsOf(seed, 0x73696e65, example)();
    const disturbance = normals(time, { seed, purpose: 0x6e6f6973, step: example });
    const wave = (step: number): number => Math.sin(2 * Math.PI * (step / period + phase));
    for (let step = 0; step < time; step++) {
      inputs[example * time + step] = wave(step) + noise * disturbance[step]!;
      targets[example * time + step] = wave(step + 1);
    }
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape) };
}
