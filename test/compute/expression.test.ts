/** Expressions: derivatives, simplification and code. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  constant,
  differentiate,
  type Expression,
  encode,
  evaluate,
  floatBits,
  lerp,
  simplify,
  variable,
} from '../../src/compute/expression.js';
import { runCode } from './expression-code.js';

const [x, y, z] = [variable(0), variable(1), variable(2)];

/** Any expression of three variables, of functions that are smooth and of moderate size. */
const smooth = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(x, y, z),
    fc.double({ min: -2, max: 2, noNaN: true }).map(constant),
    fc.constantFrom(constant(0), constant(1), constant(-1), constant(2)),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => a.add(b)),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => a.sub(b)),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => a.tanh().mul(b)),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => a.div(b.square().add(1))),
    tie('tree').map((a) => a.neg()),
    tie('tree').map((a) => a.tanh()),
    tie('tree').map((a) => a.sigmoid()),
    tie('tree').map((a) => a.tanh().exp()),
    tie('tree').map((a) => a.square().add(0.5).log()),
    tie('tree').map((a) => a.erf()),
    tie('tree').map((a) => a.tanh().expm1()),
    tie('tree').map((a) => a.square().log1p()),
    tie('tree').map((a) => a.square().add(0.5).sqrt()),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([a, b, c]) => a.tanh().mul(b).add(c.sigmoid().mul(b))),
  ),
})).tree;

/** With every other function too, so that a rounding never moves a value over a jump. */
const any = fc.tuple(smooth, smooth, smooth).map(([a, b, c]) => {
  const choice = a
    .tanh()
    .less(2)
    .select(a.max(c), b.min(c))
    .add(b.tanh().equal(3).select(a, b.min(c).abs()));
  return choice.add(c.exp().sign()).sub(a.tanh().lessOrEqual(-2)).sub(b.sigmoid().floor());
});

const point = fc.tuple(...Array.from({ length: 3 }, () => fc.double({ min: -2, max: 2, noNaN: true })));

