/**
 * The native engine: programs run by the C++ addon on threads of its own. Meaning is checked here, with names in
 * the messages; the addon checks everything again that could make it leave its memory.
 */
import { MnemeError } from '../../errors.js';
import type { Program } from '../program.js';
import type { NumericArray } from '../tensor.js';
import { type Addon, callAddon } from './addon.js';
import { encodeProgram } from './encoding.js';
import type { Engine } from './engine.js';
import { checkAllocation, type MemoryLimit, refuseTooLarge } from './memory-limit.js';
import { checkProgram, NativeMemory, NativeProgram } from './native-handles.js';
import { NativeStream } from './native-stream.js';
import { copyOfProgram } from './program-form.js';
import { threadsOf } from './submission.js';

export interface NativeEngineOptions {
  readonly addon: Addon;
  /** `avx512`, `avx2` or `portable`. Default: the best this machine has. */
  readonly instructionSet?: string;
  /** Threads of a stream that does not say otherwise. Default: the cores this process may use. */
  readonly threads?: number;
}

/** The native engine can do one thing more: run a single instruction at once, on the caller's own arrays. */
export interface NativeEngine extends Engine {
  load(program: Program): NativeProgram;
  createStream(options?: { readonly threads?: number }): NativeStream;
  /**
   * Runs a program of one instruction on arrays, on the calling thread and a team of `threads`, without copying. The
   * arrays are in the order of the instruction's operands, null where one is absent.
   *
   * @throws {MnemeError} `invalid-argument` if an array does not fit its operand, or two overlap that must not;
   *   `out-of-range` for an id outside its table
   */
  execute(
    program: NativeProgram,
    threads: number,
    inputs: readonly (NumericArray | null)[],
    outputs: readonly (NumericArray | null)[],
  ): void;
}

/**
 * Makes an engine on the addon.
 *
 * @throws {MnemeError} `invalid-option` if this machine has not got the instruction set
 */
export function createNativeEngine({ addon, instructionSet: forced, threads }: NativeEngineOptions): NativeEngine {
  const machine = addon.machine();
  if (forced !== undefined && !machine.instructionSets.includes(forced)) {
    throw new MnemeError(
      'invalid-option',
      `instruction set '${forced}' (MNEME_ISA) is not available; this build has for this processor: ` +
        `${machine.instructionSets.join(', ')}.`,
    );
  }
  const instructionSet = forced ?? addon.selectInstructionSet('');
  const defaultThreads = threads ?? machine.cores;
  const limit = memoryLimit(machine.memoryBytes);

  return {
    name: 'native',
    instructionSet,
    precision: 'f32',
    defaultThreads,
    load(given) {
      const program = copyOfProgram(given);
      const words = encodeProgram(program);
      const { scratch, input, output } = program.sizes;
      refuseTooLarge(`program '${program.name}'`, scratch + input + output, limit);
      const id = callAddon(`program '${program.name}'`, () => addon.loadProgram(instructionSet, words));
      return new NativeProgram(addon, id, program);
    },
    allocate(elements) {
      checkAllocation(elements, limit);
      const id = callAddon('memory', () => addon.allocateMemory(elements));
      return new NativeMemory(addon, id, elements);
    },
    createStream(options) {
      return new NativeStream(addon, threadsOf(options) ?? defaultThreads);
    },
    execute(loaded, count, inputs, outputs) {
      const { id, program } = checkProgram('execute', loaded);
      callAddon(program.name, () => addon.execute(id, count, inputs, outputs));
    },
  };
}

/** What this process may use, and what one piece of memory may have. */
function memoryLimit(memoryBytes: number): MemoryLimit {
  const largestPiece = (2 ** 31 - 1) * 4;
  return largestPiece < memoryBytes
    ? { elementBytes: 4, bytes: largestPiece, says: 'one piece of memory has at most' }
    : { elementBytes: 4, bytes: memoryBytes, says: 'this process may use at most' };
}
