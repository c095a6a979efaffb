/** `reduce`: the sum or the largest of an expression over arrays: of everything, of each column, or of each row. */
import { Expression, variable } from '../expression.js';
import type { Value } from '../graph.js';
import { fullShape } from './broadcast.js';
import { type ReduceAttributes, type ReduceAxis, reduceExpression } from './elementwise.js';
import type { ElementFunction } from './map.js';

export interface ReduceOptions {
  /** `all`: one number; `rows`: over the rows, one a column; `columns`: over the columns, one a row. */
  readonly axis: ReduceAxis;
  /** What is reduced; the first value itself by default. Variables are numbered as the values. */
  readonly expression?: Expression | ElementFunction<Expression>;
  /** Factor of the result. Default 1. */
  readonly scale?: number;
}

/**
 * scale · Σ expression, over everything (`[1]`), over the rows (`[columns]`) or over the columns (the leading axes).
 * Values stretch as those of `map`.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const squares = reduceSum(gradient, { axis: 'all', expression: (x) => x.square() });
 */
export const reduceSum = (values: Value | readonly Value[], options: ReduceOptions): Value =>
  reduce('sum', values, options);

/** scale · the largest of the expression, as `reduceSum`. It has no gradient. */
export const reduceMaximum = (values: Value | readonly Value[], options: ReduceOptions): Value =>
  reduce('maximum', values, options);

function reduce(kind: ReduceAttributes['kind'], values: Value | readonly Value[], options: ReduceOptions): Value {
  const list = 'node' in values ? [values] : values;
  const { axis, scale = 1, expression = variable(0) } = options;
  const built = expression instanceof Expression ? expression : expression(...list.map((_, index) => variable(index)));
  return reduceExpression(list, { kind, axis, scale, expression: built, shape: fullShape(list) });
}
