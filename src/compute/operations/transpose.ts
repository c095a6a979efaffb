/** `transpose`: the first two axes exchanged. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount, printShape } from '../tensor.js';
import { expect, trafficOf } from './operand.js';

/**
 * `[A, B, ...]` to `[B, A, ...]`.
 *
 * @throws {MnemeError} `invalid-shape` for fewer than two axes
 * @example
 * const timeMajor = transpose(batchMajor);
 */
export const transpose = (x: Value): Value => makeNode(transposeOperation, [x], {}).outputs[0]!;

export const transposeOperation: Operation = {
  name: 'transpose',
  shape: ([x]) => {
    expect(x!.shape.length >= 2, () => `transpose: expected two axes or more, got ${printShape(x!.shape)}.`);
    const [first, second, ...rest] = x!.shape as [number, number, ...number[]];
    return [{ dtype: x!.dtype, shape: [second, first, ...rest] }];
  },
  gradient: (_, [dy]) => [dy && transpose(dy)],
  reference: ({ inputs: [x], outputs: [y] }) => {
    const [rows, columns, ...rest] = x!.shape as [number, number, ...number[]];
    const inner = elementCount(rest);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const from = (row * columns + column) * inner;
        y!.data.set(x!.data.subarray(from, from + inner), (column * rows + row) * inner);
      }
    }
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};
