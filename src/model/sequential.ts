/** Models from layers, and models from files. */
import * as v from 'valibot';
import { type Vocabulary, vocabularyFromJson } from '../data/vocabulary.js';
import { MnemeError } from '../errors.js';
import { loadNetwork, type ModelFileOptions } from '../formats/model-file.js';
import type { Layer } from '../network/layers/layer.js';
import { createNetwork, networkEntries } from '../network/network.js';
import { parseOptions } from '../options.js';
import { Model } from './model.js';

const sequentialSchema = v.strictObject({
  ...networkEntries,
  vocabulary: v.optional(
    v.custom<Vocabulary>((value) => typeof value === 'object' && value !== null && 'encode' in value, 'a vocabulary'),
  ),
});
export type SequentialOptions = v.InferInput<typeof sequentialSchema>;

/**
 * Puts layers one after another.
 *
 * @param options
 * - `seed`: of the initial parameters and of dropout; default 0
 * - `input`: `{ features }` for sequences of vectors, `{ vocabulary }` for ids, either with `sequence: false` where a
 *   row is no sequence. Not needed when the first layer is `embedding` or `oneHot`
 * - `vocabulary`: of the text that the model reads and writes; a fit on a text sets it too
 * - `engine`: default the native one, or the reference where that cannot be loaded
 * - `threads`: of the model's stream; default the engine's
 * @throws {MnemeError} `invalid-option`; `invalid-shape`: which layer, expected and got; `out-of-memory`
 * @example
 * const model = sequential([
 *   layers.embedding({ vocabulary: text.vocabulary.size, units: 64 }),
 *   layers.lstm({ units: 256 }),
 *   layers.dense({ units: text.vocabulary.size }),
 * ], { seed: 12345 });
 */
export function sequential(layers: readonly Layer[], options: SequentialOptions = {}): Model {
  const { vocabulary, ...network } = parseOptions(sequentialSchema, options, 'sequential');
  return new Model(createNetwork(layers, network, 'sequential'), vocabulary);
}

/**
 * Loads what `model.save` wrote, with the very same parameters.
 *
 * @param options `engine` and `threads` as for `sequential`; `activations`: those made with `activation` that the model
 *   uses, and `cells`, those made with `cell`, for a file holds only their names
 * @throws {MnemeError} `file-missing`; `file-invalid`: which file is truncated, changed or of another form, and how
 * @example
 * const model = await loadModel('moby.mneme');
 */
export async function loadModel(directory: string, options: ModelFileOptions = {}): Promise<Model> {
  const { network, vocabulary } = await loadNetwork(directory, options);
  try {
    return new Model(network, vocabulary === undefined ? undefined : vocabularyFromJson(vocabulary));
  } catch (error) {
    network.dispose();
    if (!(error instanceof MnemeError)) throw error;
    throw new MnemeError('file-invalid', `${directory}/model.json is not valid: ${error.message}`);
  }
}
