/** Directories that are there whole or not at all, with the SHA-256 of every file in them. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MnemeError } from '../errors.js';
import { syncDirectory, temporaryEnding, writeFailure, writeSynced } from './atomic.js';
import { readBytes } from './file-bytes.js';
import { digestOf, hashed } from './safetensors.js';

/** Its form is that of `sha256sum`, which can check a directory too. */
export const digestsName = 'SHA256SUMS';

/**
 * Writes a directory in place of what is there under its name; its parent must exist. Everything is written and synced
 * under another name first: whatever interrupts this, a directory of that name is whole. A kill may leave one beside it
 * that begins with a dot and ends in `.tmp`.
 *
 * @param files content by name, each in pieces
 * @throws {MnemeError} `file-write`; then nothing of it is left
 */
export async function writeSealedDirectory(
  path: string,
  files: ReadonlyMap<string, Iterable<Uint8Array>>,
): Promise<void> {
  const temporary = temporaryFor(path);
  try {
    await mkdir(temporary);
    let digests = '';
    for (const [name, pieces] of files) {
      const hash = createHash('sha256');
      await writeSynced(join(temporary, name), hashed(pieces, hash));
      digests += `${hash.digest('hex')}  ${name}\n`;
    }
    await writeSynced(join(temporary, digestsName), [new TextEncoder().encode(digests)]);
    await syncDirectory(temporary);
    await putInPlace(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw writeFailure(error, path);
  }
}

/**
 * Reads every file of a directory, each of which is as it was written.
 *
 * @returns content by name
 * @throws {MnemeError} `file-missing` when there is no such directory, `file-invalid`: which file is missing or changed
 */
export async function readSealedDirectory(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [name, digest] of parseDigests(await readPart(path, digestsName), path)) {
    const bytes = await readPart(path, name);
    if (digestOf([bytes]) !== digest) {
      throw damaged(path, `${name} is not what was saved: its SHA-256 is another. It was truncated or changed`);
    }
    files.set(name, bytes);
  }
  return files;
}

/** Removes a directory so that it is there whole or not at all, even if this is interrupted. */
export async function removeSealedDirectory(path: string): Promise<void> {
  const temporary = temporaryFor(path);
  await rename(path, temporary);
  await rm(temporary, { recursive: true, force: true });
}

export const damaged = (path: string, reason: string): MnemeError =>
  new MnemeError('file-invalid', `${path} is damaged: ${reason}.`);

const temporaryFor = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}${temporaryEnding}`);

/** What is in the way, a damaged directory that its successor replaces, is moved aside first. */
async function putInPlace(temporary: string, path: string): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    await removeSealedDirectory(path);
    await rename(temporary, path);
  }
}

async function readPart(directory: string, name: string): Promise<Uint8Array> {
  try {
    return await readBytes(join(directory, name));
  } catch (error) {
    if (error instanceof MnemeError && error.code === 'file-missing') throw damaged(directory, `${name} is missing`);
    throw error;
  }
}

/** Names without a slash that do not begin with a dot: no file of a sealed directory lies outside of it. */
const line = /^([0-9a-f]{64}) {2}([A-Za-z0-9_-][A-Za-z0-9_.-]*)$/;

function parseDigests(bytes: Uint8Array, path: string): ReadonlyMap<string, string> {
  const lines = new TextDecoder().decode(bytes).split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw damaged(path, `${digestsName} is truncated`);
  const digests = new Map<string, string>();
  for (const text of lines) {
    const [, digest, name] = line.exec(text) ?? [];
    if (!digest || !name || digests.has(name)) throw damaged(path, `${digestsName} holds a line that is no digest`);
    digests.set(name, digest);
  }
  return digests;
}
