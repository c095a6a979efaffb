/** What the reference engine hands out: loaded programs and memories. */
import type { Program } from '../program.js';
import type { LoadedProgram, Memory } from './engine.js';

/** A copy of a program, with the arenas that belong to it. */
export class ReferenceProgram implements LoadedProgram {
  readonly program: Program;
  readonly scratch: Float64Array;
  readonly input: Float64Array;
  readonly output: Float64Array;
  disposed = false;

  constructor(program: Program) {
    this.program = structuredClone(program);
    this.scratch = new Float64Array(program.sizes.scratch);
    this.input = new Float64Array(program.sizes.input);
    this.output = new Float64Array(program.sizes.output);
  }

  dispose(): void {
    this.disposed = true;
  }
}

export class ReferenceMemory implements Memory {
  readonly length: number;
  data: Float64Array;
  disposed = false;

  constructor(elements: number) {
    this.length = elements;
    this.data = new Float64Array(elements);
  }

  dispose(): void {
    this.disposed = true;
    this.data = new Float64Array(0);
  }
}
