/**
 * Simplification: constants folded in double precision, neutral operands dropped, negations moved outwards until an
 * addition takes them up, equal subtrees made one. `x·0` and `0/x` become 0 for every x.
 */
import { evaluateScalar, type ScalarOperation } from './scalar.js';
import { constant, Expression, variable } from './tree.js';

/** An equal expression that costs no more. */
export const simplify = (expression: Expression): Expression => simplifyAll([expression])[0]!;

/** Simplifies several expressions together: what they share afterwards is one and the same object. */
export function simplifyAll(expressions: readonly Expression[]): Expression[] {
  const builder = new Builder();
  return expressions.map((expression) => builder.rebuild(expression));
}

/** How many scalar operations expressions take for one element. */
export function countOperations(expressions: readonly Expression[]): number {
  const seen = new Set<Expression>();
  const visit = (node: Expression) => {
    if (node.operands.length === 0 || seen.has(node)) return;
    seen.add(node);
    for (const operand of node.operands) visit(operand);
  };
  for (const expression of simplifyAll(expressions)) visit(expression);
  return seen.size;
}

/** Makes every distinct expression once. */
class Builder {
  readonly #interned = new Map<string, Expression>();
  readonly #numbers = new Map<Expression, number>();
  readonly #rebuilt = new Map<Expression, Expression>();

  rebuild(node: Expression): Expression {
    const known = this.#rebuilt.get(node);
    if (known) return known;
    const result = this.#rebuild(node);
    this.#rebuilt.set(node, result);
    return result;
  }

  #rebuild(node: Expression): Expression {
    if (node.kind === 'constant') return this.constant(node.number);
    if (node.kind === 'variable') return this.#intern(`x${node.number}`, () => variable(node.number));
    return this.make(
      node.kind,
      node.operands.map((operand) => this.rebuild(operand)),
    );
  }

  constant(value: number): Expression {
    return this.#intern(Object.is(value, -0) ? '#-0' : `#${value}`, () => constant(value));
  }

  /** Operands are this builder's own. */
  make(kind: ScalarOperation, operands: readonly Expression[]): Expression {
    if (operands.every((operand) => operand.kind === 'constant')) {
      const [a = 0, b = 0, c = 0] = operands.map((operand) => operand.number);
      return this.constant(evaluateScalar(kind, a, b, c));
    }
    const ordered = commutative.has(kind) ? this.#order(operands) : operands;
    const [a, b, c] = ordered as [Expression, Expression, Expression];
    const simpler = rules[kind]?.(this, a, b, c);
    if (simpler) return simpler;
    const key = `${kind}(${ordered.map((operand) => this.#numbers.get(operand)).join()})`;
    return this.#intern(key, () => new Expression(kind, ordered));
  }

  /** The same order for a+b and b+a; constants last. */
  #order(operands: readonly Expression[]): readonly Expression[] {
    const rank = (operand: Expression) =>
      operand.kind === 'constant' ? Number.POSITIVE_INFINITY : this.#numbers.get(operand)!;
    const [a, b] = operands as [Expression, Expression];
    return rank(a) <= rank(b) ? operands : [b, a];
  }

  #intern(key: string, make: () => Expression): Expression {
    const known = this.#interned.get(key);
    if (known) return known;
    const made = make();
    this.#interned.set(key, made);
    this.#numbers.set(made, this.#numbers.size);
    this.#rebuilt.set(made, made);
    return made;
  }
}

const commutative: ReadonlySet<ScalarOperation> = new Set(['add', 'multiply', 'minimum', 'maximum', 'equal'] as const);

const is = (expression: Expression, value: number) => expression.kind === 'constant' && expression.number === value;
const isConstant = (expression: Expression) => expression.kind === 'constant';
const first = (expression: Expression) => expression.operands[0]!;
const second = (expression: Expression) => expression.operands[1]!;

/** Of one operation: something simpler that equals it, or undefined. Of commutative ones, `b` is the constant. */
type Rule = (builder: Builder, a: Expression, b: Expression, c: Expression) => Expression | undefined;

const rules: Partial<Readonly<Record<ScalarOperation, Rule>>> = {
  negate: (builder, a) => {
    if (a.kind === 'negate') return first(a);
    if (a.kind === 'subtract') return builder.make('subtract', [second(a), first(a)]);
    if (a.kind === 'multiply' && isConstant(second(a))) {
      return builder.make('multiply', [first(a), builder.constant(-second(a).number)]);
    }
    return undefined;
  },
  abs: (builder, a) => {
    if (a.kind === 'abs') return a;
    return a.kind === 'negate' ? builder.make('abs', [first(a)]) : undefined;
  },
  add: (builder, a, b) => {
    if (is(b, 0)) return a;
    if (b.kind === 'negate') return builder.make('subtract', [a, first(b)]);
    if (a.kind === 'negate') return builder.make('subtract', [b, first(a)]);
    if (isConstant(b) && a.kind === 'add' && isConstant(second(a))) {
      return builder.make('add', [first(a), builder.constant(second(a).number + b.number)]);
    }
    return undefined;
  },
  subtract: (builder, a, b) => {
    if (is(b, 0)) return a;
    if (is(a, 0)) return builder.make('negate', [b]);
    return b.kind === 'negate' ? builder.make('add', [a, first(b)]) : undefined;
  },
  multiply: (builder, a, b) => {
    if (is(b, 1)) return a;
    if (is(b, 0)) return b;
    if (is(b, -1)) return builder.make('negate', [a]);
    if (a.kind === 'negate') return builder.make('negate', [builder.make('multiply', [first(a), b])]);
    if (b.kind === 'negate') return builder.make('negate', [builder.make('multiply', [a, first(b)])]);
    if (isConstant(b) && a.kind === 'multiply' && isConstant(second(a))) {
      return builder.make('multiply', [first(a), builder.constant(second(a).number * b.number)]);
    }
    return gate(builder, a, b) ?? gate(builder, b, a);
  },
  divide: (builder, a, b) => {
    if (is(b, 1) || is(a, 0)) return a;
    if (isConstant(b) && isPowerOfTwo(b.number)) {
      return builder.make('multiply', [a, builder.constant(1 / b.number)]);
    }
    if (a.kind === 'negate') return builder.make('negate', [builder.make('divide', [first(a), b])]);
    return undefined;
  },
  minimum: (_, a, b) => (a === b ? a : undefined),
  maximum: (_, a, b) => (a === b ? a : undefined),
  select: (_, a, b, c) => {
    if (b === c) return b;
    if (isConstant(a)) return a.number !== 0 ? b : c;
    return undefined;
  },
};

/** `choice·factor` where the choice is between something and 0: the choice between the product and 0. */
function gate(builder: Builder, choice: Expression, factor: Expression): Expression | undefined {
  if (choice.kind !== 'select') return undefined;
  const [condition, a, b] = choice.operands as [Expression, Expression, Expression];
  if (!is(a, 0) && !is(b, 0)) return undefined;
  return builder.make('select', [
    condition,
    builder.make('multiply', [a, factor]),
    builder.make('multiply', [b, factor]),
  ]);
}

/** Division by it is exact as a product. */
function isPowerOfTwo(value: number): boolean {
  const magnitude = Math.abs(value);
  return (
    magnitude > 1e-30 &&
    magnitude < 1e30 &&
    Number.isInteger(Math.log2(magnitude)) &&
    2 ** Math.log2(magnitude) === magnitude
  );
}
