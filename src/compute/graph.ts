/**
 * The graph: symbolic values and the operations that make them. A value knows its dtype and shape; nothing
 * is computed here. `gradients` (gradients.ts) extends a graph backwards, `compile` (compiler.ts) turns it
 * into a program.
 */
import type { Arena } from './program.js';
import type { Dtype, NumericArray, Shape } from './tensor.js';

export interface Specification {
  readonly dtype: Exclude<Dtype, 'f64'>;
  readonly shape: Shape;
}

export interface Value extends Specification {
  readonly node: Node;
  /** Which output of the node. */
  readonly output: number;
  /** For printing. */
  readonly name?: string;
}

/** What a source value stands for: an input port, or a fixed range of a persistent arena. */
export type Source =
  | { readonly kind: 'input'; readonly name: string; readonly limit?: number }
  | {
      readonly kind: 'stored';
      readonly arena: Extract<Arena, 'parameters' | 'updater' | 'state'>;
      readonly offset: number;
    };

export interface Node {
  /** Increases with creation: inputs of a node always have smaller ids. */
  readonly id: number;
  /** Undefined for a source. */
  readonly operation?: Operation;
  readonly source?: Source;
  /** `undefined` where an optional operand is absent. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** `undefined` where an optional result is not wanted. */
  readonly outputs: readonly (Value | undefined)[];
}

export type Attributes = Readonly<Record<string, unknown>>;

/** What a reference implementation is given. Arrays are the operands' ranges; `i32` operands hold whole numbers. */
export interface ReferenceCall {
  readonly inputs: readonly (ReferenceOperand | undefined)[];
  readonly outputs: readonly (ReferenceOperand | undefined)[];
  readonly attributes: Attributes;
}
export interface ReferenceOperand extends Specification {
  readonly data: Float64Array;
}

/** A node kind: one file in `operations/`, one kernel file in `native/kernels/`. */
export interface Operation {
  readonly name: string;
  /**
   * Shapes and dtypes of the outputs; `undefined` for outputs that are not wanted.
   * @throws {MnemeError} `invalid-shape`: which operand, expected and found
   */
  shape(inputs: readonly (Specification | undefined)[], attributes: Attributes): readonly (Specification | undefined)[];
  /** Gradients for the inputs, given those of the outputs (undefined: none flows). Absent: not differentiable. */
  gradient?(
    node: Node,
    outputGradients: readonly (Value | undefined)[],
    wanted: readonly boolean[],
  ): readonly (Value | undefined)[];
  /** The plain answer, in double precision; the f32 reference engine rounds the outputs afterwards. */
  reference(call: ReferenceCall): void;
  /** Attributes as 32-bit words for the kernel. */
  words(node: Node): readonly number[];
  /** Floating-point operations and bytes of one run. */
  cost(node: Node): { readonly flops: number; readonly bytes: number };
  /** Inputs (by position) whose buffer the kernel overwrites: they may have no later reader. */
  readonly consumes?: readonly number[];
  /** Pairs [input, output] that may share a buffer. */
  readonly inPlace?: readonly (readonly [number, number])[];
}

export type { NumericArray };
