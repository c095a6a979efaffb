/**
 * The contract between the compiler and the machine: what an engine is. Two of them keep it, `native` (the
 * C++ addon) and `reference` (plain TypeScript), and the same tests run on both.
 */
import type { Program } from '../program.js';
import type { NumericArray, Tensor } from '../tensor.js';

export interface Engine {
  readonly name: 'native' | 'reference';
  /** `avx512`, `avx2` or `portable`; the reference says `typescript`. */
  readonly instructionSet: string;
  readonly precision: 'f32' | 'f64';
  /** Threads of a stream that does not say otherwise: MNEME_THREADS or the cores available. */
  readonly defaultThreads: number;
  /**
   * Verifies and prepares a program. It is copied: changing the object afterwards changes nothing.
   * @throws {MnemeError} `invalid-program` with the instruction's number and the reason
   */
  load(program: Program): LoadedProgram;
  /**
   * Memory for parameters, updater state or recurrent state, zeroed.
   * @throws {MnemeError} `out-of-memory`, before anything is allocated, with the size in GiB
   */
  allocate(elements: number): Memory;
  /** A queue of steps with `threads` threads of its own. */
  createStream(options?: { readonly threads?: number }): Stream;
}

export interface LoadedProgram {
  readonly program: Program;
  dispose(): void;
}

/** Elements of 4 bytes (8 in the f64 reference), 64-byte aligned. */
export interface Memory {
  readonly length: number;
  readonly disposed: boolean;
  dispose(): void;
}

export interface Submission {
  readonly program: LoadedProgram;
  /** The memories behind the persistent arenas; each must hold what the program's `sizes` ask for. */
  readonly memories: { readonly parameters?: Memory; readonly updater?: Memory; readonly state?: Memory };
  /** One array (or tensor) for each input port, of its dtype and element count. Copied before `submit` returns. */
  readonly inputs: Readonly<Record<string, NumericArray | Tensor>>;
  /** Runs the program this many times in one call, with the same inputs. Default 1. */
  readonly repeat?: number;
}

/** By port name. With `repeat` above 1 each output has a leading axis of that extent. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** First in, first out; off the event loop; an idle stream does not keep the process alive. */
export interface Stream {
  readonly threads: number;
  /** Submissions not yet settled. */
  readonly pending: number;
  /**
   * Checks and copies the inputs, queues the step and resolves with its outputs.
   * Rejects (never throws) with `invalid-shape`, `invalid-argument` (detached or wrong dtype), `out-of-range`
   * (which id, where), `disposed`.
   */
  submit(submission: Submission): Promise<Outputs>;
  /** Copies `data` to `offset` of the memory, in stream order; `data` is copied before `write` returns. */
  write(memory: Memory, offset: number, data: NumericArray): Promise<void>;
  /** Reads in stream order. `f32` gives a Float32Array (Float64Array from the f64 reference). */
  read(memory: Memory, offset: number, length: number, dtype: 'f32' | 'i32'): Promise<NumericArray>;
  /** Resolves when all that was queued has run; what is submitted afterwards is refused. */
  close(): Promise<void>;
}
