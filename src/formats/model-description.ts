/** What `model.json` says: the network without its numbers, and which file has those. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { type Activation, isActivation, ownsItsName } from '../network/activations.js';
import type { NetworkContract } from '../network/contract.js';
import { layers as layerKinds } from '../network/layers/index.js';
import type { Layer } from '../network/layers/layer.js';
import { nearestName } from '../options.js';
import { duplicateKey } from './json-keys.js';

/** Raised when older versions of mneme could no longer read what is written. */
export const formatVersion = 1;

/** Only such names: a model file never leads out of its directory. */
export const parametersName = /^parameters\.[0-9a-f]{16}\.safetensors$/;

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
  layers: v.pipe(
    v.array(v.strictObject({ kind: v.string(), options: v.record(v.string(), v.unknown()) })),
    v.minLength(1),
  ),
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
  return layers.map(({ kind, options }, index) => {
    requireOwnNames(options, layerNames[index]!);
    return { kind, options };
  });
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
 * @param own activations that are not mneme's own, by the names they were saved under
 * @throws {MnemeError} `file-invalid`: which layer, and the nearest right name
 */
export function layersOf(description: ModelDescription, own: readonly Activation[], file: string): Layer[] {
  const kinds = new Map<string, (options: never) => Layer>(Object.entries(layerKinds));
  const byName = new Map(own.map((activation) => [activation.name, activation]));
  return description.layers.map(({ kind, options }, index) => {
    const make = kinds.get(kind);
    if (!make) {
      throw invalid(
        file,
        `layer ${index + 1} is of the unknown kind '${kind}'. Did you mean '${nearestName(kind, [...kinds.keys()])}'?`,
      );
    }
    const entries = Object.entries(options).map(([name, value]) => {
      const named = /activation$/i.test(name) && typeof value === 'string' ? byName.get(value) : undefined;
      return [name, named ?? value];
    });
    try {
      return make(Object.fromEntries(entries) as never);
    } catch (error) {
      if (!(error instanceof MnemeError)) throw error;
      throw invalid(file, `layer ${index + 1}: ${error.message.replace(/\.$/, '')}`);
    }
  });
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
