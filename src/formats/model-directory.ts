/**
 * A model's directory, replaced as a whole: `model.json` names the file of parameters by its content, so that writing
 * a new model leaves the old one whole until `model.json`, in one rename, names the new file.
 */
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MnemeError } from '../errors.js';
import { syncDirectory, temporaryEnding, writeAtomically, writeFailure } from './atomic.js';
import { readBytes } from './file-bytes.js';
import { invalid, type ModelDescription, parametersName, parseDescription } from './model-description.js';
import { digestOf } from './safetensors.js';

const descriptionName = 'model.json';

/**
 * Writes or replaces a model. The directory is made if it is not there; other files in it stay. Whatever interrupts
 * this, the directory holds the old model or the new one. Two writers at once are safe too: the last one's model stays.
 *
 * @throws {MnemeError} `file-write`
 */
export async function writeModelDirectory(
  directory: string,
  description: ModelDescription,
  parameters: readonly Uint8Array[],
): Promise<void> {
  const created = await makeDirectory(directory);
  const before = await currentParameters(directory);
  const candidates = [description.parameters.file, ...(before ? [before] : [])];
  try {
    if (created) await syncDirectory(dirname(directory));
    await writeAtomically(join(directory, description.parameters.file), parameters);
    const json = `${JSON.stringify(description, null, 2)}\n`;
    await writeAtomically(join(directory, descriptionName), [new TextEncoder().encode(json)]);
  } catch (error) {
    await sweep(directory, candidates);
    // Succeeds only where nothing is in it.
    if (created) await rmdir(directory).catch(() => {});
    throw writeFailure(error, directory);
  }
  await sweep(directory, [...candidates, ...(await abandoned(directory))]);
}

/**
 * Reads a model's description and the bytes of its parameters, which are those that were saved.
 *
 * @throws {MnemeError} `file-missing`, `file-invalid` (which file, what is wrong)
 */
export async function readModelDirectory(
  directory: string,
): Promise<{ readonly description: ModelDescription; readonly parameters: Uint8Array }> {
  if (typeof directory !== 'string' || directory === '') {
    throw new MnemeError(
      'invalid-argument',
      `A model is loaded from the path of a directory, got ${typeof directory}.`,
    );
  }
  const file = join(directory, descriptionName);
  for (let previous: ModelDescription | undefined; ; ) {
    const description = parseDescription(await readBytes(file), file);
    const path = join(directory, description.parameters.file);
    try {
      const parameters = await readBytes(path);
      requireUnchanged(parameters, description, path);
      return { description, parameters };
    } catch (error) {
      if (!(error instanceof MnemeError) || error.code !== 'file-missing') throw error;
      // A save in between removes the file that the old description names; then there is a new description.
      if (previous?.parameters.file === description.parameters.file) {
        throw invalid(file, `it names ${description.parameters.file}, which is missing`);
      }
      previous = description;
    }
  }
}

function requireUnchanged(bytes: Uint8Array, { parameters }: ModelDescription, path: string): void {
  if (bytes.length !== parameters.bytes) {
    const hint = bytes.length < parameters.bytes ? '. Is it truncated?' : '';
    throw invalid(path, `it was saved with ${parameters.bytes} bytes and has ${bytes.length}${hint}`);
  }
  if (digestOf([bytes]) !== parameters.sha256) {
    throw invalid(path, 'its content is not what was saved: the SHA-256 in model.json is another');
  }
}

async function makeDirectory(path: string): Promise<boolean> {
  try {
    return (await mkdir(path, { recursive: true })) !== undefined;
  } catch (error) {
    throw writeFailure(error, path);
  }
}

/** The file that `model.json` names now; undefined where there is none that can be read. */
async function currentParameters(directory: string): Promise<string | undefined> {
  const file = join(directory, descriptionName);
  try {
    return parseDescription(await readBytes(file), file).parameters.file;
  } catch {
    return undefined;
  }
}

/** Removes those of the files that the model does not need. What cannot be removed does no harm. */
async function sweep(directory: string, files: readonly string[]): Promise<void> {
  const needed = await currentParameters(directory);
  for (const file of files) {
    if (file !== needed) await rm(join(directory, file), { force: true }).catch(() => {});
  }
}

/** What saves that were killed have left behind. A running one's files are younger than an hour. */
async function abandoned(directory: string): Promise<string[]> {
  const hour = 3_600_000;
  const found: string[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const ours = parametersName.test(name) || (/^\.(parameters|model)\./.test(name) && name.endsWith(temporaryEnding));
    const status = ours ? await stat(join(directory, name)).catch(() => undefined) : undefined;
    if (status && Date.now() - status.mtimeMs > hour) found.push(name);
  }
  return found;
}
