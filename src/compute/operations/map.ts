/** `map`: expressions over arrays, element by element. */
import { Expression, variable } from '../expression.js';
import type { Value } from '../graph.js';
import { fullShape } from './broadcast.js';
import { mapExpressions } from './elementwise.js';

/** Builds results from one symbolic element of each value. */
export type ElementFunction<Result> = (...elements: Expression[]) => Result;

/**
 * Applies an expression to values, element by element. The results have the shape of the largest value; the others
 * have that shape, or are `[1]`, one a column (`[columns]`), or one a row (the leading axes and a last one of 1).
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const y = map((x, b) => x.add(b).tanh(), product, bias);
 */
export function map(f: ElementFunction<Expression>, ...values: Value[]): Value;
export function map(f: ElementFunction<readonly Expression[]>, ...values: Value[]): Value[];
export function map(f: ElementFunction<Expression | readonly Expression[]>, ...values: Value[]): Value | Value[] {
  const result = f(...values.map((_, index) => variable(index)));
  const single = result instanceof Expression;
  const outputs = mapExpressions(single ? [result] : result, values, { shape: fullShape(values) });
  return single ? outputs[0]! : outputs;
}

/**
 * As `map`, with a flag `[1]` i32: 1 if every result is finite. If one is not, nothing is stored: results that lie in
 * place keep what was there, others are undefined.
 */
export function guardedMap(
  f: ElementFunction<Expression | readonly Expression[]>,
  ...values: Value[]
): { outputs: Value[]; finite: Value } {
  const result = f(...values.map((_, index) => variable(index)));
  const expressions = result instanceof Expression ? [result] : result;
  const outputs = mapExpressions(expressions, values, { shape: fullShape(values), guard: true });
  return { outputs: outputs.slice(0, -1), finite: outputs.at(-1)! };
}

/**
 * As `guardedMap`, with a proof: an expression of scalars only, which is not 0 where every result is known to be finite
 * (`provesFinite` makes it). The results are then computed once instead of twice, and nothing is checked: where a proof
 * lies, numbers that are not finite are stored.
 *
 * @returns also `extremes` `[2 * results]`: the lowest and the highest of each result in turn, undefined where `finite` is 0;
 *   from these the next proof can be made
 */
export function provenMap(
  f: ElementFunction<{ readonly results: readonly Expression[]; readonly proof: Expression }>,
  ...values: Value[]
): { outputs: Value[]; extremes: Value; finite: Value } {
  const { results, proof } = f(...values.map((_, index) => variable(index)));
  const options = { shape: fullShape(values), guard: true, proof: true } as const;
  const outputs = mapExpressions([...results, proof], values, options);
  return { outputs: outputs.slice(0, -2), extremes: outputs.at(-2)!, finite: outputs.at(-1)! };
}
