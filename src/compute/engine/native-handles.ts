/** What the addon holds for JavaScript by number: given back on `dispose`, or when nobody can reach it any longer. */
import { MnemeError } from '../../errors.js';
import type { Program } from '../program.js';
import type { Addon } from './addon.js';
import type { LoadedProgram, Memory } from './engine.js';

const abandoned = new FinalizationRegistry<() => void>((giveBack) => giveBack());

/** Runs `giveBack` once `handle` is collected; it must not hold `handle`. */
export function whenAbandoned(handle: object, giveBack: () => void): void {
  abandoned.register(handle, giveBack);
}

export class NativeProgram implements LoadedProgram {
  disposed = false;
  constructor(
    private readonly addon: Addon,
    readonly id: number,
    readonly program: Program,
  ) {
    whenAbandoned(this, () => addon.disposeProgram(id));
  }

  dispose(): void {
    if (!this.disposed) this.addon.disposeProgram(this.id);
    this.disposed = true;
  }
}

/** @throws {MnemeError} `invalid-argument` for what the native engine has not loaded, `disposed` */
export function checkProgram(where: string, loaded: unknown): NativeProgram {
  if (!(loaded instanceof NativeProgram)) {
    throw new MnemeError('invalid-argument', `${where}: program must be one that the native engine has loaded.`);
  }
  if (loaded.disposed)
    throw new MnemeError('disposed', `${where}: program '${loaded.program.name}' has been disposed of.`);
  return loaded;
}

export class NativeMemory implements Memory {
  disposed = false;
  constructor(
    private readonly addon: Addon,
    readonly id: number,
    readonly length: number,
  ) {
    whenAbandoned(this, () => addon.disposeMemory(id));
  }

  dispose(): void {
    if (!this.disposed) this.addon.disposeMemory(this.id);
    this.disposed = true;
  }
}
