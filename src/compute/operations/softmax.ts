/** `softmax`: exp(x - largest) / Σ exp(x - largest) over the last axis. */
import { makeNode, type Operation, reshape, type Value } from '../graph.js';
import { elementCount } from '../tensor.js';
import { map } from './map.js';
import { columnsOf, expectDtype, f32, leadingOf, trafficOf } from './operand.js';
import { reduceSum } from './reduce.js';

/**
 * Probabilities over the last axis, of the shape of `x`.
 *
 * @example
 * const probabilities = softmax(logits);
 */
export const softmax = (x: Value): Value => makeNode(softmaxOperation, [x], {}).outputs[0]!;

export const softmaxOperation: Operation = {
  name: 'softmax',
  shape: ([x]) => {
    expectDtype('softmax', x, 'f32');
    return [f32(x.shape)];
  },
  gradient: (node, [dy]) => {
    const y = node.outputs[0]!;
    if (!dy) return [];
    const sums = reduceSum([y, dy], { axis: 'columns', expression: (p, d) => p.mul(d) });
    const perRow = reshape(sums, y.shape.length === 1 ? [1] : [...leadingOf(y), 1]);
    return [map((p, d, sum) => p.mul(d.sub(sum)), y, dy, perRow)];
  },
  reference: ({ inputs: [x], outputs: [y] }) => {
    const width = columnsOf(x!);
    for (let start = 0; start < x!.data.length; start += width) {
      y!.data.set(softmaxOf(x!.data.subarray(start, start + width)), start);
    }
  },
  words: () => [],
  cost: (node) => ({ flops: 4 * elementCount(node.inputs[0]!.shape), bytes: trafficOf(node) }),
  inPlace: () => true,
};

/** The softmax of one row. */
export function softmaxOf(row: Float64Array): Float64Array {
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = row.map((x) => Math.exp(x - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