describe('derivatives', () => {
  test('are the limits of differences', () => {
    fc.assert(
      fc.property(smooth, point, fc.nat(2), (expression, at, by) => {
        const h = 1e-5;
        const moved = (offset: number) => at.with(by, at[by]! + offset);
        const values = [-2, -1, 1, 2].map((step) => evaluate(expression, moved(step * h)));
        const [a, b, c, d] = values as [number, number, number, number];
        // Five points: the error is h⁴ = 1e-20 times the fifth derivative, and a few roundings of the values over h.
        const difference = (a - 8 * b + 8 * c - d) / (12 * h);
        const size = Math.max(1, ...values.map(Math.abs), Math.abs(difference));
        expect(Math.abs(evaluate(differentiate(expression, by), at) - difference)).toBeLessThan(1e-8 * size);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test.each([
    ['x²', x.square(), x.mul(2)],
    ['tanh', x.tanh(), constant(1).sub(x.tanh().square())],
    ['another variable', y.exp(), constant(0)],
    ['relu', x.max(0), constant(0).less(x).select(1, 0)],
    ['sign', x.sign(), constant(0)],
    ['a product with a constant', x.mul(3).add(7), constant(3)],
  ] as const)('%s', (_, expression, derivative) => {
    expect(differentiate(expression, 0)).toEqual(simplify(derivative));
  });

  test('at the kink of relu and abs it is 0', () => {
    expect(evaluate(differentiate(x.max(0), 0), [0])).toBe(0);
    expect(evaluate(differentiate(constant(0).max(x), 0), [0])).toBe(0);
    expect(evaluate(differentiate(x.abs(), 0), [0])).toBe(0);
  });
});

describe('values', () => {
  // The nearest doubles of what 40 digits give (and Abramowitz and Stegun 1964, table 7.1, in its ten).
  test.each([
    [1e-10, 1.1283791670955126e-10],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [1.999, 0.9953015566513705],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
    [6, 1],
  ])('erf %d', (at, value) => {
    // The error that error-function.ts states.
    expect(Math.abs(evaluate(x.erf(), [at]) - value)).toBeLessThanOrEqual(6e-16 * value);
    expect(evaluate(x.erf(), [-at])).toBe(-evaluate(x.erf(), [at]));
  });

  test.each([
    ['erf', x.erf(), [1, -1]],
    ['expm1', x.expm1(), [Infinity, -1]],
    ['log1p', x.log1p(), [Infinity, Number.NaN]],
  ] as const)('%s of infinities, zeros and NaN', (_, expression, [above, below]) => {
    expect(evaluate(expression, [Infinity])).toBe(above);
    expect(evaluate(expression, [-Infinity])).toBe(below);
    expect(evaluate(expression, [0])).toBe(0);
    expect(evaluate(expression, [-0])).toBe(-0);
    expect(evaluate(expression, [Number.NaN])).toBeNaN();
  });

  test('expm1 and log1p lose nothing near 0', () => {
    expect(evaluate(x.expm1(), [1e-20])).toBe(1e-20);
    expect(evaluate(x.log1p(), [1e-20])).toBe(1e-20);
    expect(evaluate(x.log1p(), [-1])).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('simplification', () => {
  test('keeps the value', () => {
    fc.assert(
      fc.property(any, point, (expression, at) => {
        const [before, after] = [evaluate(expression, at), evaluate(simplify(expression), at)];
        // Constants are folded in another order: some roundings of intermediate values, which are of moderate size.
        expect(Math.abs(after - before)).toBeLessThan(1e-12 * Math.max(1, Math.abs(before)));
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test.each([
    ['x + 0', x.add(0), x],
    ['0 - x', constant(0).sub(x), x.neg()],
    ['x·1', x.mul(1), x],
    ['x·0', x.mul(0), constant(0)],
    ['--x', x.neg().neg(), x],
    ['x + -y', x.add(y.neg()), x.sub(y)],
    ['2·(3·x)', constant(2).mul(x.mul(3)), x.mul(6)],
    ['constants', constant(2).add(3).exp(), constant(Math.exp(5))],
    ['x / 4', x.div(4), x.mul(0.25)],
    ['x / 3 stays exact', x.div(3), x.div(3)],
    ['a choice known before', constant(1).select(x, y), x],
    ['y·(x < 0 ? 1 : 0)', y.mul(x.less(0).select(1, 0)), x.less(0).select(y, 0)],
  ] as const)('%s', (_, expression, simpler) => {
    expect(simplify(expression)).toEqual(simpler);
  });

  test('an interpolation with a number as weight has both factors in double precision', () => {
    const words = encode([lerp(x, y, 0.9)], 2);
    expect(words.slice(5, 7)).toEqual([floatBits(0.9), floatBits(1 - 0.9)]);
    expect(floatBits(1 - 0.9)).not.toBe(floatBits(1 - Math.fround(0.9)));
  });
});

describe('code', () => {
  test('computes the value', () => {
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 4 }), point, (expressions, at) => {
        const single = at.map(Math.fround);
        const results = runCode(encode(expressions, 3), single);
        for (const [index, expression] of expressions.entries()) {
          const value = evaluate(expression, single);
          // Constants are rounded to single precision, everything else here is computed in double.
          expect(Math.abs(results[index]! - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
        }
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  const opcodesOf = (words: readonly number[]) => {
    const [, , constants, , instructions] = words as [number, number, number, number, number];
    return Array.from({ length: instructions }, (_, index) => words[5 + constants + 6 * index]);
  };
  test.each([
    ['a·b + c', x.mul(y).add(z), [21]],
    ['c + a·b', z.add(x.mul(y)), [21]],
    ['a·b - c', x.mul(y).sub(z), [22]],
    ['c - a·b', z.sub(x.mul(y)), [23]],
    ['a·b + c·d', x.mul(y).add(z.mul(x)), [24]],
    ['a / (sqrt(b) + c)', x.div(y.sqrt().add(z)), [25]],
    ['a / (c + sqrt(b))', x.div(constant(1e-8).add(y.sqrt())), [25]],
    ['a·b + c·d²', lerp(x, y.square(), 0.9), [29]],
    ['a·b / (sqrt(c) + d)', x.mul(y).div(z.sqrt().add(1)), [30]],
    ['an argument as it is', x, []],
  ] as const)('%s is one instruction', (_, expression, opcodes) => {
    expect(opcodesOf(encode([expression], 3))).toEqual(opcodes);
  });

  test('a product that is read twice is computed once', () => {
    const product = x.mul(y);
    expect(opcodesOf(encode([product.add(z), product.exp()], 3))).toEqual([12, 10, 3]);
  });

  test('value and derivative share what they have in common', () => {
    const words = encode([x.tanh(), differentiate(x.tanh(), 0)], 1);
    expect(opcodesOf(words)).toEqual([6, 23]);
  });

  test('a long chain needs one temporary, a balanced tree of n levels no more than n', () => {
    const chain = Array.from({ length: 40 }).reduce<Expression>((e) => e.tanh().add(y), x);
    expect(encode([chain], 2)[3]).toBe(1);
    const tree = (level: number): Expression =>
      level === 0
        ? variable(0).exp().add(variable(level))
        : tree(level - 1)
            .tanh()
            .add(
              tree(level - 1)
                .exp()
                .add(level),
            );
    expect(encode([tree(6)], 1)[3]).toBeLessThanOrEqual(7);
  });
});
