/** `reduce`: the sum or the largest of an expression over arrays: of everything, of each column, or of each row. */
import { Expression, variable } from '../expression.js';
import type { Value } from '../graph.js';
import { sameShape } from '../tensor.js';
import { fullShape } from './broadcast.js';
import { mapExpressions, type ReduceAxis, reduceExpression } from './elementwise.js';
import { type ElementFunction, map } from './map.js';

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
export const reduceSum = (values: Value | readonly Value[], options: ReduceOptions): Value => {
  const { list, axis, scale, expression } = read(values, options);
  return reduceExpression(list, { kind: 'sum', axis, scale, expression, shape: fullShape(list) });
};

/**
 * scale · the largest of the expression, as `reduceSum`. Where several are equally large, they share its gradient.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const largest = reduceMaximum(logits, { axis: 'columns' });
 */
export const reduceMaximum = (values: Value | readonly Value[], options: ReduceOptions): Value => {
  const { list, axis, scale, expression } = read(values, options);
  const shape = fullShape(list);
  const [first] = list as readonly [Value];
  const isFirst = expression.kind === 'variable' && expression.number === 0 && sameShape(first.shape, shape);
  const terms = isFirst ? first : mapExpressions([expression], list, { shape })[0]!;
  const largest = reduceExpression([terms], { kind: 'maximum', axis, scale: 1, expression: variable(0), shape });
  return scale === 1 ? largest : map((x) => x.mul(scale), largest);
};

function read(values: Value | readonly Value[], { axis, scale = 1, expression = variable(0) }: ReduceOptions) {
  const list = 'node' in values ? [values] : values;
  const built = expression instanceof Expression ? expression : expression(...list.map((_, index) => variable(index)));
  return { list, axis, scale, expression: built };
}
