/**
 * The graph: symbolic values and the operations that make them. A value knows its dtype and shape; nothing
 * is computed here. `gradients` (gradients.ts) extends a graph backwards, `compile` (compiler.ts) turns it
 * into a program.
 */
import { MnemeError, printGibibytes } from '../errors.js';
import type { Arena, Program } from './program.js';
import { type Dtype, elementCount, type NumericArray, printShape, type Shape, sameShape } from './tensor.js';

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
  /** Longest way from a source: inputs of a node always have a smaller depth. */
  readonly depth: number;
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
  /** Whether a node can fail because of an id outside its range. Programs write nothing that lasts before. */
  canFail?(node: Node): boolean;
  /** Inputs (by position) whose buffer the kernel overwrites: they may have no later reader. */
  readonly consumes?: readonly number[];
  /** Whether that output may lie exactly on that input. */
  inPlace?(
    inputs: readonly (Specification | undefined)[],
    attributes: Attributes,
    input: number,
    output: number,
  ): boolean;
  /** Outputs (by position) that a program leaves out when nothing reads them. */
  readonly optionalOutputs?: readonly number[];
  /**
   * Where the only output is a range of the first input, seen with another shape: its first element. No instruction is
   * made for such a node. `undefined`: this node is not of that kind.
   */
  alias?(node: Node): number | undefined;
  /**
   * Where an operation is a loop over a program of its own: what the compiler puts where the node stands. Engines never see
   * such an operation. `outputs` that are not wanted are undefined.
   */
  repetition?(node: Pick<Node, 'inputs' | 'outputs'>): Repetition;
}

/** A program that runs again and again inside of another one. */
export interface Repetition {
  /** One iteration. What it assigns lies in its arena `state`; it touches no other that lasts. */
  readonly body: Program;
  readonly count: number;
  /** Where the ports of `body` lie, in their order. */
  readonly inputs: readonly MovingOperand[];
  readonly outputs: readonly MovingOperand[];
  /** The output that is the arena `state` of the body. */
  readonly state?: number;
  /** Inputs that are copied into an output, from element `offset` on, before the first iteration. */
  readonly beginnings: readonly { readonly input: number; readonly output: number; readonly offset: number }[];
}

/** A range of an operand: from element `offset` on in the first iteration, `stride` elements further in each other. */
export interface MovingOperand {
  readonly of: 'inputs' | 'outputs';
  readonly index: number;
  readonly offset: number;
  readonly stride: number;
}

export type { NumericArray };

/**
 * A port that is given with each step.
 *
 * @param options `limit`: exclusive upper bound of the ids of an `i32` port
 */
export function input(
  name: string,
  shape: Shape,
  dtype: Specification['dtype'],
  options: { readonly limit?: number | undefined } = {},
): Value {
  const limit = options.limit === undefined ? {} : { limit: options.limit };
  return source({ kind: 'input', name, ...limit }, shape, dtype, name);
}

/** A range of a persistent arena, starting at element `offset`. What is read is what it holds before the step. */
export function stored(
  arena: Extract<Arena, 'parameters' | 'updater' | 'state'>,
  offset: number,
  shape: Shape,
  dtype: Specification['dtype'],
  name: string,
): Value {
  return source({ kind: 'stored', arena, offset }, shape, dtype, name);
}

/**
 * The same elements under another shape; costs nothing.
 *
 * @throws {MnemeError} `invalid-shape` if the number of elements differs
 */
export function reshape(value: Value, shape: Shape): Value {
  if (sameShape(value.shape, shape)) return value;
  return makeNode(reshapeOperation, [value], { shape }).outputs[0]!;
}

/**
 * An operation applied to values.
 *
 * @throws {MnemeError} `invalid-shape` from the operation's shape rule, `out-of-memory` for an output of 2^31 elements
 *   or more
 */
export function makeNode(operation: Operation, inputs: Node['inputs'], attributes: Attributes): Node {
  const specifications = operation.shape(inputs, attributes);
  const depth = 1 + inputs.reduce((deepest, value) => Math.max(deepest, value?.node.depth ?? 0), 0);
  const outputs: (Value | undefined)[] = [];
  const node: Node = { depth, operation, inputs, attributes, outputs };
  for (const [output, specification] of specifications.entries()) {
    if (specification) checkSize(specification.shape, operation.name);
    outputs.push(specification && { ...specification, node, output });
  }
  return node;
}

function source(of: Source, shape: Shape, dtype: Specification['dtype'], name: string): Value {
  if (shape.length === 0 || shape.some((extent) => !Number.isSafeInteger(extent) || extent < 1)) {
    throw new MnemeError(
      'invalid-shape',
      `${name}: extents are whole numbers of at least 1, got ${printShape(shape)}.`,
    );
  }
  checkSize(shape, name);
  const outputs: Value[] = [];
  const node: Node = { depth: 0, source: of, inputs: [], attributes: {}, outputs };
  outputs.push({ dtype, shape, node, output: 0, name });
  return outputs[0]!;
}

function checkSize(shape: Shape, where: string): void {
  const elements = elementCount(shape);
  if (elements < 2 ** 31) return;
  throw new MnemeError(
    'out-of-memory',
    `${where}: a tensor ${printShape(shape)} would take ${printGibibytes(elements * 4)}; ` +
      'one tensor has fewer than 2^31 elements (8 GiB). Use a smaller batch, sequence or layer.',
  );
}

const reshapeOperation: Operation = {
  name: 'reshape',
  shape: ([x], { shape }) => {
    const wanted = shape as Shape;
    if (elementCount(wanted) !== elementCount(x!.shape)) {
      throw new MnemeError(
        'invalid-shape',
        `reshape: ${printShape(x!.shape)} has ${elementCount(x!.shape)} elements, ${printShape(wanted)} needs ${elementCount(wanted)}.`,
      );
    }
    return [{ dtype: x!.dtype, shape: wanted }];
  },
  gradient: (node, [dy]) => [dy && reshape(dy, node.inputs[0]!.shape)],
  reference: ({ inputs, outputs }) => outputs[0]!.data.set(inputs[0]!.data),
  words: () => [],
  cost: () => ({ flops: 0, bytes: 0 }),
  alias: () => 0,
};
