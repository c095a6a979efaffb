/** Expressions as trees: scalar functions that are built with methods, `x.div(x.abs().add(1))`, and never computed here. */
import { requireArgument } from '../../errors.js';
import type { ScalarOperation } from './scalar.js';

export type ExpressionKind = ScalarOperation | 'constant' | 'variable';

/**
 * A scalar function as an immutable tree. A subtree used twice is computed once.
 *
 * @example
 * const softsign = (x: Expression) => x.div(x.abs().add(1));
 */
export class Expression {
  readonly kind: ExpressionKind;
  readonly operands: readonly Expression[];
  /** A constant's value, a variable's number; 0 otherwise. */
  readonly number: number;

  /** Use `constant`, `variable` and the methods. */
  constructor(kind: ExpressionKind, operands: readonly Expression[], number = 0) {
    this.kind = kind;
    this.operands = operands;
    this.number = number;
  }

  add(other: Expression | number): Expression {
    return combine('add', this, other);
  }
  sub(other: Expression | number): Expression {
    return combine('subtract', this, other);
  }
  mul(other: Expression | number): Expression {
    return combine('multiply', this, other);
  }
  div(other: Expression | number): Expression {
    return combine('divide', this, other);
  }
  neg(): Expression {
    return combine('negate', this);
  }
  abs(): Expression {
    return combine('abs', this);
  }
  exp(): Expression {
    return combine('exp', this);
  }
  /** exp(x) - 1 without cancellation near 0. */
  expm1(): Expression {
    return combine('expm1', this);
  }
  /** Natural logarithm. */
  log(): Expression {
    return combine('log', this);
  }
  /** log(1 + x) without cancellation near 0; -Infinity at -1, NaN below. */
  log1p(): Expression {
    return combine('log1p', this);
  }
  sqrt(): Expression {
    return combine('sqrt', this);
  }
  square(): Expression {
    return combine('multiply', this, this);
  }
  tanh(): Expression {
    return combine('tanh', this);
  }
  /** 1 / (1 + exp(-x)) */
  sigmoid(): Expression {
    return combine('sigmoid', this);
  }
  /** The error function, 2/sqrt(π) times the integral of exp(-t²) from 0 to x. */
  erf(): Expression {
    return combine('erf', this);
  }
  /** -1, 0 or 1. */
  sign(): Expression {
    return combine('sign', this);
  }
  floor(): Expression {
    return combine('floor', this);
  }
  /** NaN if either is. Where both are equal, the derivative goes to `other`, or nowhere if that is a constant. */
  min(other: Expression | number): Expression {
    return combine('minimum', this, other);
  }
  /** NaN if either is. Where both are equal, the derivative goes to `other`, or nowhere if that is a constant. */
  max(other: Expression | number): Expression {
    return combine('maximum', this, other);
  }
  /** 1 where this < other, else 0; its derivative is 0, as of all comparisons. */
  less(other: Expression | number): Expression {
    return combine('less', this, other);
  }
  lessOrEqual(other: Expression | number): Expression {
    return combine('lessOrEqual', this, other);
  }
  equal(other: Expression | number): Expression {
    return combine('equal', this, other);
  }
  /** `ifTrue` where this is not 0, else `ifFalse`. */
  select(ifTrue: Expression | number, ifFalse: Expression | number): Expression {
    return combine('select', this, ifTrue, ifFalse);
  }
}

/** A number, kept in double precision until it is encoded. */
export function constant(value: number): Expression {
  requireArgument(typeof value === 'number', 'constant', 'a number', value);
  return new Expression('constant', [], value);
}

/** The argument of that number, from 0. */
export const variable = (index: number): Expression => new Expression('variable', [], index);

/** `weightOfA·a + (1 - weightOfA)·b`; for a number as weight, both factors are computed in double precision. */
export function lerp(a: Expression | number, b: Expression | number, weightOfA: Expression | number): Expression {
  const weight = expressionOf(weightOfA);
  const rest = weight.kind === 'constant' ? constant(1 - weight.number) : constant(1).sub(weight);
  return weight.mul(a).add(rest.mul(b));
}

export function expressionOf(operand: Expression | number): Expression {
  if (typeof operand === 'number') return constant(operand);
  requireArgument(operand instanceof Expression, 'expression', 'a number or an expression', operand);
  return operand;
}

/** `expression` with each variable replaced by the expression at its number. */
export function substitute(expression: Expression, replacements: readonly Expression[]): Expression {
  const seen = new Map<Expression, Expression>();
  const visit = (node: Expression): Expression => {
    if (node.kind === 'constant') return node;
    if (node.kind === 'variable') return replacements[node.number] ?? node;
    const known = seen.get(node);
    if (known) return known;
    const result = new Expression(node.kind, node.operands.map(visit));
    seen.set(node, result);
    return result;
  };
  return visit(expression);
}

/** The numbers of the variables that occur. */
export function variablesOf(expressions: readonly Expression[]): Set<number> {
  const found = new Set<number>();
  const seen = new Set<Expression>();
  const visit = (node: Expression) => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'variable') found.add(node.number);
    for (const operand of node.operands) visit(operand);
  };
  for (const expression of expressions) visit(expression);
  return found;
}

function combine(kind: ScalarOperation, ...operands: readonly (Expression | number)[]): Expression {
  return new Expression(kind, operands.map(expressionOf));
}
