/** `map` and `reduce`: right on every engine, with the same bits on every instruction set. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { constant, type Expression, evaluate, lerp, variable } from '../../../src/compute/expression.js';
import { input } from '../../../src/compute/graph.js';
import { guardedMap, map, provenMap, reduceMaximum, reduceSum } from '../../../src/compute/operations/index.js';
import { elementCount, type Tensor, tensor } from '../../../src/compute/tensor.js';
import { exact, expectAgreement, forExamples, noise, ofEach, roundoff, sumError, type Tolerance } from './agreement.js';

const extent = (max: number) => fc.integer({ min: 1, max });
const shape3 = fc.tuple(extent(6), extent(7), extent(70));
const ulp = 2 * roundoff;

/** Numbers from tiny to large of both signs, and the special ones. */
const spread = (length: number): Tensor => {
  const values = Float32Array.from({ length }, (_, index) => (index % 2 ? -1 : 1) * 10 ** (((index * 7.3) % 12) - 7));
  values.set([0, -0, 1, -1, 0.5, Infinity, -Infinity, Number.NaN].slice(0, length));
  return tensor(values, [length]);
};

describe('every scalar operation', () => {
  // Rounding only, or the ulps that the polynomials of the native engine are measured to need, and one for the argument
  // of composed ones.
  const functions: readonly (readonly [string, number, (x: Expression, y: Expression) => Expression])[] = [
    ['negation', 0, (x) => x.neg()],
    ['abs', 0, (x) => x.abs()],
    ['sign', 0, (x) => x.sign()],
    ['floor', 0, (x) => x.floor()],
    ['minimum', 0, (x, y) => x.min(y)],
    ['maximum', 0, (x, y) => x.max(y)],
    ['less', 0, (x, y) => x.less(y)],
    ['lessOrEqual', 0, (x, y) => x.lessOrEqual(y)],
    ['equal', 0, (x, y) => x.equal(y)],
    ['select', 0, (x, y) => x.less(y).select(x, 3)],
    ['add', 0.5, (x, y) => x.add(y)],
    ['subtract', 0.5, (x, y) => x.sub(y)],
    ['multiply', 0.5, (x, y) => x.mul(y)],
    ['divide', 0.5, (x, y) => x.div(y)],
    ['sqrt', 0.5, (x) => x.sqrt()],
    ['exp', 1.5, (x) => x.exp()],
    ['log', 1.5, (x) => x.log()],
    ['tanh', 3, (x) => x.tanh()],
    ['sigmoid', 3, (x) => x.sigmoid()],
    ['a·b + c, one rounding', 0.5, (x, y) => x.mul(y).add(0.25)],
    ['a·b - c', 0.5, (x, y) => x.mul(y).sub(0.25)],
    ['c - a·b', 0.5, (x, y) => constant(0.25).sub(x.mul(y))],
  ];
  test.each(functions)('%s', async (_, ulps, f) => {
    await expectAgreement({
      inputs: { x: spread(400), y: noise([400], 1) },
      build: ({ x, y }) => ({ z: map(f, x!, y!) }),
      tolerances: { z: ulps === 0 ? exact : ofEach(ulps * ulp) },
    });
  });

  test('a·b + c·d and a/(sqrt(b) + c)', async () => {
    const values = { a: noise([300], 1), b: noise([300], 2), c: noise([300], 3), d: noise([300], 4) };
    const size = (index: number) =>
      Math.abs(values.a.data[index]! * values.b.data[index]!) + Math.abs(values.c.data[index]! * values.d.data[index]!);
    await expectAgreement({
      inputs: values,
      build: ({ a, b, c, d }) => ({
        sum: map((a, b, c, d) => a.mul(b).add(c.mul(d)), a!, b!, c!, d!),
        // Root, sum and quotient are rounded once each; both terms of the sum are positive.
        quotient: map((a, b, c) => a.div(b.square().sqrt().add(c.abs())), a!, b!, c!),
      }),
      tolerances: { sum: () => (index) => 2 * roundoff * size(index), quotient: ofEach(5 * roundoff) },
    });
  });
});

