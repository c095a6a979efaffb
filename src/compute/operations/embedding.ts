/** `embedding` and `embeddingGradient`: rows of a table, picked by ids. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount, printShape } from '../tensor.js';
import { columnsOf, expect, expectDtype, expectIds, expectShape, f32, rowsOf, trafficOf } from './operand.js';

/**
 * Row `ids[i]` of the table `[V, E]` for each id: i32 `[...]` to `[..., E]`. An id outside of the table fails the step
 * with `out-of-range`.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const vectors = embedding(ids, table);
 */
export const embedding = (ids: Value, table: Value): Value =>
  makeNode(embeddingOperation, [ids, table], {}).outputs[0]!;

export const embeddingOperation: Operation = {
  name: 'embedding',
  shape: ([ids, table]) => {
    expectDtype('embedding: ids', ids, 'i32');
    expectDtype('embedding: table', table, 'f32');
    expect(table.shape.length === 2, () => `embedding: expected a table [V, E], got ${printShape(table.shape)}.`);
    return [f32([...ids.shape, columnsOf(table)])];
  },
  gradient: (node, [dy], wanted) => {
    const [ids, table] = node.inputs as [Value, Value];
    if (!dy || !wanted[1]) return [];
    return [undefined, makeNode(embeddingGradientOperation, [ids, dy], { rows: table.shape[0]! }).outputs[0]];
  },
  reference: ({ inputs: [ids, table], outputs: [y] }) => {
    const width = columnsOf(table!);
    expectIds('embedding', ids!.data, rowsOf(table!));
    for (const [position, id] of ids!.data.entries()) {
      y!.data.set(table!.data.subarray(id * width, (id + 1) * width), position * width);
    }
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: 8 * elementCount(node.outputs[0]!.shape) }),
  canFail: () => true,
};

/** ids `[...]`, dy `[..., E]` to dTable `[V, E]`: each row is the sum over the places of its id. */
export const embeddingGradientOperation: Operation = {
  name: 'embeddingGradient',
  shape: ([ids, dy], { rows }) => {
    expectDtype('embeddingGradient: ids', ids, 'i32');
    expectShape('embeddingGradient: dy', dy, [...ids.shape, columnsOf(dy!)]);
    return [f32([rows as number, columnsOf(dy!)])];
  },
  reference: ({ inputs: [ids, dy], outputs: [dTable] }) => {
    const width = columnsOf(dy!);
    expectIds('embeddingGradient', ids!.data, rowsOf(dTable!));
    dTable!.data.fill(0);
    for (const [position, id] of ids!.data.entries()) {
      for (let column = 0; column < width; column++) {
        dTable!.data[id * width + column]! += dy!.data[position * width + column]!;
      }
    }
  },
  words: () => [],
  cost: (node) => ({ flops: elementCount(node.inputs[1]!.shape), bytes: trafficOf(node) }),
  canFail: () => true,
};
