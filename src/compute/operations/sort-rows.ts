/** `sortRows`: the order in which the rows of a batch stand by falling length, as `recurrent` wants them. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { expectLengths } from './lengths.js';
import { expect, expectDtype, i32, trafficOf } from './operand.js';

export interface SortedRows {
  /** `[B]` i32: the row that comes to stand at each place; what `permuteRows` takes. */
  readonly order: Value;
  /** `[B]` i32: the place to which each row comes. */
  readonly inverse: Value;
  /** `[B]` i32: the lengths in that order. */
  readonly lengths: Value;
}

/**
 * Sorts rows so that their lengths do not grow; rows of equal length keep their order.
 *
 * @param lengths `[B]` i32, each from 0 to `time`; others fail the step with `out-of-range`
 * @param time the number of steps
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const { order, lengths: sorted } = sortRows(lengths, 50);
 * const input = permuteRows(x, order, { axis: 1 });
 */
export function sortRows(lengths: Value, time: number): SortedRows {
  const [order, inverse, sorted] = makeNode(sortRowsOperation, [lengths], { time }).outputs;
  return { order: order!, inverse: inverse!, lengths: sorted! };
}

export const sortRowsOperation: Operation = {
  name: 'sortRows',
  shape: ([lengths], { time }) => {
    expectDtype('sortRows: lengths', lengths, 'i32');
    expect(lengths.shape.length === 1, () => `sortRows: expected lengths [batch], got ${lengths.shape.length} axes.`);
    expect(Number.isInteger(time) && (time as number) >= 1 && (time as number) < 2 ** 31, () => {
      return `sortRows: the number of steps must be a whole number of at least 1, got ${time}.`;
    });
    return [i32(lengths.shape), i32(lengths.shape), i32(lengths.shape)];
  },
  gradient: () => [],
  reference: ({ inputs: [lengths], outputs: [order, inverse, sorted], attributes }) => {
    const given = lengths!.data;
    expectLengths('sortRows', given, attributes.time as number);
    const rows = Array.from(given.keys()).sort((a, b) => given[b]! - given[a]!);
    order!.data.set(rows);
    for (const [place, row] of rows.entries()) {
      inverse!.data[row] = place;
      sorted!.data[place] = given[row]!;
    }
  },
  words: ({ attributes }) => [attributes.time as number],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
  canFail: () => true,
};
