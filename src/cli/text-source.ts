/** The text that a run learns from, told from every other by its digest. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { MnemeError } from '../errors.js';

export interface TextSource {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** @throws {MnemeError} `file-missing`, `aborted` */
export async function textSource(file: string, signal: AbortSignal): Promise<TextSource> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of createReadStream(file, { signal, highWaterMark: 1 << 18 })) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (cause) {
    if (signal.aborted) throw new MnemeError('aborted', `Stopped while reading ${file}.`);
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new MnemeError('file-missing', `Cannot read ${file}: ${reasons[code ?? ''] ?? message}.`, { cause });
  }
  return { path: path.resolve(file), bytes, sha256: hash.digest('hex') };
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is a file and no directory',
  EISDIR: 'it is a directory',
  EACCES: 'reading it is not permitted',
};

/**
 * @param file where it is now
 * @throws {MnemeError} `file-missing`, `file-invalid` unless it is that text: what to do
 */
export async function requireSameText(source: TextSource, file: string, signal: AbortSignal): Promise<void> {
  const remedy = 'A run goes on with the text it began with; --text FILE tells where that is now.';
  const found = await textSource(file, signal).catch((error) => {
    throw signal.aborted ? error : new MnemeError(error.code, `${error.message} ${remedy}`, { cause: error });
  });
  if (found.sha256 === source.sha256) return;
  const how =
    found.bytes === source.bytes ? 'its SHA-256 is another' : `${source.bytes} bytes then, ${found.bytes} now`;
  throw new MnemeError('file-invalid', `${file} is not the text that this run learned from (${how}). ${remedy}`);
}
