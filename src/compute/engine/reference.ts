/**
 * The reference engine: the plain answer, in TypeScript. In double precision it is what every number is checked
 * against; in single precision, where each instruction's results are rounded, it runs where no addon loads.
 */
import { totalmem } from 'node:os';
import { requireArgument } from '../../errors.js';
import type { Engine } from './engine.js';
import { checkAllocation, refuseTooLarge } from './memory-limit.js';
import { copyOfProgram } from './program-form.js';
import { ReferenceMemory, ReferenceProgram } from './reference-handles.js';
import { ReferenceStream } from './reference-stream.js';
import { threadsOf } from './submission.js';
import { verifyProgram } from './verification.js';

export interface ReferenceEngineOptions {
  /** `f64`: no rounding between instructions, and f64 outputs. `f32`: as the native engine, but for the last bits. */
  readonly precision: 'f32' | 'f64';
}

/**
 * Makes a reference engine. It computes on the main thread, between turns of the event loop.
 *
 * @example
 * const engine = createReferenceEngine({ precision: 'f64' });
 */
export function createReferenceEngine(options: ReferenceEngineOptions): Engine {
  const precision = options?.precision;
  requireArgument(
    precision === 'f32' || precision === 'f64',
    'createReferenceEngine: precision',
    "'f32' or 'f64'",
    precision,
  );
  const limit = { elementBytes: 8, bytes: totalmem(), says: 'this machine has' };
  return {
    name: 'reference',
    instructionSet: 'typescript',
    precision,
    defaultThreads: 1,
    load: (given) => {
      const program = copyOfProgram(given);
      verifyProgram(program);
      refuseTooLarge(
        `program '${program.name}'`,
        program.sizes.scratch + program.sizes.input + program.sizes.output,
        limit,
      );
      return new ReferenceProgram(program);
    },
    allocate: (elements) => {
      checkAllocation(elements, limit);
      return new ReferenceMemory(elements);
    },
    createStream: (options) => new ReferenceStream({ precision, threads: threadsOf(options) ?? 1 }),
  };
}
