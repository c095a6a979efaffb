/** Loaded programs by key: a few are kept, the least recently used goes first. */
import type { Engine, LoadedProgram } from '../compute/engine/engine.js';
import type { Program } from '../compute/program.js';

export class ProgramCache {
  readonly #engine: Engine;
  readonly #capacity: number;
  /** In order of use, the latest last. */
  readonly #programs = new Map<string, LoadedProgram>();

  constructor(engine: Engine, capacity: number) {
    this.#engine = engine;
    this.#capacity = capacity;
  }

  /** The program of that key, built if it is not there. */
  get(key: string, build: () => Program): LoadedProgram {
    const known = this.#programs.get(key);
    if (known) this.#programs.delete(key);
    const program = known ?? this.#engine.load(build());
    this.#programs.set(key, program);
    if (this.#programs.size > this.#capacity) {
      const [oldest, leaving] = this.#programs.entries().next().value!;
      this.#programs.delete(oldest);
      leaving.dispose();
    }
    return program;
  }

  clear(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
  }
}
