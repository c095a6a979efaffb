/**
 * Checkpoints on disk: directories `step-000000500` within the directory of a run, the last one of a finished run
 * `step-000000500-end`; beside them lies `best`, a model. Each is a model that `loadModel` reads, and beside it
 *
 * - `checkpoint.json`: where training stands
 * - `state.safetensors`: `updater` (the updater's arena), `draws` (the random counter in it, i32), and where there are
 *   such: `states` (recurrent ones, carried), `best` (the parameters of the best pass), `parameters` (in f64, which a
 *   model file does not hold)
 * - `SHA256SUMS`: of each of these files
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NumericArray, Tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { temporaryEnding } from './atomic.js';
import {
  type CheckpointDescription,
  formatCheckpointDescription,
  parseCheckpointDescription,
} from './checkpoint-description.js';
import { type ModelDescription, parseDescription } from './model-description.js';
import { formatSafetensors, parseSafetensors } from './safetensors.js';
import { damaged, readSealedDirectory, removeSealedDirectory, writeSealedDirectory } from './sealed-directory.js';
import { tensorOfStored } from './stored-tensor.js';

const names = { model: 'model.json', description: 'checkpoint.json', state: 'state.safetensors' } as const;

/** What lies in a run's directory. */
export interface CheckpointPlace {
  readonly name: string;
  readonly path: string;
  readonly step: number;
  readonly finished: boolean;
}

/** A checkpoint's content, every byte of it as it was written. */
export interface Checkpoint {
  readonly path: string;
  readonly description: CheckpointDescription;
  readonly model: ModelDescription;
  /** The file of parameters. */
  readonly parameters: Uint8Array;
  readonly tensors: ReadonlyMap<string, NumericArray>;
}

export const checkpointName = (step: number, { finished }: { readonly finished: boolean }): string =>
  `step-${String(step).padStart(9, '0')}${finished ? '-end' : ''}`;

const pattern = /^step-(\d{9,16})(-end)?$/;

/** The checkpoints of a run, oldest first; none where there is no such directory. */
export async function checkpointsIn(directory: string): Promise<CheckpointPlace[]> {
  const places: CheckpointPlace[] = [];
  for (const name of await namesIn(directory)) {
    const [, step, end] = pattern.exec(name) ?? [];
    if (step) places.push({ name, path: join(directory, name), step: Number(step), finished: end !== undefined });
  }
  return places.sort((a, b) => a.step - b.step || Number(a.finished) - Number(b.finished));
}

/**
 * Writes a checkpoint into a directory that exists.
 *
 * @param model as `modelFiles` gives it
 * @returns where it is
 * @throws {MnemeError} `file-write`; what was there before is still there
 */
export async function writeCheckpoint(
  directory: string,
  {
    description,
    model,
    tensors,
  }: {
    readonly description: Omit<CheckpointDescription, 'format' | 'version' | 'mneme'>;
    readonly model: { readonly description: ModelDescription; readonly parameters: readonly Uint8Array[] };
    readonly tensors: ReadonlyMap<string, Tensor>;
  },
): Promise<string> {
  const path = join(directory, checkpointName(description.progress.step, description));
  const json = new TextEncoder().encode(`${JSON.stringify(model.description, null, 2)}\n`);
  await writeSealedDirectory(
    path,
    new Map<string, Iterable<Uint8Array>>([
      [model.description.parameters.file, model.parameters],
      [names.state, formatSafetensors(tensors, { format: 'mneme' })],
      [names.model, [json]],
      [names.description, [formatCheckpointDescription(description)]],
    ]),
  );
  return path;
}

/** @throws {MnemeError} `file-invalid`: which file is missing or changed; `file-missing`, `out-of-memory` */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const files = await readSealedDirectory(path);
  const file = (name: string): Uint8Array => {
    const bytes = files.get(name);
    if (!bytes) throw damaged(path, `${name} is not among its files`);
    return bytes;
  };
  const description = parseCheckpointDescription(file(names.description), join(path, names.description));
  const model = parseDescription(file(names.model), join(path, names.model));
  const stored = parseSafetensors(file(names.state), join(path, names.state)).tensors;
  const tensors = new Map([...stored].map(([name, tensor]) => [name, tensorOfStored(tensor, name).data]));
  return { path, description, model, parameters: file(model.parameters.file), tensors };
}

/** Removes what `wanted` does not want. What cannot be removed does no harm. */
export async function sweepCheckpoints(directory: string, wanted: (place: CheckpointPlace) => boolean): Promise<void> {
  for (const place of await checkpointsIn(directory).catch(() => [])) {
    if (!wanted(place)) await removeSealedDirectory(place.path).catch(() => undefined);
  }
}

/** Where the model of the best pass is, in the directory of a run. */
export const bestOf = (directory: string): string => join(directory, 'best');

/** Removes a run: all its checkpoints, and its best model. */
export async function removeRun(directory: string): Promise<void> {
  await sweepCheckpoints(directory, () => false);
  await removeSealedDirectory(bestOf(directory)).catch(() => undefined);
}

/** Removes what saves that were killed have left behind: only while nobody saves there. */
export async function sweepUnfinished(directory: string): Promise<void> {
  for (const place of [directory, bestOf(directory)]) {
    for (const name of await namesIn(place).catch(() => [])) {
      if (!name.startsWith('.') || !name.endsWith(temporaryEnding)) continue;
      await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    const reason = code === 'ENOTDIR' ? 'it, or a part of its path, is a file and no directory' : message;
    throw new MnemeError('file-missing', `Cannot read the directory ${directory}: ${reason}.`, { cause });
  }
}
