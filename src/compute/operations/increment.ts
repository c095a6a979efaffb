/** `increment`: a counter moved on. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { expectShape, i32 } from './operand.js';

/** x `[1]` i32 + by, wrapping at 32 bits. */
export const increment = (x: Value, by: number): Value => makeNode(incrementOperation, [x], { by }).outputs[0]!;

export const incrementOperation: Operation = {
  name: 'increment',
  shape: ([x]) => {
    expectShape('increment', x, [1], 'i32');
    return [i32([1])];
  },
  reference: ({ inputs: [x], outputs: [y], attributes }) => {
    y!.data[0] = (x!.data[0]! + (attributes.by as number)) | 0;
  },
  words: ({ attributes }) => [attributes.by as number],
  cost: () => ({ flops: 0, bytes: 8 }),
  inPlace: () => true,
};
