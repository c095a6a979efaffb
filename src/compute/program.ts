/**
 * A program: one whole step as plain data. Instructions over numbered buffers, each a range of one of the
 * arenas. The compiler writes it; either engine runs it; it can be printed, counted and saved.
 */
import type { Dtype, Shape } from './tensor.js';

/**
 * Where a buffer lives.
 * - `parameters`, `updater`, `state`: memories given with each submission, kept from step to step
 * - `scratch`: belongs to the stream, undefined at the start of a step
 * - `input`, `output`: copied in before and out after a step
 */
export type Arena = 'parameters' | 'updater' | 'state' | 'scratch' | 'input' | 'output';
export const arenas: readonly Arena[] = ['parameters', 'updater', 'state', 'scratch', 'input', 'output'];

/** A range of an arena. `offset` counts 4-byte elements. In programs `f32` means the engine's real type. */
export interface BufferSpecification {
  readonly arena: Arena;
  readonly offset: number;
  readonly shape: Shape;
  readonly dtype: Exclude<Dtype, 'f64'>;
  /** How it moves while loops run, each loop once at most; it stays where it is in all others. */
  readonly strides?: readonly Stride[];
}

/** A buffer lies `elements` further (before, if negative) in each iteration of a loop than in the one before. */
export interface Stride {
  /** Its number in `Program.loops`. */
  readonly loop: number;
  readonly elements: number;
}

/** The instructions from `first` up to `end`, without that one, run `count` times. */
export interface Loop {
  readonly first: number;
  readonly end: number;
  readonly count: number;
}

/** One operation with its buffers fixed; -1 stands for an optional operand that is absent. */
export interface Instruction {
  readonly operation: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** What the reference reads. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** The attributes as 32-bit words for the native kernel, as `docs/architecture.md` lists them. */
  readonly words: readonly number[];
}

/** A named input or output. `limit` is the exclusive upper bound of ids in an `i32` input. */
export interface Port {
  readonly name: string;
  readonly buffer: number;
  readonly limit?: number;
}

export interface Program {
  readonly name: string;
  readonly buffers: readonly BufferSpecification[];
  readonly instructions: readonly Instruction[];
  /** By their first instruction, outer ones before those inside of them; two are apart, or one lies in the other. */
  readonly loops?: readonly Loop[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Elements each arena must have. */
  readonly sizes: Readonly<Record<Arena, number>>;
  /** Of one run: floating-point operations, bytes read and written, scratch elements had nothing been reused. */
  readonly cost: { readonly flops: number; readonly bytes: number; readonly scratchWithoutReuse: number };
  /** Names of buffers for printing: `lstm_1/kernel`, `%3`. */
  readonly names: readonly string[];
}
