/** What shape rules ask of operands, and the sentence that says why one does not fit. */
import { MnemeError } from '../../errors.js';
import type { Node, Specification, Value } from '../graph.js';
import { elementCount, printShape, type Shape, sameShape } from '../tensor.js';

/** Extent of the last axis. */
export const columnsOf = ({ shape }: Pick<Specification, 'shape'>): number => shape[shape.length - 1]!;
/** All axes but the last, as one. */
export const rowsOf = (specification: Pick<Specification, 'shape'>): number =>
  elementCount(specification.shape) / columnsOf(specification);
/** All axes but the last. */
export const leadingOf = ({ shape }: Pick<Specification, 'shape'>): Shape => shape.slice(0, -1);

export const f32 = (shape: Shape): Specification => ({ dtype: 'f32', shape });
export const i32 = (shape: Shape): Specification => ({ dtype: 'i32', shape });

/** @throws {MnemeError} `invalid-shape` unless the operand has that shape and dtype; an absent one fits */
export function expectShape(
  where: string,
  operand: Specification | undefined,
  shape: Shape,
  dtype: Specification['dtype'] = 'f32',
): void {
  if (!operand || (sameShape(operand.shape, shape) && operand.dtype === dtype)) return;
  throw new MnemeError(
    'invalid-shape',
    `${where}: expected ${dtype} ${printShape(shape)}, got ${operand.dtype} ${printShape(operand.shape)}.`,
  );
}

/** @throws {MnemeError} `invalid-shape` unless the operand is given and of that dtype */
export function expectDtype(
  where: string,
  operand: Specification | undefined,
  dtype: Specification['dtype'],
): asserts operand is Specification {
  if (operand?.dtype === dtype) return;
  throw new MnemeError(
    'invalid-shape',
    `${where}: expected ${dtype} values, got ${operand ? `${operand.dtype} ${printShape(operand.shape)}` : 'nothing'}.`,
  );
}

/** @throws {MnemeError} `invalid-shape` with the given sentence */
export function expect(condition: boolean, sentence: () => string): asserts condition {
  if (!condition) throw new MnemeError('invalid-shape', sentence());
}

/** The axis as a number from 0, at least 0 and below the rank. */
export function expectAxis(where: string, axis: unknown, rank: number): number {
  expect(Number.isInteger(axis) && (axis as number) >= 0 && (axis as number) < rank, () => {
    return `${where}: axis must be a whole number from 0 to ${rank - 1}, got ${axis}.`;
  });
  return axis as number;
}

/** Extents outside and inside of an axis, flattened: an array is `[outer, extent, inner]`. */
export function aroundAxis(shape: Shape, axis: number): { outer: number; extent: number; inner: number } {
  return {
    outer: elementCount(shape.slice(0, axis)),
    extent: shape[axis]!,
    inner: elementCount(shape.slice(axis + 1)),
  };
}

/** Bytes of all operands once. */
export function trafficOf(node: Node): number {
  const bytes = (total: number, value: Value | undefined) => total + (value ? 4 * elementCount(value.shape) : 0);
  return node.outputs.reduce(bytes, node.inputs.reduce(bytes, 0));
}

/** @throws {MnemeError} `out-of-range`, naming the id and its position, unless all ids lie in [0, limit) */
export function expectIds(where: string, ids: ArrayLike<number>, limit: number): void {
  for (let position = 0; position < ids.length; position++) {
    const id = ids[position]!;
    if (id >= 0 && id < limit) continue;
    throw new MnemeError(
      'out-of-range',
      `${where}: id ${id} at position ${position} lies outside of 0 to ${limit - 1}.`,
    );
  }
}
