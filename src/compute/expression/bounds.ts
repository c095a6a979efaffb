/**
 * Proofs that results are finite, from bounds of the inputs: what lets a guarded map leave out its first evaluation.
 *
 * Each expression is given a bound of its magnitude and a lowest value, which are expressions themselves, of the bounds of
 * the inputs: one number a call. Rounding is allowed for three times over: a magnitude counts as finite only far below
 * the largest number, differences lose a share of what they are made of, and nothing close to zero divides.
 */
import type { ScalarOperation } from './scalar.js';
import { simplifyAll } from './simplify.js';
import { constant, type Expression, expressionOf } from './tree.js';

/** What is known of a value: |x| <= magnitude and x >= low. */
export interface Bounds {
  readonly magnitude: Expression;
  readonly low: Expression;
}

/** The bounds of values between two others. */
export const between = (low: Expression, high: Expression): Bounds => ({
  magnitude: low.abs().max(high.abs()),
  low,
});

/** The bounds of values of at most that magnitude. */
export const within = (magnitude: Expression): Bounds => ({ magnitude, low: magnitude.neg() });

/**
 * 1 where the bounds prove that every result is a finite number of single precision, however its operations are fused
 * and rounded, else 0 or NaN.
 *
 * @param bounds of each variable by its number; a variable without is a scalar, whose bounds are itself
 * @example
 * provesFinite([x.mul(x).add(1)], new Map([[x.number, within(constant(100))]])); // 1
 */
export function provesFinite(results: readonly Expression[], bounds: ReadonlyMap<number, Bounds>): Expression {
  const prover = new Prover(bounds);
  for (const result of simplifyAll(results)) prover.require(prover.boundsOf(result).magnitude);
  return prover.proof();
}

/** The largest number of single precision is 34 times as large: thousands of roundings do not bridge that. */
const largestMagnitude = 1e37;
/** What a difference may lose of its operands: 2^11 roundings. */
const differenceLoss = 2 ** -12;
/** Below it rounding and the flushing of denormals may have left zero. */
const smallestDivisor = 1e-12;

class Prover {
  readonly #variables: ReadonlyMap<number, Bounds>;
  readonly #known = new Map<Expression, Bounds>();
  readonly #exact = new Map<Expression, boolean>();
  readonly #magnitudes = new Set<Expression>();
  readonly #conditions = new Set<Expression>();

  constructor(variables: ReadonlyMap<number, Bounds>) {
    this.#variables = variables;
  }

  /** Makes it part of the proof that a magnitude is that of finite numbers. */
  require(magnitude: Expression): void {
    this.#magnitudes.add(magnitude);
  }

  demand(condition: Expression): void {
    this.#conditions.add(condition);
  }

