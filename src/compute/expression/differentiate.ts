/** Derivatives of expressions, as expressions. */
import type { ScalarOperation } from './scalar.js';
import { simplify } from './simplify.js';
import { constant, type Expression } from './tree.js';

/**
 * The derivative by a variable, simplified. Comparisons, `sign` and `floor` have the derivative 0; that of `abs` at 0
 * is 0, and so is that of `x.max(0)`.
 *
 * @example
 * differentiate(variable(0).square(), 0); // 2·x
 */
export function differentiate(expression: Expression, by: number | Expression): Expression {
  const index = typeof by === 'number' ? by : by.number;
  const seen = new Map<Expression, Expression | undefined>();
  const visit = (node: Expression): Expression | undefined => {
    if (node.kind === 'constant') return undefined;
    if (node.kind === 'variable') return node.number === index ? constant(1) : undefined;
    if (seen.has(node)) return seen.get(node);
    const inner = node.operands.map(visit);
    const result = inner.every((part) => part === undefined) ? undefined : rules[node.kind](node, inner);
    seen.set(node, result);
    return result;
  };
  // Simplified first, so that plain copies of expressions, which have no methods, are taken as well.
  return simplify(visit(simplify(expression)) ?? zero);
}

/** From a node and the derivatives of its operands (undefined: 0) to its derivative; at least one is not 0. */
type Rule = (node: Expression, inner: readonly (Expression | undefined)[]) => Expression | undefined;

const zero = constant(0);

/** Rule of one operand: the factor of the inner derivative. */
const chain =
  (factor: (node: Expression, x: Expression) => Expression): Rule =>
  (node, [inner]) =>
    inner?.mul(factor(node, node.operands[0]!));

const flat: Rule = () => undefined;

/** Takes the derivative of the first operand where `first` is not 0, else that of the second. */
const choose = (first: Expression, a: Expression | undefined, b: Expression | undefined) =>
  first.select(a ?? zero, b ?? zero);

/** Of minimum and maximum: where both operands are equal, the second one's, and no one's where that is a constant. */
function extremum(first: (a: Expression, b: Expression) => Expression): Rule {
  return ({ operands: [x, y] }, [dx, dy]) => {
    const [a, b, da, db] = x!.kind === 'constant' ? [y!, x!, dy, dx] : [x!, y!, dx, dy];
    return choose(first(a, b), da, db);
  };
}

const rules: Readonly<Record<ScalarOperation, Rule>> = {
  negate: (_, [dx]) => dx?.neg(),
  abs: chain((_, x) => x.sign()),
  exp: chain((y) => y),
  log: (node, [dx]) => dx?.div(node.operands[0]!),
  sqrt: (node, [dx]) => dx?.mul(0.5).div(node),
  tanh: chain((y) => constant(1).sub(y.mul(y))),
  sigmoid: chain((y) => y.sub(y.mul(y))),
  sign: flat,
  floor: flat,
  add: (_, [da, db]) => (da && db ? da.add(db) : (da ?? db)),
  subtract: (_, [da, db]) => (da && db ? da.sub(db) : (da ?? db?.neg())),
  multiply: ({ operands: [a, b] }, [da, db]) => {
    if (a === b) return da?.mul(2).mul(a!);
    const left = da?.mul(b!);
    const right = db?.mul(a!);
    return left && right ? left.add(right) : (left ?? right);
  },
  divide: (node, [da, db]) => {
    const b = node.operands[1]!;
    if (!db) return da?.div(b);
    // (da - (a/b)·db) / b, which uses the quotient that the value has computed already.
    const product = node.mul(db);
    return (da ? da.sub(product) : product.neg()).div(b);
  },
  minimum: extremum((a, b) => a.less(b)),
  maximum: extremum((a, b) => b.less(a)),
  less: flat,
  lessOrEqual: flat,
  equal: flat,
  erf: chain((_, x) =>
    x
      .square()
      .neg()
      .exp()
      .mul(2 / Math.sqrt(Math.PI)),
  ),
  expm1: chain((y) => y.add(1)),
  log1p: (node, [dx]) => dx?.div(node.operands[0]!.add(1)),
  select: ({ operands: [condition] }, [, da, db]) => (da || db ? choose(condition!, da, db) : undefined),
};
