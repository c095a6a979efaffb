/** `oneHot`: ids as vectors with a single 1. `matmul` and `recurrent` take the ids of such a value instead. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { columnsOf, expect, expectDtype, expectIds, f32, trafficOf } from './operand.js';

/**
 * i32 `[...]` to f32 `[..., vocabulary]`.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const vectors = oneHot(ids, 65);
 */
export const oneHot = (ids: Value, vocabulary: number): Value =>
  makeNode(oneHotOperation, [ids], { vocabulary }).outputs[0]!;

export const oneHotOperation: Operation = {
  name: 'oneHot',
  shape: ([ids], { vocabulary }) => {
    expectDtype('oneHot: ids', ids, 'i32');
    expect(Number.isInteger(vocabulary) && (vocabulary as number) > 0, () => {
      return `oneHot: the vocabulary must be a whole number of at least 1, got ${vocabulary}.`;
    });
    return [f32([...ids.shape, vocabulary as number])];
  },
  gradient: () => [],
  reference: ({ inputs: [ids], outputs: [y] }) => {
    const width = columnsOf(y!);
    expectIds('oneHot', ids!.data, width);
    y!.data.fill(0);
    for (const [position, id] of ids!.data.entries()) y!.data[position * width + id] = 1;
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
  canFail: () => true,
};
