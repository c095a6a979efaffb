import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  between,
  constant,
  type Expression,
  encode,
  evaluate,
  lerp,
  provesFinite,
  variable,
  within,
} from '../../src/compute/expression.js';
import { runCode } from './expression-code.js';

/** The proof's value for values between bounds, in single precision as the engine computes it. */
function proved(
  results: readonly Expression[],
  bounds: readonly (readonly [number, number])[],
  scalars: number[] = [],
) {
  const count = bounds.length;
  // The bounds are given as further scalars.
  const own = bounds.map((_, index) => [2 * index, 2 * index + 1].map((at) => variable(count + scalars.length + at)));
  const proof = provesFinite(results, new Map(own.map(([low, high], index) => [index, between(low!, high!)])));
  const inputs = [...bounds.map(() => Number.NaN), ...scalars, ...bounds.flat()];
  return runCode(encode([proof], inputs.length), inputs, Math.fround)[0] === 1;
}

describe('a proof that results are finite', () => {
  const [x, y, s] = [variable(0), variable(1), variable(2)];

  test('holds for sums and products far below the largest number, and not near it', () => {
    const box = [
      [-1e18, 2e18],
      [-3, 1e18],
    ] as const;
    expect(proved([x.mul(y).add(x)], box)).toBe(true);
    expect(proved([x.mul(y).mul(x)], box)).toBe(false);
    expect(
      proved(
        [x.add(y)],
        [
          [-1, 3.3e38],
          [0, 1],
        ],
      ),
    ).toBe(false);
  });

  test('fails where a divisor may be zero, a root negative, a logarithm of nothing', () => {
    expect(
      proved(
        [x.div(y)],
        [
          [0, 1],
          [0, 1],
        ],
      ),
    ).toBe(false);
    expect(
      proved(
        [x.div(y)],
        [
          [0, 1],
          [-1, 1],
        ],
      ),
    ).toBe(false);
    expect(
      proved(
        [x.div(y)],
        [
          [0, 1],
          [0.1, 1],
        ],
      ),
    ).toBe(true);
    expect(
      proved(
        [x.div(y.add(1e-8))],
        [
          [0, 1],
          [0, 1],
        ],
      ),
    ).toBe(true);
    expect(
      proved(
        [x.sub(y).sqrt()],
        [
          [1, 2],
          [0, 1],
        ],
      ),
    ).toBe(false);
    expect(proved([x.sqrt()], [[0, 2]])).toBe(true);
    expect(proved([x.log()], [[0, 2]])).toBe(false);
    expect(proved([x.log()], [[0.1, 2]])).toBe(true);
    expect(proved([x.exp()], [[0, 100]])).toBe(false);
    expect(proved([x.exp()], [[-80, 80]])).toBe(true);
  });

  test('an overflow that a later operation hides is seen', () => {
    // tanh(∞ - ∞) is NaN.
    expect(
      proved(
        [x.exp().sub(y.exp()).tanh()],
        [
          [0, 100],
          [0, 100],
        ],
      ),
    ).toBe(false);
  });

  test('scalars count as what they are: a choice between them is made, and NaN proves nothing', () => {
    const chosen = x.mul(s.less(3).select(1, Number.NaN));
    const box = [
      [-1, 1],
      [0, 0],
    ] as const;
    expect(proved([chosen], box, [2])).toBe(true);
    expect(proved([chosen], box, [3])).toBe(false);
    expect(proved([x.mul(s)], box, [Number.NaN])).toBe(false);
    expect(proved([x.div(s)], box, [-0.5])).toBe(true);
    expect(proved([x.div(s)], box, [0])).toBe(false);
  });

  test('bounds that are not numbers prove nothing', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      expect(proved([x.add(1)], [[bad, 1]])).toBe(false);
      expect(proved([x.add(1)], [[-1, bad]])).toBe(false);
    }
  });

  test('holds for the usual rules in ordinary training: Adam, its relatives, a running mean as divisor', () => {
    const [gradient, parameter, first, second, rate] = [0, 1, 2, 3, 4].map(variable) as [
      Expression,
      Expression,
      Expression,
      Expression,
      Expression,
    ];
    const m = lerp(first, gradient, 0.9);
    const v = lerp(second, gradient.square(), 0.999);
    const rules: Record<string, Expression[]> = {
      adam: [parameter.sub(m.mul(rate).div(v.sqrt().add(1e-8))), m, v],
      amsgrad: [parameter.sub(m.mul(rate).div(second.max(v).sqrt().add(1e-8))), m, v, second.max(v)],
      adamax: [parameter.sub(m.mul(rate).div(second.mul(0.999).max(gradient.abs()).add(1e-8)))],
      adabelief: [parameter.sub(m.div(lerp(second, gradient.sub(m).square(), 0.999).add(1e-16).sqrt().add(1e-8)))],
      lion: [parameter.sub(lerp(first, gradient, 0.9).sign().mul(rate))],
      rmsprop: [parameter.sub(gradient.mul(rate).div(v.add(1e-8).sqrt()))],
      scheduled: [lerp(second, gradient.square(), rate).sqrt()],
    };
    const box = [
      [-1, 1],
      [-30, 20],
      [-1, 1],
      [0, 1],
    ] as const;
    for (const [name, results] of Object.entries(rules)) {
      expect({ name, proved: proved(results, box, [1e-3]) }).toEqual({ name, proved: true });
      // A second moment below zero has no root; a gradient beyond all bounds gives no bound.
      expect({ name, proved: proved(results, [[-3e38, 3e38], ...box.slice(1)], [1e-3]) }).toEqual({
        name,
        proved: name === 'lion' ? expect.any(Boolean) : false,
      });
    }
    expect(proved(rules.adam!, [...box.slice(0, 3), [-1e-9, 1]], [1e-3])).toBe(false);
  });

  test('whatever it proves is finite in single precision', () => {
    const leaf = fc.oneof(
      fc.constantFrom(variable(0), variable(1), variable(2)),
      fc.constantFrom(0.5, 1e-8, -3, 1e12, 0.999).map(constant),
    );
    const { tree } = fc.letrec<{ tree: Expression }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        leaf,
        fc
          .tuple(fc.constantFrom('abs', 'neg', 'sqrt', 'exp', 'log', 'square', 'floor', 'tanh'), tie('tree'))
          .map(([name, a]) => a[name as 'abs']()),
        fc
          .tuple(fc.constantFrom('add', 'sub', 'mul', 'div', 'min', 'max', 'less'), tie('tree'), tie('tree'))
          .map(([name, a, b]) => a[name as 'add'](b)),
        fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([a, b, c]) => a.less(0.5).select(b, c)),
      ),
    }));
    const number = fc.oneof(
      fc.constantFrom(0, 1, -1, 1e-20, 1e19, -1e19, 3e38),
      fc.float({ noNaN: true, min: -100, max: 100 }),
    );
    const box = fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    let held = 0;
    fc.assert(
      fc.property(
        tree,
        box,
        box,
        fc.float({ noNaN: true, min: -10, max: 10 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
        (result, a, b, scalar, places) => {
          if (!proved([result], [a, b], [scalar])) return;
          held++;
          const code = encode([result], 3);
          const inside = ([low, high]: readonly [number, number], place: number) =>
            Math.min(high, Math.max(low, Math.fround(low + (high - low) * place)));
          for (const [p, q] of [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
            ...[0, 2, 4, 6].map((at) => places.slice(at, at + 2)),
          ]) {
            const values = [inside(a, p!), inside(b, q!), scalar];
            expect(Number.isFinite(runCode(code, values, Math.fround)[0])).toBe(true);
          }
        },
      ),
      { numRuns: 3000, seed: 4 },
    );
    expect(held).toBeGreaterThan(300);
  });

  test('within: a symmetric bound', () => {
    const proof = (magnitude: number) =>
      evaluate(provesFinite([x.square()], new Map([[0, within(constant(magnitude))]])), []);
    expect(proof(1e18)).toBe(1);
    expect(proof(1e19)).toBe(0);
  });
});
