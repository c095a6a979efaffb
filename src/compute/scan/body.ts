/** What runs once a step: a graph over the step's slices of sequences, over states, and over what is captured from outside. */
import { input, type Node, stored, type Value } from '../graph.js';
import { elementCount, type Shape } from '../tensor.js';

/** Sources are values without an operation, and the results and next states are computed from them. */
export interface Body {
  /** Steps. */
  readonly count: number;
  /** The last step first. */
  readonly reverse: boolean;
  /** Sources: the step's part of each sequence. */
  readonly slices: readonly Value[];
  /** Sources: the states before the step. */
  readonly states: readonly Value[];
  /** Sources: what is the same in all steps. */
  readonly captured: readonly Value[];
  /** What becomes a sequence `[count, ...]` each. */
  readonly results: readonly Value[];
  /** The states after the step. */
  readonly next: readonly Value[];
  /** Whether the states of all steps are kept, `[count + 1, ...]` each, or the last ones only, one after another `[n]`. */
  readonly history: boolean;
}

/** Sources have names of their own, by which the compiler's ports are found again. */
export const sliceSource = (index: number, { shape, dtype }: Pick<Value, 'shape' | 'dtype'>): Value =>
  input(`slice${index}`, shape.slice(1), dtype);
export const capturedSource = (index: number, { shape, dtype }: Pick<Value, 'shape' | 'dtype'>): Value =>
  input(`captured${index}`, shape, dtype);
export const stateSource = (index: number, { shape, dtype }: Pick<Value, 'shape' | 'dtype'>): Value =>
  input(`state${index}`, shape, dtype);
/** A state of which only the last value is kept; `offset`: elements of the states before it. */
export const carriedSource = (index: number, offset: number, { shape, dtype }: Pick<Value, 'shape' | 'dtype'>): Value =>
  stored('state', offset, shape, dtype, `state${index}`);

/** Names of the body's outputs. */
export const resultName = (index: number): string => `result${index}`;
export const nextName = (index: number): string => `next${index}`;

/** Where each of several arrays begins when they lie one after another, and where the last one ends. */
export function offsetsOf(shapes: readonly { readonly shape: Shape }[]): number[] {
  const offsets = [0];
  for (const { shape } of shapes) offsets.push(offsets.at(-1)! + elementCount(shape));
  return offsets;
}

/** Every node that the values are computed by, each after those it reads. */
export function nodesBehind(values: readonly Value[]): Node[] {
  const seen = new Set<Node>();
  const ordered: Node[] = [];
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const value of node.inputs) if (value) visit(value.node);
    ordered.push(node);
  };
  for (const { node } of values) visit(node);
  return ordered;
}
