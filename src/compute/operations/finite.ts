/** `finite`: whether all numbers are. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount } from '../tensor.js';
import { expectDtype, i32, trafficOf } from './operand.js';

/**
 * `[1]` i32: 1 if no value holds NaN or an infinity, else 0.
 *
 * @example
 * const fine = finite([loss, gradient]);
 */
export const finite = (values: readonly Value[]): Value => makeNode(finiteOperation, values, {}).outputs[0]!;

export const finiteOperation: Operation = {
  name: 'finite',
  shape: (inputs) => {
    for (const [index, input] of inputs.entries()) expectDtype(`finite: value ${index}`, input, 'f32');
    return [i32([1])];
  },
  reference: ({ inputs, outputs: [flag] }) => {
    flag!.data[0] = inputs.every((input) => input!.data.every((x) => Number.isFinite(x))) ? 1 : 0;
  },
  words: () => [],
  cost: (node) => ({
    flops: node.inputs.reduce((sum, input) => sum + elementCount(input!.shape), 0),
    bytes: trafficOf(node),
  }),
};
