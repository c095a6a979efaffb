/** When a step may take effect: what makes sure that one which may not leaves everything as it was. */
import { constant, type Expression, simplify } from '../compute/expression.js';
import type { Value } from '../compute/graph.js';
import { largest } from '../network/clipping.js';

/** What tells whether a step may take effect. */
export interface Permission {
  readonly loss: Value;
  /** The number of steps that took effect, and the number that the step expects. */
  readonly completed: Value;
  readonly sequence: Value;
}

/**
 * A choice between `value`, where the loss is a number and the step is the one that is expected, and NaN, which no
 * guarded map stores.
 */
export function permitted(
  { loss, completed, sequence }: Permission,
  of: (value: Value) => Expression,
  value: Expression | number,
): Expression {
  const isNumber = of(loss).abs().less(largest);
  return of(completed).equal(of(sequence)).select(isNumber.select(value, Number.NaN), constant(Number.NaN));
}

/** Whether an expression is NaN wherever that variable is: comparisons and choices may hide it. */
export function followsNaN(expression: Expression, variable: Expression): boolean {
  const known = new Map<Expression, boolean>();
  const visit = (node: Expression): boolean => {
    const before = known.get(node);
    if (before !== undefined) return before;
    const result = follows(node);
    known.set(node, result);
    return result;
  };
  const follows = ({ kind, number, operands }: Expression): boolean => {
    if (kind === 'variable') return number === variable.number;
    if (comparisons.has(kind)) return false;
    if (kind === 'select') return operands.slice(1).every(visit);
    return operands.some(visit);
  };
  return visit(simplify(expression));
}

const comparisons: ReadonlySet<string> = new Set(['constant', 'less', 'lessOrEqual', 'equal']);
