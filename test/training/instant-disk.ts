/**
 * The real disk without waiting, in place of `node:fs/promises`: what is begun is done before the next step ends, so
 * that which checkpoints are written does not depend on the speed of a disk.
 */
import * as fs from 'node:fs';
import type * as Promises from 'node:fs/promises';

export function instantDisk(real: typeof Promises): typeof Promises {
  const open = async (path: string, flags: string) => {
    const file = fs.openSync(path, flags);
    return {
      write: async (bytes: Uint8Array, from: number, length: number) => ({
        bytesWritten: fs.writeSync(file, bytes, from, length),
      }),
      read: async (bytes: Uint8Array, from: number, length: number) => ({
        bytesRead: fs.readSync(file, bytes, from, length, null),
      }),
      stat: async () => fs.fstatSync(file),
      sync: async () => undefined,
      close: async () => fs.closeSync(file),
    };
  };
  return {
    ...real,
    open: open as unknown as typeof Promises.open,
    rename: async (from, to) => fs.renameSync(from, to),
    rm: async (path, options) => fs.rmSync(path, options),
    rmdir: async (path) => fs.rmdirSync(path),
    mkdir: (async (path: string, options: fs.MakeDirectoryOptions) =>
      fs.mkdirSync(path, options)) as typeof Promises.mkdir,
    readdir: (async (path: string) => fs.readdirSync(path)) as unknown as typeof Promises.readdir,
  };
}
