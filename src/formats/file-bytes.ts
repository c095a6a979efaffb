/** Whole files as bytes, beyond the 2 GiB at which `readFile` ends. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MnemeError, printGibibytes } from '../errors.js';

/**
 * @throws {MnemeError} `file-missing` when there is none or it cannot be read, `out-of-memory` when it does not fit
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags);
    const status = await file.stat();
    if (!status.isFile() && !status.isDirectory()) throw new MnemeError('file-missing', `${path} is no file.`);
    const { size } = status;
    const bytes = allocate(size, path);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length, Math.min(size - length, longestRead));
      // The file became shorter meanwhile: whoever parses it finds it truncated.
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    throw readFailure(error, path);
  } finally {
    await file?.close();
  }
}

/** Opening a pipe that nobody writes to would wait for ever. Windows, which has no such flag, has no such pipes. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** One `read` takes less than 2 GiB. */
const longestRead = 2 ** 30;

function allocate(size: number, path: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new MnemeError('out-of-memory', `${path} has ${printGibibytes(size)}, too much to read at once.`, { cause });
  }
}

function readFailure(error: unknown, path: string): Error {
  if (error instanceof MnemeError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new MnemeError('file-missing', `Cannot read ${path}: ${reasons[code] ?? String(error)}.`, { cause: error });
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is a file and no directory',
  EISDIR: 'it is a directory',
  EACCES: 'reading it is not permitted',
};
