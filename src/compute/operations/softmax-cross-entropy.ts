/** `softmaxCrossEntropy`: the loss of logits against ids or probabilities, and its gradient in the same pass. */
import { floatBits } from '../expression.js';
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount } from '../tensor.js';
import { constantOf } from './fold.js';
import { map } from './map.js';
import { columnsOf, expect, expectDtype, expectIds, expectShape, f32, leadingOf, trafficOf } from './operand.js';
import { softmaxOf } from './softmax.js';

/**
 * scale · Σ over rows of -Σ target·log softmax(logits), as `[1]`. Logits `[..., V]`; targets are ids `[...]` i32 or
 * weights `[..., V]` f32, which need not add up to 1.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const loss = softmaxCrossEntropy(logits, targets, { scale: 1 / (time * batch) });
 */
export const softmaxCrossEntropy = (logits: Value, targets: Value, options: { readonly scale: number }): Value =>
  makeNode(softmaxCrossEntropyOperation, [logits, targets], { scale: options.scale }).outputs[0]!;

export const softmaxCrossEntropyOperation: Operation = {
  name: 'softmaxCrossEntropy',
  shape: ([logits, targets]) => {
    expectDtype('softmaxCrossEntropy: logits', logits, 'f32');
    expect(targets !== undefined, () => 'softmaxCrossEntropy: targets are missing.');
    const [shape, dtype] =
      targets.dtype === 'i32' ? [leadingOf(logits), 'i32' as const] : [logits.shape, 'f32' as const];
    expectShape('softmaxCrossEntropy: targets', targets, shape.length === 0 ? [1] : shape, dtype);
    return [f32([1]), f32(logits.shape)];
  },
  gradient: (node, [upstream], wanted) => {
    const [, gradient] = node.outputs;
    if (!upstream || !wanted[0]) return [];
    return [constantOf(upstream) === 1 ? gradient : map((g, u) => g.mul(u), gradient!, upstream)];
  },
  reference: ({ inputs: [logits, targets], outputs: [loss, gradient], attributes }) => {
    const scale = attributes.scale as number;
    const width = columnsOf(logits!);
    if (targets!.dtype === 'i32') expectIds('softmaxCrossEntropy: targets', targets!.data, width);
    let sum = 0;
    for (let start = 0; start < logits!.data.length; start += width) {
      const row = logits!.data.subarray(start, start + width);
      const weights =
        targets!.dtype === 'i32'
          ? row.map((_, column) => (column === targets!.data[start / width] ? 1 : 0))
          : targets!.data.subarray(start, start + width);
      const total = weights.reduce((a, b) => a + b, 0);
      const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const logSum = largest + Math.log(row.reduce((a, x) => a + Math.exp(x - largest), 0));
      for (let column = 0; column < width; column++) {
        if (weights[column] !== 0) sum += weights[column]! * (logSum - row[column]!);
      }
      gradient?.data.set(
        softmaxOf(row).map((p, column) => scale * (p * total - weights[column]!)),
        start,
      );
    }
    loss!.data[0] = scale * sum;
  },
  words: ({ attributes }) => [floatBits(attributes.scale as number)],
  cost: (node) => ({ flops: 6 * elementCount(node.inputs[0]!.shape), bytes: trafficOf(node) }),
  canFail: (node) => node.inputs[1]?.dtype === 'i32',
  inPlace: (_inputs, _attributes, input, output) => input === 0 && output === 1,
  optionalOutputs: [1],
};
