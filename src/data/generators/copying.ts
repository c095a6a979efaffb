/** The copying problem: symbols are to be said again after a long pause. */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { drawsOf, type Examples, generatorEntries, requireRoom, wholeFrom } from './examples.js';

const schema = v.strictObject({
  ...generatorEntries,
  /** The pause. */
  delay: v.optional(wholeNumber(1), 100),
  /** Symbols to be remembered. */
  symbols: v.optional(wholeNumber(1), 10),
});
export type CopyingOptions = v.InferInput<typeof schema>;

/**
 * The copying memory problem (Hochreiter and Schmidhuber 1997; in the form of Arjovsky, Shah and Bengio 2016): `symbols` ids of 1 to 8,
 * then `delay` - 1 times the blank 0, the delimiter 9, and `symbols` blanks. Wanted are blanks up to the delimiter and with it,
 * then the symbols again. Whoever remembers nothing has a cross entropy of `symbols`·log(8) / (`delay` + 2·`symbols`) nats a step.
 *
 * @param options `examples`, `seed`; `delay`: at least 1, default 100; `symbols`: at least 1, default 10
 * @returns `inputs` `[examples, delay + 2·symbols]`, ids below 10; `targets` of the same shape, ids below 9
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets } = generators.copying({ examples: 1000, delay: 100, seed: 1 });
 */
export function copying(options: CopyingOptions): Examples {
  const { examples, delay, symbols, seed } = parseOptions(schema, options, 'generators.copying');
  const time = delay + 2 * symbols;
  const shape = [examples, time];
  requireRoom('generators.copying', shape);
  const inputs = new Int32Array(examples * time);
  const targets = new Int32Array(examples * time);
  for (let example = 0; example < examples; example++) {
    const draw = drawsOf(seed, 0x636f7079, example);
    for (let symbol = 0; symbol < symbols; symbol++) {
      const id = wholeFrom(draw, 1, 8);
      inputs[example * time + symbol] = id;
      targets[example * time + symbols + delay + symbol] = id;
    }
    inputs[example * time + symbols + delay - 1] = 9;
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape) };
}
