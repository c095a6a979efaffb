/** `assign`: a copy into a place that the compiler chose, on a condition or without one. Made by the compiler only. */
import type { Operation } from '../graph.js';
import { expect, expectShape, trafficOf } from './operand.js';

/** value, when? `[1]` i32 to target; where `when` is 0 the target stays as it is. */
export const assignOperation: Operation = {
  name: 'assign',
  shape: ([value, when]) => {
    expect(value !== undefined, () => 'assign: there is no value.');
    expectShape('assign: when', when, [1], 'i32');
    return [{ dtype: value.dtype, shape: value.shape }];
  },
  reference: ({ inputs: [value, when], outputs: [target] }) => {
    if (when?.data[0] !== 0) target!.data.set(value!.data);
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};
