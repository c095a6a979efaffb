/** Ids as vectors that are 1 in one place. */
import * as v from 'valibot';
import { oneHot as expand } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { type Layer, none, printSignal, type Signal } from './layer.js';

const schema = v.strictObject({ vocabulary: wholeNumber(1) });
export type OneHotOptions = v.InferInput<typeof schema>;

/**
 * Turns each id into a vector of `vocabulary` numbers, 1 at the id and 0 elsewhere: `[batch, time]` ids become
 * `[batch, time, vocabulary]`. A recurrent layer after it reads the ids themselves, and its input product is a
 * look-up of rows: the vectors are never made.
 *
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.oneHot({ vocabulary: 77 });
 */
export function oneHot(options: OneHotOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.oneHot');
  const { vocabulary } = settings;
  return {
    kind: 'oneHot',
    options: settings,
    input: { kind: 'ids', vocabulary, sequence: true },
    signal: (input) => {
      checkVocabulary(input, vocabulary);
      return { kind: 'vectors', features: vocabulary, sequence: input.sequence };
    },
    parameters: none,
    states: none,
    apply: ({ input }) => ({ output: expand(input, vocabulary), states: {} }),
  };
}

/** @throws {MnemeError} `invalid-shape` unless the input is ids of that vocabulary */
export function checkVocabulary(input: Signal, vocabulary: number): void {
  if (input.kind === 'ids' && input.vocabulary === vocabulary) return;
  throw new MnemeError('invalid-shape', `expected ids below ${vocabulary}, got ${printSignal(input)}.`);
}
