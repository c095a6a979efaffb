/** Whether a model can be saved where the user wants it: asked before the training, not after it. */
import { mkdir, mkdtemp, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { MnemeError } from '../errors.js';

/**
 * Makes the directory's parents, and tries to write beside it.
 * @throws {MnemeError} `file-write` when that fails, or when the directory holds something other than a model or a run
 */
export async function requireWritable(directory: string): Promise<void> {
  const target = path.resolve(directory);
  const present = await contents(target);
  if (present.length > 0 && !present.includes('model.json') && !present.includes('checkpoints')) {
    throw new MnemeError('file-write', `${directory} exists and is not a model; choose another directory with --out.`);
  }
  try {
    await mkdir(path.dirname(target), { recursive: true });
    await rmdir(await mkdtemp(`${target}.`));
  } catch (error) {
    throw unwritable(directory, error);
  }
}

async function contents(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unwritable(directory, error);
  }
}

function unwritable(directory: string, error: unknown): MnemeError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    EACCES: 'writing there is not permitted',
    EPERM: 'writing there is not permitted',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    ENOTDIR: 'a part of the path is a file',
    EEXIST: 'a part of the path is a file',
  };
  const reason = reasons[code ?? ''] ?? message;
  return new MnemeError(
    'file-write',
    `Cannot save a model in ${directory}: ${reason}. Choose another directory with --out.`,
    {
      cause: error,
    },
  );
}
