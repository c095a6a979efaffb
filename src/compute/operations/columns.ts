/** A part of the features of each row, without computing the others. */
import type { Expression } from '../expression.js';
import type { Value } from '../graph.js';
import { mapExpressions } from './elementwise.js';
import { type MatmulOptions, matmul } from './matmul.js';
import { columnsOf } from './operand.js';
import { slice } from './slice.js';

/**
 * `length` columns from `start` on. Of a map they are the map of columns, and of a product the product with columns of the
 * second matrix: where that is a parameter, each part of what was one product is a product of its own, and nothing is copied.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const forget = columns(gates, { start: units, length: units });
 */
export function columns(x: Value, range: { readonly start: number; readonly length: number }): Value {
  const { node, shape } = x;
  const axis = shape.length - 1;
  const { operation, inputs, attributes } = node;
  if (range.start === 0 && range.length === columnsOf(x)) return x;
  if (operation?.name === 'map' && !attributes.guard) {
    const expressions = attributes.expressions as readonly Expression[];
    const parts = (inputs as readonly Value[]).map((value) => (columnsOf(value) === 1 ? value : columns(value, range)));
    return mapExpressions([expressions[x.output]!], parts, { shape: shape.with(axis, range.length) })[0]!;
  }
  if (operation?.name === 'matmul') {
    const [a, b, bias] = inputs as [Value, Value, Value | undefined];
    const { transposeA, transposeB } = attributes as MatmulOptions;
    const part = transposeB ? slice(b, { axis: 0, ...range }) : slice(b, { axis: 1, ...range });
    return matmul(a, part, {
      ...(transposeA ? { transposeA } : {}),
      ...(transposeB ? { transposeB } : {}),
      bias: bias && columns(bias, range),
    });
  }
  return slice(x, { axis, ...range });
}