describe('map', () => {
  const stretched = fc.record({
    shape: shape3,
    kinds: fc.array(fc.constantFrom(0, 1, 2, 3), { minLength: 1, maxLength: 5 }),
  });

  test('values of every stretch, several results', () =>
    forExamples(stretched, ({ shape, kinds }) => {
      const shapes = [shape, [1], shape.slice(-1), [...shape.slice(0, -1), 1]];
      const inputs = Object.fromEntries(kinds.map((kind, index) => [`v${index}`, noise(shapes[kind]!, index)]));
      return {
        inputs: { ...inputs, full: noise(shape, 9) },
        build: ({ full, ...others }) => {
          const [largest, last, scaled] = map(
            (x, ...rest) => [rest.reduce((a, b) => a.max(b), x), rest.at(-1)!.neg(), x.mul(rest[0]!)],
            full!,
            ...kinds.map((_, index) => others[`v${index}`]!),
          );
          return { largest: largest!, last: last!, scaled: scaled! };
        },
        tolerances: { largest: exact, last: exact, scaled: ofEach(roundoff) },
      };
    }));

  test('Adam, as an updater writes it', () =>
    forExamples(extent(5000), (length) => ({
      inputs: {
        p: noise([length], 1),
        m: noise([length], 2),
        v: noise([length], 3),
        g: noise([length], 4),
        rate: tensor([0.01]),
      },
      build: ({ p, m, v, g, rate }) => {
        const [next, mean, square] = map(
          (p, m, v, g, rate) => {
            const mean = lerp(m, g, 0.9);
            const square = lerp(v.square(), g.square(), 0.999);
            return [p.sub(rate.mul(mean).div(square.sqrt().add(1e-8))), mean, square];
          },
          p!,
          m!,
          v!,
          g!,
          rate!,
        );
        return { next: next!, mean: mean!, square: square! };
      },
      // The terms are of size 1 to 5, and so is the quotient of mean and root, but where the root is small; the rate
      // brings that down to below the size of the parameters.
      tolerances: { next: () => () => 40 * roundoff, mean: () => () => 5 * roundoff, square: ofEach(6 * roundoff) },
    })));

  test('a guard stores all or nothing', async () => {
    for (const bad of [undefined, Number.NaN, Infinity]) {
      const x = noise([1000], 1);
      if (bad !== undefined) x.data[777] = bad;
      await expectAgreement({
        inputs: { x },
        build: ({ x }) => {
          const { outputs, finite } = guardedMap((x) => [x.mul(2), x.neg()], x!);
          return bad === undefined ? { double: outputs[0]!, negative: outputs[1]!, finite } : { finite };
        },
        tolerances: { finite: exact, ...(bad === undefined ? { double: exact, negative: exact } : {}) },
      });
    }
  });

  test('a proof changes nothing but the way: results, flag and extremes are the same with it and without', async () => {
    for (const trusted of [0, 1]) {
      await expectAgreement({
        inputs: { x: noise([700, 60], 1), trusted: tensor(Float32Array.of(trusted), [1]) },
        build: ({ x, trusted }) => {
          const built = provenMap((x, proof) => ({ results: [x.mul(2), x.neg()], proof }), x!, trusted!);
          return {
            double: built.outputs[0]!,
            negative: built.outputs[1]!,
            extremes: built.extremes,
            finite: built.finite,
          };
        },
        tolerances: { double: exact, negative: exact, extremes: exact, finite: exact },
      });
    }
  });

  test('values that do not fit are refused with their shapes', () => {
    const [x, y] = [input('x', [2, 3, 4], 'f32'), input('y', [2, 4], 'f32')];
    expect(() => map((a, b) => a.add(b), x, y)).toThrow(
      expect.objectContaining({
        code: 'invalid-shape',
        message: 'map: argument 1: [2, 4] does not stretch over [2, 3, 4]; expected that shape, [1], [4] or [2, 3, 1].',
      }),
    );
    expect(() => map((a) => a, input('ids', [2], 'i32'))).toThrow(/expected f32 values, got i32 \[2\]/);
  });
});

describe('reduce', () => {
  const drawn = fc.record({
    shape: fc.tuple(extent(5), extent(300), extent(40)),
    axis: fc.constantFrom('all', 'rows', 'columns'),
  });

  /** The sizes of the terms of each result. */
  const sizesOf = (shape: readonly number[], axis: string, term: (element: number) => number) => {
    const columns = shape.at(-1)!;
    const place = (element: number) =>
      ({ all: 0, rows: element % columns, columns: Math.floor(element / columns) })[axis]!;
    const sizes: number[] = [];
    for (let element = 0; element < elementCount(shape); element++) {
      sizes[place(element)] = (sizes[place(element)] ?? 0) + Math.abs(term(element));
    }
    return sizes;
  };

  test('sums of expressions over stretched values', () =>
    forExamples(drawn, ({ shape, axis }) => {
      const [x, c] = [noise(shape, 1), noise(shape.slice(-1), 2)];
      const columns = shape.at(-1)!;
      const sizes = sizesOf(shape, axis, (element) => 0.3 * x.data[element]! * c.data[element % columns]!);
      const terms = elementCount(shape) / sizes.length;
      const tolerance: Tolerance = () => (index) => (sumError(terms) + 3 * roundoff) * sizes[index]!;
      return {
        inputs: { x, c },
        build: ({ x, c }) => ({
          sum: reduceSum([x!, c!], { axis: axis as 'all', scale: 0.3, expression: (a, b) => a.mul(b) }),
        }),
        tolerances: { sum: tolerance },
      };
    }));

  test('maxima are exact, and NaN if one is', () =>
    forExamples(fc.tuple(drawn, fc.boolean()), ([{ shape, axis }, bad]) => {
      const x = noise(shape, 1);
      if (bad) x.data[x.data.length >> 1] = Number.NaN;
      return {
        inputs: { x },
        build: ({ x }) => ({ largest: reduceMaximum(x!, { axis: axis as 'all', expression: (a) => a.neg() }) }),
        tolerances: { largest: exact },
      };
    }));
});

test('evaluate says what map computes', () => {
  const softsign = variable(0).div(variable(0).abs().add(1));
  expect(evaluate(softsign, [3])).toBe(0.75);
});
