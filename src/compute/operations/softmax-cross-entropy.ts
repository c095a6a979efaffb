/** `softmaxCrossEntropy`: the loss of logits against ids or probabilities, and its gradient in the same pass. */
import { MnemeError } from '../../errors.js';
import { floatBits } from '../expression.js';
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount } from '../tensor.js';
import { constantOf } from './fold.js';
import { map } from './map.js';
import { columnsOf, expect, expectDtype, expectIds, expectShape, f32, leadingOf, trafficOf } from './operand.js';
import { softmaxOf } from './softmax.js';

export interface SoftmaxCrossEntropyOptions {
  readonly scale: number;
  /** Weights of the rows, `[...]` f32: one of weight 0 is not looked at, whatever its logits and targets hold. */
  readonly weights?: Value | undefined;
  /** An id stands for 1 - smoothing at it, and smoothing / V everywhere on top. Default 0. */
  readonly smoothing?: number;
}

/**
 * scale · Σ over rows of -weight · Σ target·log softmax(logits), as `[1]`. Logits `[..., V]`; targets are ids `[...]`
 * i32 or `[..., V]` f32, which need not add up to 1. Only the logits have a gradient.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const loss = softmaxCrossEntropy(logits, targets, { scale: 1 / (time * batch) });
 */
export const softmaxCrossEntropy = (logits: Value, targets: Value, options: SoftmaxCrossEntropyOptions): Value => {
  const { scale, weights, smoothing = 0 } = options;
  return makeNode(softmaxCrossEntropyOperation, [logits, targets, weights], { scale, smoothing }).outputs[0]!;
};

export const softmaxCrossEntropyOperation: Operation = {
  name: 'softmaxCrossEntropy',
  shape: ([logits, targets, weights], { smoothing }) => {
    expectDtype('softmaxCrossEntropy: logits', logits, 'f32');
    expect(targets !== undefined, () => 'softmaxCrossEntropy: targets are missing.');
    const leading = logits.shape.length === 1 ? [1] : leadingOf(logits);
    const byId = targets.dtype === 'i32';
    expectShape('softmaxCrossEntropy: targets', targets, byId ? leading : logits.shape, byId ? 'i32' : 'f32');
    expectShape('softmaxCrossEntropy: weights', weights, leading);
    expect(byId || smoothing === 0, () => 'softmaxCrossEntropy: smoothing is for targets that are ids (i32).');
    return [f32([1]), f32(logits.shape)];
  },
  gradient: (node, [upstream], wanted) => {
    const [, gradient] = node.outputs;
    if (!upstream) return [];
    if (wanted[1] || wanted[2]) {
      throw new MnemeError('invalid-argument', 'softmaxCrossEntropy: targets and weights have no gradient.');
    }
    return [constantOf(upstream) === 1 ? gradient : map((g, u) => g.mul(u), gradient!, upstream)];
  },
  reference: ({ inputs: [logits, targets, weights], outputs: [loss, gradient], attributes }) => {
    const { scale, smoothing } = attributes as { scale: number; smoothing: number };
    const width = columnsOf(logits!);
    const counts = (row: number) => weights === undefined || weights.data[row] !== 0;
    const byId = targets!.dtype === 'i32';
    if (byId) {
      const given = targets!.data.map((id, row) => (counts(row) ? id : 0));
      expectIds('softmaxCrossEntropy: targets', given, width);
    }
    let sum = 0;
    for (let row = 0; row < logits!.data.length / width; row++) {
      if (!counts(row)) {
        gradient?.data.fill(0, row * width, (row + 1) * width);
        continue;
      }
      const weight = weights?.data[row] ?? 1;
      const x = logits!.data.subarray(row * width, (row + 1) * width);
      const target = byId
        ? x.map((_, column) => (column === targets!.data[row] ? 1 - smoothing : 0) + smoothing / width)
        : targets!.data.subarray(row * width, (row + 1) * width);
      const total = target.reduce((a, b) => a + b, 0);
      const largest = x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const logSum = largest + Math.log(x.reduce((a, value) => a + Math.exp(value - largest), 0));
      for (const [column, part] of target.entries()) if (part !== 0) sum += weight * part * (logSum - x[column]!);
      gradient?.data.set(
        softmaxOf(x).map((p, column) => scale * weight * (p * total - target[column]!)),
        row * width,
      );
    }
    loss!.data[0] = scale * sum;
  },
  words: ({ attributes: { scale, smoothing } }) => [floatBits(scale as number), floatBits(smoothing as number)],
  cost: (node) => ({ flops: 6 * elementCount(node.inputs[0]!.shape), bytes: trafficOf(node) }),
  canFail: (node) => node.inputs[1]?.dtype === 'i32',
  inPlace: (_inputs, _attributes, input, output) => input === 0 && output === 1,
  optionalOutputs: [1],
};
