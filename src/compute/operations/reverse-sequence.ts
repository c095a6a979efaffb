/** `reverseSequence`: the steps of sequences backwards, each from its own end. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount, printShape } from '../tensor.js';
import { expectLengths } from './lengths.js';
import { expect, expectShape, trafficOf } from './operand.js';

/**
 * Step t of row b of the result is step `lengths[b] - 1 - t` of that row of `x`; behind the end of a row are zeros.
 * What `x` holds there is not looked at.
 *
 * @param x `[T, B, ...]`
 * @param lengths `[B]` i32, each from 0 to T, others fail the step with `out-of-range`; without them all are T
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const backwards = reverseSequence(x, lengths);
 */
export const reverseSequence = (x: Value, lengths?: Value): Value =>
  makeNode(reverseSequenceOperation, [x, lengths], {}).outputs[0]!;

export const reverseSequenceOperation: Operation = {
  name: 'reverseSequence',
  shape: ([x, lengths]) => {
    expect(x!.shape.length >= 2, () => `reverseSequence: expected [time, batch, ...], got ${printShape(x!.shape)}.`);
    expectShape('reverseSequence: lengths', lengths, [x!.shape[1]!], 'i32');
    return [x!];
  },
  gradient: (node, [dy]) => [dy && reverseSequence(dy, node.inputs[1])],
  reference: ({ inputs: [x, lengths], outputs: [y] }) => {
    const [time, batch, ...rest] = x!.shape as [number, number, ...number[]];
    const inner = elementCount(rest);
    if (lengths) expectLengths('reverseSequence', lengths.data, time);
    y!.data.fill(0);
    for (let row = 0; row < batch; row++) {
      const length = lengths?.data[row] ?? time;
      for (let t = 0; t < length; t++) {
        const from = ((length - 1 - t) * batch + row) * inner;
        y!.data.set(x!.data.subarray(from, from + inner), (t * batch + row) * inner);
      }
    }
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
  canFail: (node) => node.inputs[1] !== undefined,
};
