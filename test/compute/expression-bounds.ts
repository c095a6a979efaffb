/**
 * Where the results of expression code can lie on any engine in single precision, by forward error analysis: an
 * interpreter of the code over intervals. Each instruction takes its operands from their intervals and rounds; how far off
 * it may be is what native/test/simd_test.cpp allows it, in units of the last place.
 */

import { errorFunction } from '../../src/compute/expression/error-function.js';
import { type Expression, simplifyAll } from '../../src/compute/expression.js';

export type Interval = readonly [low: number, high: number];

/** Smallest normal number: below it engines may flush to zero, operands and results alike. */
const smallest = 2 ** -126;
const largest = (2 - 2 ** -23) * 2 ** 127;

/** The last place of a number in single precision. */
function unit(x: number): number {
  if (!Number.isFinite(x)) return 0;
  const size = Math.max(Math.abs(x), smallest);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

/** All results that may come out where the exact ones lie in an interval. */
function rounded([low, high]: Interval, units: number): Interval {
  // A thousandth more covers what the interval itself was rounded in double precision.
  const below = low - unit(low) * units * 1.001;
  const above = high + unit(high) * units * 1.001;
  const mayVanish = above > -smallest && below < smallest;
  return [
    below < -largest ? Number.NEGATIVE_INFINITY : mayVanish ? Math.min(below, -smallest) : below,
    above > largest ? Number.POSITIVE_INFINITY : mayVanish ? Math.max(above, smallest) : above,
  ];
}

type Rule = (...operands: readonly Interval[]) => Interval;
type Formula = (a: number, b: number, c: number) => number;

const exactly =
  (formula: Formula): Rule =>
  (...operands) =>
    hull(formula, operands);

/**
 * A formula that rises or falls in each operand alone, and what comes out of a range never leaves it. Arithmetic rounds to
 * the nearest, half a unit: a result of exactly known operands that is a number of single precision comes out as it is.
 * Elementary functions do so at 0; the native tests hold them to that.
 */
const within =
  (units: number, formula: Formula, [least, most]: Interval = everything): Rule =>
  (...operands) => {
    const known = operands.slice(0, formula.length).every(([low, high]) => low === high && (units <= 0.5 || low === 0));
    const [low, high] = hull(formula, operands);
    if (known && Math.fround(low) === low && (low === 0 || Math.abs(low) >= smallest)) return [low, low];
    const [below, above] = rounded([low, high], units);
    return [Math.max(least, below), Math.min(most, above)];
  };

/** Beyond those places what comes out is an end of the range, to the bit; the native tests hold it to that. */
const settling =
  (units: number, formula: Formula, range: Interval, [from, to]: Interval): Rule =>
  (a) => {
    const exact = hull(formula, [a!]);
    if (a![1] <= from) return union(exact, [range[0], range[0]]);
    return a![0] >= to ? union(exact, [range[1], range[1]]) : within(units, formula, range)(a!);
  };

const everything: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** Least and largest value at the corners; everything where one is NaN. */
function hull(formula: Formula, operands: readonly Interval[]): Interval {
  const [a = [0, 0], b = [0, 0], c = [0, 0]] = operands.slice(0, formula.length);
  const values = a.flatMap((x) => b.flatMap((y) => c.map((z) => formula(x, y, z))));
  return values.some(Number.isNaN) ? everything : [Math.min(...values), Math.max(...values)];
}

const product = within(0.5, (a, b) => a * b);
const quotient = within(0.5, (a, b) => a / b);
const sum = within(0.5, (a, b) => a + b);
const root = within(0.5, (a) => Math.sqrt(a));
const multiplyAdd = within(0.5, (a, b, c) => a * b + c);
const magnitude = ([low, high]: Interval): Interval => [Math.max(low, -high, 0), Math.max(-low, high)];
/** Division by what may be zero says nothing. */
const divide = (a: Interval, b: Interval): Interval => (b[0] <= 0 && b[1] >= 0 ? everything : quotient(a, b));
const truth = (mayBeTrue: boolean, mayBeFalse: boolean): Interval => [mayBeFalse ? 0 : 1, mayBeTrue ? 1 : 0];
const union = (a: Interval, b: Interval): Interval => [Math.min(a[0], b[0]), Math.max(a[1], b[1])];

/** By opcode; the numbers are units in the last place. */
const rules: Readonly<Record<number, (a: Interval, b: Interval, c: Interval, d: Interval) => Interval>> = {
  0: (a) => a,
  1: ([low, high]) => [-high, -low],
  2: magnitude,
  3: within(1.5, (a) => Math.exp(a), [0, Number.POSITIVE_INFINITY]),
  4: within(1.5, (a) => Math.log(a < smallest ? 0 : a)),
  5: root,
  6: settling(4, (a) => Math.tanh(a), [-1, 1], [-20, 20]),
  7: settling(8, (a) => 1 / (1 + Math.exp(-a)), [0, 1], [Number.NEGATIVE_INFINITY, 40]),
  8: exactly((a) => Math.sign(a)),
  9: exactly((a) => Math.floor(a)),
  10: sum,
  11: within(0.5, (a, b) => a - b),
  12: product,
  13: divide,
  14: exactly((a, b) => Math.min(a, b)),
  15: exactly((a, b) => Math.max(a, b)),
  16: (a, b) => truth(a[0] < b[1], a[1] >= b[0]),
  17: (a, b) => truth(a[0] <= b[1], a[1] > b[0]),
  18: (a, b) => truth(a[0] <= b[1] && b[0] <= a[1], a[0] !== a[1] || b[0] !== b[1] || a[0] !== b[0]),
  20: ([low, high], b, c) => (low === 0 && high === 0 ? c : low > 0 || high < 0 ? b : union(b, c)),
  21: multiplyAdd,
  22: within(0.5, (a, b, c) => a * b - c),
  23: within(0.5, (a, b, c) => c - a * b),
  24: (a, b, c, d) => multiplyAdd(a, b, product(c, d)),
  25: (a, b, c) => divide(a, sum(root(b), c)),
  26: settling(1.5, (a) => errorFunction(a), [-1, 1], [-4, 4]),
  27: settling(2, (a) => Math.expm1(a), [-1, Number.POSITIVE_INFINITY], [-20, Number.POSITIVE_INFINITY]),
  28: within(2, (a) => Math.log1p(a)),
  29: (a, b, c, d) => multiplyAdd(a, b, product(c, product(magnitude(d), magnitude(d)))),
  30: (a, b, c, d) => divide(product(a, b), sum(root(c), d)),
};

/**
 * Intervals for the outputs of code at one place. The exact results lie in them too: constants stand for all numbers
 * between the one that was meant and the one it was rounded to.
 *
 * @param expressions those that the words were made of
 */
export function boundsOfCode(
  words: readonly number[],
  expressions: readonly Expression[],
): (x: number) => readonly Interval[] {
  const [inputs, outputs, constants, , instructions] = words as [number, number, number, number, number];
  if (inputs !== 1) throw new Error('expected code of one input');
  const meant = constantsOf(expressions);
  const stored = [...new Float32Array(Int32Array.from(words.slice(5, 5 + constants)).buffer)];
  const known = stored.map((single): Interval => {
    const exact = meant.filter((value) => Object.is(Math.fround(value), single));
    return [Math.min(single, ...exact), Math.max(single, ...exact)];
  });
  const code = Array.from({ length: instructions }, (_, index) => {
    const at = 5 + constants + 6 * index;
    return words.slice(at, at + 6) as [opcode: number, destination: number, ...operands: number[]];
  });
  return (x) => {
    const registers: Interval[] = [Math.abs(x) < smallest ? [Math.min(x, 0), Math.max(x, 0)] : [x, x], ...known];
    for (const [opcode, destination, ...operands] of code) {
      const [a, b, c, d] = operands.map((operand) => registers[operand] ?? everything);
      registers[destination] = rules[opcode]!(a!, b!, c!, d!);
    }
    return words.slice(words.length - outputs).map((register) => registers[register]!);
  };
}

function constantsOf(expressions: readonly Expression[]): number[] {
  const found = new Set<number>();
  const seen = new Set<Expression>();
  const visit = (node: Expression) => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'constant') found.add(node.number);
    for (const operand of node.operands) visit(operand);
  };
  for (const expression of simplifyAll(expressions)) visit(expression);
  return [...found];
}