  proof(): Expression {
    // NaN in one of them is NaN in the largest, and nothing is less than that.
    const largest = [...this.#magnitudes].reduce((most, next) => most.max(next), constant(0));
    return [...this.#conditions].reduce((all, next) => all.mul(next), largest.less(largestMagnitude));
  }

  boundsOf(node: Expression): Bounds {
    const known = this.#known.get(node);
    if (known) return known;
    const bounds = this.#boundsOf(node);
    this.#known.set(node, bounds);
    return bounds;
  }

  #boundsOf(node: Expression): Bounds {
    if (this.isExact(node)) return { magnitude: node.abs(), low: node };
    if (node.kind === 'variable') return this.#variables.get(node.number)!;
    const bounds = (rules[node.kind as ScalarOperation] ?? unknown)(this, node.operands);
    // An intermediate result that is not finite might be hidden by what follows: tanh(∞) = 1, but ∞ - ∞ is NaN.
    this.require(bounds.magnitude);
    return bounds;
  }

  /** Whether an expression has the same bits here as where the results are computed: scalars, and nothing is rounded. */
  isExact(node: Expression): boolean {
    const known = this.#exact.get(node);
    if (known !== undefined) return known;
    const exact =
      node.kind === 'constant' ||
      (node.kind === 'variable' && !this.#variables.has(node.number)) ||
      (unrounded.has(node.kind) && node.operands.every((operand) => this.isExact(operand)));
    this.#exact.set(node, exact);
    return exact;
  }
}

const unrounded: ReadonlySet<string> = new Set<ScalarOperation>([
  ...(['negate', 'abs', 'sign', 'floor', 'minimum', 'maximum', 'less', 'lessOrEqual', 'equal', 'select'] as const),
]);

type Rule = (prover: Prover, operands: readonly Expression[]) => Bounds;

const zero = constant(0);
const range = (low: number, high: number): Bounds => ({
  magnitude: constant(Math.max(Math.abs(low), Math.abs(high))),
  low: constant(low),
});
/** Nothing is known. */
const unknown: Rule = () => within(constant(Number.POSITIVE_INFINITY));

const one = (rule: (a: Bounds, prover: Prover) => Bounds): Rule => {
  return (prover, [a]) => rule(prover.boundsOf(a!), prover);
};
const two = (rule: (a: Bounds, b: Bounds) => Bounds): Rule => {
  return (prover, [a, b]) => rule(prover.boundsOf(a!), prover.boundsOf(b!));
};
const comparison: Rule = () => range(0, 1);

/** The sum of two lowest values, less what rounding may take. */
function lowestSum(a: Expression, b: Expression): Expression {
  return a.add(b).sub(a.abs().add(b.abs()).mul(differenceLoss));
}

/** That of a product or quotient: `positive` where neither operand is negative. */
function lowestOf(a: Bounds, b: Bounds, positive: Expression, magnitude: Expression): Expression {
  return zero.lessOrEqual(a.low.min(b.low)).select(positive, magnitude.neg());
}

const rules: Readonly<Partial<Record<ScalarOperation, Rule>>> = {
  negate: one(({ magnitude }) => within(magnitude)),
  abs: one(({ magnitude, low }) => ({ magnitude, low: low.max(0) })),
  exp: one(({ magnitude }) => ({ magnitude: magnitude.exp(), low: zero })),
  log: one(({ magnitude, low }, prover) => {
    prover.demand(expressionOf(smallestDivisor).less(low));
    return { magnitude: low.log().abs().max(magnitude.log().abs()), low: low.log() };
  }),
  sqrt: one(({ magnitude, low }, prover) => {
    prover.demand(zero.lessOrEqual(low));
    return { magnitude: magnitude.sqrt(), low: low.max(0).sqrt() };
  }),
  tanh: one(() => range(-1, 1)),
  sigmoid: one(() => range(0, 1)),
  sign: one(() => range(-1, 1)),
  floor: one(({ magnitude, low }) => ({ magnitude: magnitude.add(1), low: lowestSum(low, constant(-1)) })),
  add: two((a, b) => ({ magnitude: a.magnitude.add(b.magnitude), low: lowestSum(a.low, b.low) })),
  subtract: two((a, b) => ({
    magnitude: a.magnitude.add(b.magnitude),
    low: lowestSum(a.low, b.magnitude.neg()),
  })),
  multiply: (prover, [x, y]) => {
    const [a, b] = [prover.boundsOf(x!), prover.boundsOf(y!)];
    const magnitude = a.magnitude.mul(b.magnitude);
    return { magnitude, low: x === y ? zero : lowestOf(a, b, a.low.mul(b.low), magnitude) };
  },
  divide: (prover, [x, y]) => {
    const [a, b] = [prover.boundsOf(x!), prover.boundsOf(y!)];
    const exact = prover.isExact(y!);
    const divisor = exact ? b.magnitude : b.low;
    prover.demand((exact ? zero : constant(smallestDivisor)).less(divisor));
    const magnitude = a.magnitude.div(divisor);
    return { magnitude, low: lowestOf(a, b, zero, magnitude) };
  },
  minimum: two((a, b) => ({ magnitude: a.magnitude.max(b.magnitude), low: a.low.min(b.low) })),
  maximum: two((a, b) => ({ magnitude: a.magnitude.max(b.magnitude), low: a.low.max(b.low) })),
  less: comparison,
  lessOrEqual: comparison,
  equal: comparison,
  select: (prover, [choice, x, y]) => {
    const [a, b] = [prover.boundsOf(x!), prover.boundsOf(y!)];
    if (prover.isExact(choice!)) {
      return { magnitude: choice!.select(a.magnitude, b.magnitude), low: choice!.select(a.low, b.low) };
    }
    return { magnitude: a.magnitude.max(b.magnitude), low: a.low.min(b.low) };
  },
};
