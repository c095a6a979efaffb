/** What reads files that anybody may have written: one entry a reader, with the files it begins with. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { readCheckpoint } from '../../src/formats/checkpoint.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { tensorOfStored } from '../../src/formats/stored-tensor.js';
import { loadModel } from '../../src/model/sequential.js';
import { mutateJsonBytes, mutateSafetensors } from './bytes.js';
import type { Random } from './random.js';

export interface Target {
  readonly name: string;
  /** Of one attempt; made anew for each. */
  make(random: Random): Case;
}

export interface Case {
  /** Of all files. */
  readonly bytes: number;
  /** Put in `directory`, which is empty. Rejects as the reader does. @returns elements that an engine was asked for */
  read(directory: string): Promise<number>;
}

const corpus = fileURLToPath(new URL('corpus/', import.meta.url));
type Files = ReadonlyMap<string, Uint8Array>;
type Mutate = (random: Random, bytes: Uint8Array, lent: Uint8Array) => Uint8Array;

const filesIn = (folder: string): Files =>
  new Map(readdirSync(join(corpus, folder)).map((name) => [name, readFileSync(join(corpus, folder, name))]));
const foldersIn = (folder: string): Files[] =>
  readdirSync(join(corpus, folder)).map((name) => filesIn(join(folder, name)));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const safetensors = [...filesIn('safetensors').values()];
const models = foldersIn('models');
const checkpoints = foldersIn('checkpoints');

export const targets: readonly Target[] = [
  {
    name: 'safetensors',
    make(random) {
      const bytes = mutateSafetensors(random, random.pick(safetensors), random.pick(safetensors));
      return {
        bytes: bytes.length,
        async read(directory) {
          for (const [name, stored] of parseSafetensors(bytes, directory).tensors) {
            if (isComputedWith.test(stored.dtype)) tensorOfStored(stored, name);
          }
          return 0;
        },
      };
    },
  },
  ofDirectory('model.json', models, /^model\.json$/, mutateJsonBytes, withDigests, load),
  ofDirectory('parameters of a model', models, /^parameters/, mutateSafetensors, withDigests, load),
  ofDirectory('files of a model that do not belong together', models, /./, mutateSafetensors, (files) => files, load),
  ofDirectory('checkpoint.json', checkpoints, /^checkpoint\.json$/, mutateJsonBytes, sealed, check),
  ofDirectory('state of a checkpoint', checkpoints, /^state/, mutateSafetensors, sealed, check),
  ofDirectory('digests of a checkpoint', checkpoints, /^SHA256SUMS$/, mutateJsonBytes, (files) => files, check),
];

/** All but integers, which may be larger than mneme's: that is told with another code. */
const isComputedWith = /^(B?F16|F32|F64|I32|BOOL|[UI]8|[UI]16)$/;

/** A directory with one file changed; `repair` makes the others agree with it, so that readers look further. */
function ofDirectory(
  name: string,
  seeds: readonly Files[],
  changed: RegExp,
  mutate: Mutate,
  repair: (files: Files) => Files,
  read: (directory: string) => Promise<number>,
): Target {
  return {
    name,
    make(random) {
      const files = new Map(random.pick(seeds));
      const lender = random.pick(seeds);
      const file = random.pick([...files.keys()].filter((each) => changed.test(each)));
      const lent = [...lender].find(([each]) => changed.test(each))![1];
      // Now and then as it is: that one is read.
      if (!random.once(50)) files.set(file, mutate(random, files.get(file)!, lent));
      const repaired = repair(files);
      return {
        bytes: [...repaired.values()].reduce((sum, { length }) => sum + length, 0),
        async read(directory) {
          rmSync(directory, { recursive: true, force: true });
          mkdirSync(directory, { recursive: true });
          for (const [each, bytes] of repaired) writeFileSync(join(directory, each), bytes);
          return read(directory);
        },
      };
    },
  };
}

/** A model whose description has the name, length and digest of the parameters that are there. */
function withDigests(files: Files): Files {
  const [name, parameters] = [...files].find(([each]) => each.startsWith('parameters'))!;
  const digest = sha256(parameters);
  const file = `parameters.${digest.slice(0, 16)}.safetensors`;
  const text = Buffer.from(files.get('model.json')!).toString();
  const json = text
    .replace(/parameters\.[0-9a-f]{16}\.safetensors/, file)
    .replace(/"[0-9a-f]{64}"/, `"${digest}"`)
    .replace(/("bytes":\s*)\d+/, `$1${parameters.length}`);
  return new Map([...files].filter(([each]) => each !== name))
    .set(file, parameters)
    .set('model.json', Buffer.from(json));
}

/** A checkpoint with the digests of what is in it. */
function sealed(files: Files): Files {
  const named = [...withDigests(files)].filter(([name]) => name !== 'SHA256SUMS');
  const sums = named.map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join('');
  return new Map(named).set('SHA256SUMS', Buffer.from(sums));
}

async function load(directory: string): Promise<number> {
  let elements = 0;
  const reference = createReferenceEngine({ precision: 'f32' });
  const engine: Engine = {
    ...reference,
    allocate(count) {
      elements += count;
      return reference.allocate(count);
    },
  };
  const model = await loadModel(directory, { engine });
  model.dispose();
  return elements;
}

async function check(directory: string): Promise<number> {
  await readCheckpoint(directory);
  return load(directory);
}
