/** A vector for each id. */
import * as v from 'valibot';
import { embedding as lookUp } from '../../compute/operations/index.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { initializerOption } from '../initializers.js';
import { type Layer, none } from './layer.js';
import { checkVocabulary } from './one-hot.js';
import { parameter } from './parameter.js';

const schema = v.strictObject({
  vocabulary: wholeNumber(1),
  units: wholeNumber(1),
  initializer: v.optional(initializerOption, { kind: 'normal', mean: 0, deviation: 1 }),
});
export type EmbeddingOptions = v.InferInput<typeof schema>;

/**
 * Looks up a row of `table [vocabulary, units]` for each id: `[batch, time]` ids become `[batch, time, units]`.
 * The gradient touches only the rows in use.
 *
 * @param options `vocabulary`: number of ids; `units`: length of a vector; `initializer`: default
 *   normal with deviation 1, as in PyTorch. A character model of two LSTM layers of 128 on tiny Shakespeare ended at 1.44
 *   nats after 14 passes with it, and at 1.48 with a deviation of 0.05
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.embedding({ vocabulary: text.vocabulary.size, units: 64 });
 */
export function embedding(options: EmbeddingOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.embedding');
  const { vocabulary, units } = settings;
  return {
    kind: 'embedding',
    options: settings,
    input: { kind: 'ids', vocabulary, sequence: true },
    signal: (input) => {
      checkVocabulary(input, vocabulary);
      return { kind: 'vectors', features: units, sequence: input.sequence };
    },
    parameters: () => ({ table: parameter('embedding', [vocabulary, units], settings.initializer) }),
    states: none,
    apply: ({ input, parameters }) => ({ output: lookUp(input, parameters.table!), states: {} }),
  };
}
