/** `slice`, a part along an axis, and `pad`, zeros around a part: each is the other's gradient. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { printShape } from '../tensor.js';
import { aroundAxis, expect, expectAxis, trafficOf } from './operand.js';

/**
 * `length` of the extent along `axis`, from `start` on. Along axis 0 it costs nothing.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const last = slice(outputs, { axis: 0, start: time - 1, length: 1 });
 */
export const slice = (
  x: Value,
  { axis, start, length }: { readonly axis: number; readonly start: number; readonly length: number },
): Value => makeNode(sliceOperation, [x], { axis, start, extent: length }).outputs[0]!;

/** Zeros of the given extent along `axis`, with `x` from `start` on. */
export const pad = (
  x: Value,
  { axis, start, extent }: { readonly axis: number; readonly start: number; readonly extent: number },
): Value => makeNode(padOperation, [x], { axis, start, extent }).outputs[0]!;

interface Attributes {
  readonly axis: number;
  readonly start: number;
  /** Of the result along the axis. */
  readonly extent: number;
}

export const sliceOperation: Operation = {
  name: 'slice',
  shape: ([x], attributes) => {
    const { axis, start, extent } = read('slice', attributes, x!.shape);
    expect(start + extent <= x!.shape[axis]!, () => {
      return `slice: ${start} to ${start + extent} along axis ${axis} lies outside of ${printShape(x!.shape)}.`;
    });
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, extent) }];
  },
  gradient: (node, [dy]) => {
    const { axis, start } = node.attributes as unknown as Attributes;
    return [dy && pad(dy, { axis, start, extent: node.inputs[0]!.shape[axis]! })];
  },
  reference: ({ inputs: [x], outputs: [y], attributes }) => {
    const { axis, start } = attributes as unknown as Attributes;
    const { outer, extent, inner } = aroundAxis(x!.shape, axis);
    const part = y!.shape[axis]! * inner;
    for (let index = 0; index < outer; index++) {
      const from = (index * extent + start) * inner;
      y!.data.set(x!.data.subarray(from, from + part), index * part);
    }
  },
  words: ({ attributes }) => [attributes.axis as number, attributes.start as number],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
  alias: (node) => {
    const { axis, start } = node.attributes as unknown as Attributes;
    return axis === 0 ? start * aroundAxis(node.inputs[0]!.shape, 0).inner : undefined;
  },
};

export const padOperation: Operation = {
  name: 'pad',
  shape: ([x], attributes) => {
    const { axis, start, extent } = read('pad', attributes, x!.shape);
    expect(start + x!.shape[axis]! <= extent, () => {
      return `pad: ${printShape(x!.shape)} from ${start} on does not fit into ${extent} along axis ${axis}.`;
    });
    return [{ dtype: x!.dtype, shape: x!.shape.with(axis, extent) }];
  },
  gradient: (node, [dy]) => {
    const { axis, start } = node.attributes as unknown as Attributes;
    return [dy && slice(dy, { axis, start, length: node.inputs[0]!.shape[axis]! })];
  },
  reference: ({ inputs: [x], outputs: [y], attributes }) => {
    const { axis, start } = attributes as unknown as Attributes;
    const { outer, extent, inner } = aroundAxis(y!.shape, axis);
    const part = x!.shape[axis]! * inner;
    y!.data.fill(0);
    for (let index = 0; index < outer; index++) {
      y!.data.set(x!.data.subarray(index * part, (index + 1) * part), (index * extent + start) * inner);
    }
  },
  words: ({ attributes }) => [attributes.axis as number, attributes.start as number],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};

function read(where: string, attributes: object, shape: readonly number[]): Attributes {
  const { start, extent } = attributes as Attributes;
  const axis = expectAxis(where, (attributes as Attributes).axis, shape.length);
  for (const number of [start, extent]) {
    expect(
      Number.isInteger(number) && number >= 0,
      () => `${where}: start and length are whole numbers, got ${number}.`,
    );
  }
  expect(extent > 0, () => `${where}: the length must be at least 1.`);
  return { axis, start, extent };
}
