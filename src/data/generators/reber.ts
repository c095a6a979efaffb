/** Strings of the Reber grammar, plain and embedded: what may come next must be known at every symbol. */
import * as v from 'valibot';
import { tensor } from '../../compute/tensor.js';
import { parseOptions } from '../../options.js';
import { drawsOf, generatorEntries, type MaskedExamples, requireRoom } from './examples.js';

/** Inputs and targets have one column for each, in this order. */
export const reberSymbols = 'BTSXPVE';

const schema = v.strictObject(generatorEntries);
export type ReberOptions = v.InferInput<typeof schema>;

/**
 * Strings of the Reber grammar (Reber 1967), 5 symbols or more, such as `BTSSXXTVVE`: at each node one of two ways is taken with
 * equal chance. A sequence holds the symbols of a string but the last one; its targets are 1 for each symbol that
 * the grammar allows next, else 0: for `losses.sigmoidCrossEntropy()`. A string is understood when at each step all the
 * symbols that are allowed have higher scores than all others.
 *
 * @returns `inputs` `[examples, time, 7]`, one-hot in the order BTSXPVE; `targets` of the same shape; `mask` `[examples, time]`.
 *   `time` is that of the longest string; behind the others' ends all is 0
 * @throws {MnemeError} `invalid-option`
 * @example
 * const batches = arrays({ ...generators.reber({ examples: 256, seed: 1 }), batch: 16 });
 */
export function reber(options: ReberOptions): MaskedExamples {
  const { examples, seed } = parseOptions(schema, options, 'generators.reber');
  return encoded('generators.reber', examples, (example) => reberWalk(drawsOf(seed, 0x72656265, example)));
}

/**
 * Strings of the embedded Reber grammar (Fahlman 1991; Hochreiter and Schmidhuber 1997, experiment 1): B, then T or P, then a whole
 * string of the Reber grammar, then that same T or P again, then E; 9 symbols or more. The second symbol must be remembered
 * for as long as the string within. Form, targets and measure are those of `generators.reber`.
 *
 * @returns as `generators.reber`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const { inputs, targets, mask } = generators.embeddedReber({ examples: 256, seed: 1 });
 */
export function embeddedReber(options: ReberOptions): MaskedExamples {
  const { examples, seed } = parseOptions(schema, options, 'generators.embeddedReber');
  return encoded('generators.embeddedReber', examples, (example) => {
    const draw = drawsOf(seed, 0x656d6265, example);
    const ends = draw() < 0.5 ? 'T' : 'P';
    const inner = reberWalk(draw);
    return [
      { symbol: 'B', allowed: 'B' },
      { symbol: ends, allowed: 'TP' },
      ...inner,
      { symbol: ends, allowed: ends },
      { symbol: 'E', allowed: 'E' },
    ];
  });
}

/** A symbol, and what could have stood in its place. */
interface Place {
  readonly symbol: string;
  readonly allowed: string;
}

/** The ways out of each node: a symbol and the node that it leads to. */
const grammar: readonly (readonly (readonly [symbol: string, node: number])[])[] = [
  [['B', 1]],
  [
    ['T', 2],
    ['P', 3],
  ],
  [
    ['S', 2],
    ['X', 4],
  ],
  [
    ['T', 3],
    ['V', 5],
  ],
  [
    ['X', 3],
    ['S', 6],
  ],
  [
    ['P', 4],
    ['V', 6],
  ],
  [['E', 7]],
];

function reberWalk(draw: () => number): Place[] {
  const places: Place[] = [];
  for (let node = 0; node < grammar.length; ) {
    const ways = grammar[node]!;
    const [symbol, next] = ways[Math.floor(draw() * ways.length)]!;
    places.push({ symbol, allowed: ways.map(([one]) => one).join('') });
    node = next;
  }
  return places;
}

function encoded(where: string, examples: number, walk: (example: number) => readonly Place[]): MaskedExamples {
  const symbols = reberSymbols.length;
  requireRoom(where, [examples, 9, symbols]);
  const walks = Array.from({ length: examples }, (_, example) => walk(example));
  const time = walks.reduce((most, { length }) => Math.max(most, length), 0) - 1;
  const shape = [examples, time, symbols];
  requireRoom(where, shape);
  const inputs = new Float32Array(examples * time * symbols);
  const targets = new Float32Array(inputs.length);
  const mask = new Float32Array(examples * time);
  for (const [example, places] of walks.entries()) {
    for (const [step, { symbol }] of places.slice(0, -1).entries()) {
      const row = example * time + step;
      inputs[row * symbols + reberSymbols.indexOf(symbol)] = 1;
      for (const next of places[step + 1]!.allowed) targets[row * symbols + reberSymbols.indexOf(next)] = 1;
      mask[row] = 1;
    }
  }
  return { inputs: tensor(inputs, shape), targets: tensor(targets, shape), mask: tensor(mask, [examples, time]) };
}
