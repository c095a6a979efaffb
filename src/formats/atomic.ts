/** Files that are there whole or not at all: written under another name, synced, then renamed. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MnemeError } from '../errors.js';

/**
 * Puts a file in place of what is there under its name. Whatever interrupts it, a full disk, a kill, a loss of power,
 * the name holds either the old content or the new; a kill may leave a file ending in `.tmp` beside it.
 *
 * @param pieces the content, one after another
 * @throws {MnemeError} `file-write`: what could not be written, and why
 */
export async function writeAtomically(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}${temporaryEnding}`);
  try {
    await writeSynced(temporary, pieces);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw writeFailure(error, path);
  }
}

/** The ending of a file that is not in place yet. */
export const temporaryEnding = '.tmp';

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows neither opens directories nor needs it.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** What the system said, as a sentence with a remedy. */
export function writeFailure(error: unknown, path: string): Error {
  if (error instanceof MnemeError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const reason = reasons[code] ?? `${error instanceof Error ? error.message : error}`;
  return new MnemeError('file-write', `Cannot write ${path}: ${reason}.`, { cause: error });
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'its directory does not exist. Create it first',
  ENOTDIR: 'a part of the path is a file and no directory',
  EEXIST: 'a file of that name is in the way',
  EISDIR: 'it is a directory',
  EACCES: 'its directory is not writable for this user',
  EPERM: 'its directory is not writable for this user',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than is allowed here',
};

/**
 * Writes a new file and syncs it; under its own name, and so only where nobody sees it before it is whole.
 * @throws what the system says
 */
export async function writeSynced(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const piece of pieces) await writeWhole(file, piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The system may take less than it is given, and never 2 GiB at once. */
async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, Math.min(bytes.length - written, 2 ** 30));
    written += bytesWritten;
  }
}
