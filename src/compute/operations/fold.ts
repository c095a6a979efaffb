/** Fewer and simpler inputs for the expressions of `map` and `reduce`. */
import { type Expression, expressionOf, simplifyAll, substitute, variable, variablesOf } from '../expression.js';
import type { Value } from '../graph.js';
import { type Shape, sameShape } from '../tensor.js';

/**
 * Simplified expressions of fewer inputs: constant ones become constants, equal ones one, and unused ones go. With
 * `keepShape` one of that shape stays, used or not: reductions run over the shape of their largest input.
 */
export function foldInputs(
  expressions: readonly Expression[],
  values: readonly Value[],
  { keepShape }: { readonly keepShape?: Shape } = {},
): { readonly expressions: Expression[]; readonly values: Value[] } {
  const distinct = [...new Set(values)];
  const first = values.map((value) => {
    const known = constantOf(value);
    return known === undefined ? variable(distinct.indexOf(value)) : expressionOf(known);
  });
  const merged = simplifyAll(expressions.map((expression) => substitute(expression, first)));
  const used = variablesOf(merged);
  const kept = distinct.filter((_, index) => used.has(index));
  const isWhole = (value: Value) => keepShape !== undefined && sameShape(value.shape, keepShape);
  if (keepShape && !kept.some(isWhole)) kept.push(...distinct.filter(isWhole).slice(0, 1));
  const numbered = distinct.map((value) => variable(Math.max(0, kept.indexOf(value))));
  return { expressions: merged.map((expression) => substitute(expression, numbered)), values: kept };
}

/** The number that every element of a value is, if that is known. */
export function constantOf(value: Value): number | undefined {
  const { operation, attributes, inputs } = value.node;
  if (operation?.alias?.(value.node) !== undefined && inputs[0]) return constantOf(inputs[0]);
  if (operation?.name !== 'map' || attributes.guard) return undefined;
  const expression = (attributes.expressions as readonly Expression[])[value.output];
  return expression?.kind === 'constant' ? expression.number : undefined;
}
