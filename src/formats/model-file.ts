/** Networks on disk: a directory with `model.json` (layers, seed, vocabulary) and a safetensors file of parameters. */
import type { Engine } from '../compute/engine/engine.js';
import { printShape, sameShape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';
import type { Activation } from '../network/activations.js';
import { type Cell, isCell } from '../network/cell.js';
import type { NetworkContract } from '../network/contract.js';
import { createNetwork, type Network, type NetworkOptions } from '../network/network.js';
import { describeModel, invalid, layersOf, type ModelDescription } from './model-description.js';
import { readModelDirectory, writeModelDirectory } from './model-directory.js';
import { digestInTurns, formatSafetensors, parseSafetensors } from './safetensors.js';
import { tensorOfStored } from './stored-tensor.js';

export interface ModelFileOptions {
  /** Default: as `createNetwork` chooses. */
  readonly engine?: Engine | undefined;
  readonly threads?: number | undefined;
  /** The activations made with `activation` that the model uses: a file holds only their names. */
  readonly activations?: readonly Activation[] | undefined;
  /** The cells made with `cell` that the model uses, of which it holds only the names, too. */
  readonly cells?: readonly Cell[] | undefined;
}

/**
 * Saves a network as it is when all that was queued before has run. An interrupted save leaves what was there.
 *
 * @param extras `vocabulary`: plain data to keep beside the network
 * @throws {MnemeError} `file-write`, `not-finite` (which parameter: what is on disk stays), `invalid-argument` for a
 *   layer that could not be loaded again, `disposed`
 */
export async function saveNetwork(
  network: NetworkContract,
  directory: string,
  extras: { readonly vocabulary?: unknown } = {},
): Promise<void> {
  requireArgument(typeof directory === 'string' && directory !== '', 'save', 'the path of a directory', directory);
  const { description, parameters } = await modelFiles(network, await network.readParameters(), extras.vocabulary);
  await writeModelDirectory(directory, description, parameters);
}

/**
 * What a model's directory holds.
 *
 * @param values all parameters, in the order of the network's layout
 * @param vocabulary plain data, or undefined
 * @throws {MnemeError} `not-finite`, `invalid-argument` for a layer that could not be loaded again
 */
export async function modelFiles(
  network: NetworkContract,
  values: Float32Array,
  vocabulary: unknown,
): Promise<{ readonly description: ModelDescription; readonly parameters: readonly Uint8Array[] }> {
  const pieces = formatSafetensors(namedParameters(network, values), { format: 'mneme' });
  const sha256 = await digestInTurns(pieces);
  const parameters = {
    file: `parameters.${sha256.slice(0, 16)}.safetensors`,
    sha256,
    bytes: pieces.reduce((sum, piece) => sum + piece.length, 0),
  };
  return { description: describeModel(network, parameters, vocabulary), parameters: pieces };
}

/**
 * Loads a network with the very parameters it was saved with; no initializer runs.
 *
 * @throws {MnemeError} `file-missing`; `file-invalid` (which file, and what is wrong with it: truncated, changed, unknown
 *   layers, shapes that do not fit); `out-of-memory`; `engine-unavailable`
 */
export async function loadNetwork(
  directory: string,
  options: ModelFileOptions = {},
): Promise<{ readonly network: Network; readonly vocabulary?: unknown }> {
  requireArgument(typeof options === 'object' && options !== null, 'loadModel', 'options', options);
  const { activations = [], cells = [] } = options;
  requireArgument(
    Array.isArray(activations) && activations.every(isActivation),
    'loadModel: activations',
    'a list of activations',
    activations,
  );
  requireArgument(Array.isArray(cells) && cells.every(isCell), 'loadModel: cells', 'a list of cells', cells);
  const { description, parameters } = await readModelDirectory(directory);
  const network = networkOf(description, options, `${directory}/model.json`);
  try {
    const file = `${directory}/${description.parameters.file}`;
    await network.writeParameters(flatParameters(network, parameters, file));
  } catch (error) {
    network.dispose();
    throw error;
  }
  return { network, vocabulary: description.vocabulary };
}

const isActivation = (value: Activation | null | undefined): boolean =>
  typeof value?.name === 'string' && typeof value.expression === 'function';

function networkOf(description: ModelDescription, options: ModelFileOptions, file: string): Network {
  const { kind: _, ...input } = description.input;
  const layers = layersOf(description, options, file);
  const settings: NetworkOptions = {
    seed: description.seed,
    input,
    ...(options.engine ? { engine: options.engine } : {}),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  };
  try {
    return createNetwork(layers, settings);
  } catch (error) {
    if (!(error instanceof MnemeError) || error.code !== 'invalid-shape') throw error;
    throw invalid(file, error.message.replace(/\.$/, ''));
  }
}

function namedParameters(network: NetworkContract, values: Float32Array): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const { name, offset, length, shape } of network.parameterLayout) {
    const data = values.subarray(offset, offset + length);
    const wrong = firstNotFinite(data);
    if (wrong !== undefined) {
      throw new MnemeError('not-finite', `Element ${wrong} of '${name}' is ${data[wrong]}: the model was not saved.`);
    }
    tensors.set(name, tensor(data, shape));
  }
  return tensors;
}

/** A loop: a callback for each of ten million numbers takes a tenth of a second. */
function firstNotFinite(values: Float32Array): number | undefined {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) return index;
  }
  return undefined;
}

/**
 * The parameters that a file holds, in the order of the network's layout.
 * @throws {MnemeError} `file-invalid`
 */
export function flatParameters(network: NetworkContract, bytes: Uint8Array, file: string): Float32Array {
  const { tensors } = parseSafetensors(bytes, file);
  const places = network.parameterLayout;
  for (const name of tensors.keys()) {
    if (!places.some((place) => place.name === name)) throw invalid(file, `no layer has the parameter '${name}'`);
  }
  const found = places.map(({ name, shape }) => {
    const stored = tensors.get(name);
    if (!stored) throw invalid(file, `the parameter '${name}' is missing`);
    if (stored.dtype === 'F32' && sameShape(stored.shape, shape)) return tensorOfStored(stored, name).data;
    const actual = `${stored.dtype} ${printShape(stored.shape)}`;
    throw invalid(file, `the parameter '${name}' must be F32 ${printShape(shape)}, and is ${actual}`);
  });
  // Only now that the file is known to hold as many: a description may ask for any size.
  const values = new Float32Array(network.parameterCount);
  for (const [index, { offset }] of places.entries()) values.set(found[index]!, offset);
  return values;
}
