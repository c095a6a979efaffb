/** A disk that fails when told to, in place of `node:fs/promises`: every operation that changes it is counted. */
import type * as Promises from 'node:fs/promises';

export interface Disk {
  /** Operations that change the disk so far. */
  operations: number;
  /** The operation that fails, counted from 1; those after it work again, or none of them if the power is gone. */
  failAt: number;
  powerLost: boolean;
  /** What others do before a file is opened for reading. */
  beforeRead?: ((path: string) => Promise<void>) | undefined;
}

/** Wraps the real module. A failing write has written half of what it was given. */
export function failingDisk(real: typeof Promises, disk: Disk): typeof Promises {
  const step = (): boolean => {
    disk.operations += 1;
    return disk.powerLost ? disk.operations >= disk.failAt : disk.operations === disk.failAt;
  };
  const fault = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  const guarded =
    <A extends unknown[], R>(operation: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (step()) throw fault();
      return operation(...given);
    };

  const open: typeof Promises.open = async (path, flags, mode) => {
    const reading = flags === 'r' || typeof flags === 'number';
    if (reading) await disk.beforeRead?.(String(path));
    else if (step()) throw fault();
    const handle = await real.open(path, flags, mode);
    const sync = handle.sync.bind(handle);
    const write = handle.write.bind(handle) as (bytes: Uint8Array, from: number, length: number) => Promise<unknown>;
    const failingWrite = async (bytes: Uint8Array, from: number, length: number) => {
      if (!step()) return write(bytes, from, length);
      await write(bytes, from, Math.floor(length / 2));
      throw fault();
    };
    return Object.assign(handle, { sync: guarded(sync), write: failingWrite });
  };
  return {
    ...real,
    open,
    rename: guarded(real.rename),
    rm: guarded(real.rm),
    rmdir: guarded(real.rmdir),
    mkdir: guarded(real.mkdir) as typeof Promises.mkdir,
  };
}
