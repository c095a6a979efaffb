/** What the addon holds for JavaScript by number: given back on `dispose`, or when nobody can reach it any longer. */
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
