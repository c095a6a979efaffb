/** `concatenate`: values one after another along an axis. Along axis 0 the compiler lets them be made in place. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { printShape, sameShape } from '../tensor.js';
import { aroundAxis, expect, expectAxis, trafficOf } from './operand.js';
import { slice } from './slice.js';

/**
 * All values, which differ in their extent along `axis` at most.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const flat = concatenate(gradients.map((gradient) => reshape(gradient, [elementCount(gradient.shape)])), 0);
 */
export const concatenate = (values: readonly Value[], axis: number): Value =>
  values.length === 1 ? values[0]! : makeNode(concatenateOperation, values, { axis }).outputs[0]!;

export const concatenateOperation: Operation = {
  name: 'concatenate',
  shape: (inputs, attributes) => {
    const first = inputs[0];
    expect(first !== undefined, () => 'concatenate: there is nothing to concatenate.');
    const axis = expectAxis('concatenate', attributes.axis, first.shape.length);
    let extent = 0;
    for (const [index, input] of inputs.entries()) {
      expect(
        input!.dtype === first.dtype && sameShape(input!.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1)),
        () => {
          return `concatenate: value ${index} is ${input!.dtype} ${printShape(input!.shape)}, which does not fit behind ${first.dtype} ${printShape(first.shape)} along axis ${axis}.`;
        },
      );
      extent += input!.shape[axis]!;
    }
    return [{ dtype: first.dtype, shape: first.shape.with(axis, extent) }];
  },
  gradient: (node, [dy], wanted) => {
    const axis = node.attributes.axis as number;
    let start = 0;
    return node.inputs.map((input, index) => {
      const length = input!.shape[axis]!;
      const part = dy && wanted[index] ? slice(dy, { axis, start, length }) : undefined;
      start += length;
      return part;
    });
  },
  reference: ({ inputs, outputs: [y], attributes }) => {
    const axis = attributes.axis as number;
    const { outer, extent, inner } = aroundAxis(y!.shape, axis);
    let start = 0;
    for (const input of inputs) {
      const part = input!.shape[axis]! * inner;
      for (let index = 0; index < outer; index++) {
        y!.data.set(input!.data.subarray(index * part, (index + 1) * part), index * extent * inner + start);
      }
      start += part;
    }
  },
  words: ({ attributes }) => [attributes.axis as number],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};
