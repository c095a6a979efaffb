/** `permuteRows`: the rows of a batch in another order. */
import { MnemeError } from '../../errors.js';
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount, printShape } from '../tensor.js';
import { expect, expectShape, trafficOf } from './operand.js';

export interface PermuteRowsOptions {
  /** The axis of the batch: 0 of `[B, ...]`, 1 of `[T, B, ...]`. */
  readonly axis: 0 | 1;
  /** Rows go to the places that `order` names, which undoes the permutation without it. Default false. */
  readonly inverse?: boolean | undefined;
}

/**
 * Row i of the result is row `order[i]` of `x`; with `inverse`, row `order[i]` of the result is row i of `x`.
 *
 * @param order `[B]` i32, each row once; anything else fails the step with `out-of-range`
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const sorted = permuteRows(x, order, { axis: 1 });
 * const back = permuteRows(y, order, { axis: 1, inverse: true });
 */
export const permuteRows = (x: Value, order: Value, { axis, inverse = false }: PermuteRowsOptions): Value =>
  makeNode(permuteRowsOperation, [x, order], { axis, inverse }).outputs[0]!;

export const permuteRowsOperation: Operation = {
  name: 'permuteRows',
  shape: ([x, order], { axis }) => {
    expect((axis === 0 || axis === 1) && x!.shape.length > axis, () => {
      return `permuteRows: expected the axis of the batch, 0 or 1, of ${printShape(x!.shape)}, got ${axis}.`;
    });
    expectShape('permuteRows: order', order, [x!.shape[axis]!], 'i32');
    return [x!];
  },
  gradient: (node, [dy]) => {
    const { axis, inverse } = node.attributes as unknown as PermuteRowsOptions;
    return [dy && permuteRows(dy, node.inputs[1]!, { axis, inverse: !inverse })];
  },
  reference: ({ inputs: [x, order], outputs: [y], attributes }) => {
    const { axis, inverse } = attributes as unknown as PermuteRowsOptions;
    const batch = x!.shape[axis]!;
    const inner = elementCount(x!.shape.slice(axis + 1));
    const seen = new Set<number>();
    for (const [place, row] of order!.data.entries()) {
      if (row < 0 || row >= batch || seen.has(row)) {
        throw new MnemeError(
          'out-of-range',
          `permuteRows: row ${row} at position ${place} of the order lies outside of 0 to ${batch - 1} or is there twice.`,
        );
      }
      seen.add(row);
      const [from, to] = inverse ? [place, row] : [row, place];
      for (let step = 0; step < x!.data.length; step += batch * inner) {
        y!.data.set(x!.data.subarray(step + from * inner, step + (from + 1) * inner), step + to * inner);
      }
    }
  },
  words: ({ attributes }) => [attributes.axis as number, Number(attributes.inverse)],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
  canFail: () => true,
};
