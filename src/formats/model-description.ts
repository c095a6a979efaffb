/** What `model.json` says: the network without its numbers, and which file has those. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { type Activation, isActivation, ownsItsName } from '../network/activations.js';
import type { Cell } from '../network/cell.js';
import type { NetworkContract } from '../network/contract.js';
import { layers as layerKinds } from '../network/layers/index.js';
import { isLayer, type Layer } from '../network/layers/layer.js';
import { nearestName } from '../options.js';
import { duplicateKey } from './json-keys.js';

/** Raised when older versions of mneme could no longer read what is written. */
export const formatVersion = 1;

/** Only such names: a model file never leads out of its directory. */
export const parametersName = /^parameters\.[0-9a-f]{16}\.safetensors$/;

const layerSchema = v.strictObject({ kind: v.string(), options: v.record(v.string(), v.unknown()) });
const extent = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const schema = v.strictObject({
  format: v.literal('mneme model'),
  version: v.literal(formatVersion),
  /** The version of mneme that wrote it. */
  mneme: v.string(),
  seed: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  input: v.variant('kind', [
    v.strictObject({ kind: v.literal('ids'), vocabulary: extent, sequence: v.boolean() }),
    v.strictObject({ kind: v.literal('vectors'), features: extent, sequence: v.boolean() }),
  ]),
  layers: v.pipe(v.array(layerSchema), v.minLength(1)),
  vocabulary: v.optional(v.unknown()),
  parameters: v.strictObject({
    file: v.pipe(v.string(), v.regex(parametersName)),
    sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
    bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
});
export type ModelDescription = v.InferOutput<typeof schema>;

/**
 * @param vocabulary plain data, or undefined
 * @throws {MnemeError} `invalid-argument` for a layer that the description would not bring back
 */
export function describeModel(
  network: Pick<NetworkContract, 'seed' | 'inputSignal' | 'layers' | 'layerNames'>,
  parameters: ModelDescription['parameters'],
  vocabulary: unknown,
): ModelDescription {
  return {
    format: 'mneme model',
    version: formatVersion,
    mneme: ownVersion(),
    seed: network.seed,
    input: network.inputSignal,
    layers: describeLayers(network),
    ...(vocabulary === undefined ? {} : { vocabulary }),
    parameters,
  };
}

/** @throws {MnemeError} `invalid-argument` for a layer that the description would not bring back */
export function describeLayers({
  layers,
  layerNames,
}: Pick<NetworkContract, 'layers' | 'layerNames'>): ModelDescription['layers'] {
  return layers.map((layer, index) => describeLayer(layer, layerNames[index]!));
}

/** A layer around another holds it among its options. */
function describeLayer({ kind, options }: Layer, name: string): ModelDescription['layers'][number] {
  requireOwnNames(options, name);
  const entries = Object.entries(options).map(
    ([option, value]) => [option, isLayer(value) ? describeLayer(value, `${name}/${option}`) : value] as const,
  );
  return { kind, options: Object.fromEntries(entries) };
}

/**
 * @param file for messages
 * @throws {MnemeError} `file-invalid`: what is wrong, and where
 */
export function parseDescription(json: Uint8Array, file: string): ModelDescription {
  const data = parseJson(json, file);
  const version = typeof data === 'object' && data !== null && 'version' in data ? data.version : undefined;
  if (typeof version === 'number' && version > formatVersion) {
    throw invalid(
      file,
      `it has format version ${version}, and this mneme reads up to ${formatVersion}: a newer one wrote it`,
    );
  }
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue);
  const what =
    issue.expected === 'never' ? 'is unknown' : `must be ${issue.expected ?? issue.message}, got ${issue.received}`;
  throw invalid(file, path ? `'${path}' ${what}` : `it ${what}`);
}

/**
 * The layers that a description names.
 *
 * @param own what is not mneme's own, by the names it was saved under
 * @throws {MnemeError} `file-invalid`: which layer, and the nearest right name
 */
export function layersOf(description: ModelDescription, own: OwnParts, file: string): Layer[] {
  return description.layers.map((layer, index) => layerOf(layer, own, file, `layer ${index + 1}`, 0));
}

/** What a file holds by its name only. */
export interface OwnParts {
  readonly activations?: readonly Activation[] | undefined;
  readonly cells?: readonly Cell[] | undefined;
}

/** Layers within layers: more than anybody writes, and few enough to read one after another. */
const deepest = 16;

function layerOf(
  { kind, options }: ModelDescription['layers'][number],
  own: OwnParts,
  file: string,
  where: string,
  depth: number,
): Layer {
  if (depth > deepest) throw invalid(file, `${where} lies in more than ${deepest} layers around each other`);
  const kinds = new Map<string, (...given: never[]) => Layer>(Object.entries(layerKinds));
  const make = kinds.get(kind);
  if (!make) {
    throw invalid(
      file,
      `${where} is of the unknown kind '${kind}'. Did you mean '${nearestName(kind, [...kinds.keys()])}'?`,
    );
  }
  const ownPart = (name: string, value: unknown) => {
    const parts = /activation$/i.test(name) ? own.activations : kind === 'scan' && name === 'cell' ? own.cells : [];
    return parts?.find((part) => part.name === value);
  };
  const entries = Object.entries(options).map(([name, value]) => {
    const inner = v.safeParse(layerSchema, value);
    if (inner.success) return [name, layerOf(inner.output, own, file, `${where}: ${name}`, depth + 1)];
    return [name, ownPart(name, value) ?? value];
  });
  const { layer, ...others } = Object.fromEntries(entries);
  try {
    return isLayer(layer) ? make(layer as never, others as never) : make(Object.fromEntries(entries) as never);
  } catch (error) {
    if (!(error instanceof MnemeError)) throw error;
    throw invalid(file, `${where}: ${error.message.replace(/\.$/, '')}`);
  }
}

export const invalid = (file: string, reason: string): MnemeError =>
  new MnemeError('file-invalid', `${file} is not valid: ${reason}.`);

/** @throws {MnemeError} `file-invalid` for what is not JSON, or has one key twice in an object */
export function parseJson(json: Uint8Array, file: string): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    const data: unknown = JSON.parse(text);
    const twice = duplicateKey(text);
    if (twice !== undefined) throw new SyntaxError(`the key '${twice}' is there twice`);
    return data;
  } catch (error) {
    throw invalid(file, `it is not JSON (${error instanceof Error ? error.message : error})`);
  }
}

/** An activation of the user's is saved by its name, which must not be that of another. */
function requireOwnNames(options: Layer['options'], layer: string): void {
  for (const [option, value] of Object.entries(options)) {
    if (!isActivation(value) || ownsItsName(value)) continue;
    throw new MnemeError(
      'invalid-argument',
      `${layer} cannot be saved: its ${option} is called '${value.name}', as one of mneme's own is. Give it another name.`,
    );
  }
}

/** The version of this mneme. */
export function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
