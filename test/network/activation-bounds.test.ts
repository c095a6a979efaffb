/**
 * How exact activations and their derivatives are: within bounds that follow from the errors of the instructions they are
 * made of (`expression-bounds.ts`), over the whole range of single precision, with the same bits in every instruction set.
 */
import { describe, expect, test } from 'vitest';
import { differentiate, encode, evaluate, variable } from '../../src/compute/expression.js';
import type { Value } from '../../src/compute/graph.js';
import { map } from '../../src/compute/operations/index.js';
import { normals } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { boundsOfCode } from '../compute/expression-bounds.js';
import { expectAgreement, ofEach, roundoff, type Tolerance } from '../compute/operations/agreement.js';
import { activationChoices } from './activation-choices.js';

/** Places of every size and sign, and more of them where activations bend. */
const places = Float32Array.of(
  ...Array.from({ length: 277 }, (_, index) => 2 ** (index - 149)).flatMap((power) =>
    [1, 1.3, 1.999].flatMap((factor) => [power * factor, -power * factor]),
  ),
  ...[0, 0.3, 0.5, 1, 2.5, 3, 6, 20].flatMap((kink) => [kink, -kink]),
  ...normals(1000, { seed: 5, purpose: 1 }).map((x) => 4 * x),
);

describe.each(activationChoices)('%s', (name, { expression }) => {
  const x = variable(0);
  const both = [expression(x), differentiate(expression(x), 0)] as const;
  const boundsAt = boundsOfCode(encode(both, 1), both);
  // Beyond it x² overflows, so that nothing can be said of `squareplus`.
  const given = places.filter((at) => Math.abs(at) <= (name.includes('squareplus') ? 1e18 : 2e38));
  const build = (values: Float32Array) => ({
    inputs: { x: tensor(values, [values.length]) },
    build: ({ x: value }: Readonly<Record<string, Value>>) => {
      const [result, slope] = map(() => both, value!);
      return { result: result!, slope: slope! };
    },
  });

  test('value and derivative lie within the bounds of their instructions', async () => {
    const within =
      (output: number): Tolerance =>
      (right) =>
      (index) => {
        const [low, high] = boundsAt(given[index]!)[output]!;
        return Math.max(right[index]! - low, high - right[index]!);
      };
    await expectAgreement({ ...build(given), tolerances: { result: within(0), slope: within(1) } });
  });

  test('infinities lead to the limits, and NaN to NaN', async () => {
    // Nothing but what the last instructions round.
    const tolerances = { result: ofEach(8 * roundoff), slope: ofEach(8 * roundoff) };
    await expectAgreement({ ...build(Float32Array.of(Infinity, -Infinity)), tolerances });
    await expectAgreement({
      ...build(Float32Array.of(Number.NaN)),
      tolerances: {
        result: (right) => {
          expect(right).toEqual(Float64Array.of(Number.NaN));
          return () => 0;
        },
      },
    });
  });

  test('the bounds hold the exact results, and are narrow but at kinks', () => {
    const slopeAt = (x: number) => evaluate(both[1]!, [x]);
    for (const x of given) {
      const bendsHere = Math.abs(x) < 2 ** -100 || Math.abs(slopeAt(x * (1 + 1e-6)) - slopeAt(x * (1 - 1e-6))) > 1e-3;
      for (const [output, [low, high]] of boundsAt(x).entries()) {
        const exact = evaluate(both[output]!, [x]);
        if (!(exact >= low && exact <= high)) expect.fail(`${exact} at ${x} is not in [${low}, ${high}]`);
        if (Math.abs(x) > 100 || Math.abs(exact) > 1e30 || (output === 1 && bendsHere)) continue;
        // Far from 0 the parts of the derivatives of swish, mish and geluTanh cancel.
        const roundings = output === 0 ? 40 : /swish|mish|geluTanh/.test(name) ? 3000 : 128;
        if (!(high - low <= roundings * 2 ** -24 * Math.max(1, Math.abs(exact)))) {
          expect.fail(`at ${x} the bounds of ${exact} are [${low}, ${high}]`);
        }
      }
    }
  });
});
