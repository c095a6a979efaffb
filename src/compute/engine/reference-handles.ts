/** What the reference engine hands out: loaded programs and memories. */
import { MnemeError, printGibibytes } from '../../errors.js';
import type { Program } from '../program.js';
import type { LoadedProgram, Memory } from './engine.js';

/** A program that was verified, with the arenas that belong to it. */
export class ReferenceProgram implements LoadedProgram {
  readonly program: Program;
  readonly scratch: Float64Array;
  readonly input: Float64Array;
  readonly output: Float64Array;
  disposed = false;

  constructor(program: Program) {
    this.program = program;
    this.scratch = zeros(program.sizes.scratch, 'scratch');
    this.input = zeros(program.sizes.input, 'input');
    this.output = zeros(program.sizes.output, 'output');
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
    this.data = zeros(elements, 'memory');
  }

  dispose(): void {
    this.disposed = true;
    this.data = new Float64Array(0);
  }
}

/** @throws {MnemeError} `out-of-memory` where the system refuses it */
export function zeros(elements: number, what: string): Float64Array {
  try {
    return new Float64Array(elements);
  } catch (cause) {
    throw new MnemeError('out-of-memory', `${what} of ${printGibibytes(elements * 8)} cannot be allocated.`, { cause });
  }
}
