/** The gradients of `scan`, of cells that have little in common, against finite differences in double precision. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../src/compute/gradients.js';
import { input, reshape, type Value } from '../../src/compute/graph.js';
import { concatenate, map, matmul, reduceSum, slice, softmax, transpose } from '../../src/compute/operations/index.js';
import { scan } from '../../src/compute/scan.js';
import type { Tensor } from '../../src/compute/tensor.js';
import { expectGradients, noise } from './finite-differences.js';

type Values = Readonly<Record<string, Value>>;
const total = (...values: readonly Value[]): Value => {
  const sums = values.map((value, index) =>
    reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square().mul(0.5)) }),
  );
  return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
};
const add = (a: Value, b: Value) => map((x, y) => x.add(y), a, b);
const tanh = (x: Value) => map((a) => a.tanh(), x);

/** What the drawn cells are put together from: sizes, and which of the features below they have. */
const drawn = fc.record({
  time: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  units: fc.integer({ min: 1, max: 3 }),
  second: fc.boolean(),
  outer: fc.boolean(),
  twice: fc.boolean(),
  normalized: fc.boolean(),
  uses: fc.integer({ min: 1, max: 7 }),
});

describe('gradients of scan', () => {
  test('of cells put together at random, for sequences, initial states and everything captured', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ time, batch, inputs, units, second, outer, twice, normalized, uses }) => {
        const varied: Record<string, Tensor> = {
          x: noise([time, batch, inputs], 1),
          w: noise([inputs, units], 2),
          u: noise([units, units], 3, 0.5),
          b: noise([units], 4),
          scale: noise([1], 5),
          h: noise([batch, units], 6),
          c: noise([batch, units], 7),
          rows: noise([batch, 1], 8),
          z: noise([time, batch, units], 9),
        };
        await expectGradients(varied, (given) => {
          const { x, w, u, b, scale, h, c, rows, z } = given as Required<Values>;
          const { outputs, states } = scan({
            sequences: second ? [x!, z!] : [x!],
            initial: [h!, c!],
            step: ([part, other], [hidden, carried]) => {
              // A product that waits for nothing, and one that waits for the state; both with what was captured.
              const product = add(matmul(part!, w!, { bias: b }), matmul(hidden!, u!));
              const sum = twice ? add(product, matmul(tanh(product), u!, { transposeB: true })) : product;
              const scaled = outer ? map((y, s, r) => y.mul(s).add(r), sum, scale!, rows!) : sum;
              const next = normalized ? softmax(scaled) : tanh(scaled);
              const mixed = other ? map((a, p, q) => a.mul(p).add(q), next, other, carried!) : add(next, carried!);
              const kept = map((a, p) => a.mul(0.5).add(p.sigmoid()), carried!, mixed);
              return { outputs: [mixed, next], states: [next, kept] };
            },
          });
          return total(...[outputs[0]!, outputs[1]!, states[1]!].filter((_, bit) => (uses >> bit) & 1));
        });
      }),
      { numRuns: 25, seed: Number(process.env.MNEME_SEED ?? 1) },
    );
  });

  test('through a state that nothing reads, one that never changes and one that takes what another was', async () => {
    await expectGradients(
      { x: noise([3, 2, 2], 1), a: noise([2, 2], 2), b: noise([2, 2], 3), c: noise([2, 2], 4) },
      ({ x, a, b, c }) => {
        const { outputs, states } = scan({
          sequences: [x!],
          initial: [a!, b!, c!],
          step: ([part], [first, fixed, before]) => {
            const next = map((p, q, r, s) => p.mul(q).add(r).sub(s).tanh(), part!, fixed!, first!, before!);
            return { outputs: [next, part!, fixed!], states: [next, fixed!, first!] };
          },
        });
        return total(...outputs, ...states);
      },
    );
  });

  test('of what is captured whole: columns, slices, transposes and a matrix that is read from both sides', async () => {
    await expectGradients({ x: noise([2, 2, 3], 1), u: noise([3, 3], 2), h: noise([2, 3], 3) }, ({ x, u, h }) => {
      const { outputs } = scan({
        sequences: [x!],
        initial: [h!],
        step: ([part], [hidden]) => {
          const left = matmul(u!, hidden!, { transposeB: true });
          const right = matmul(hidden!, transpose(u!));
          const joined = concatenate([right, slice(part!, { axis: 1, start: 1, length: 2 })], 1);
          const next = tanh(add(transpose(left), slice(joined, { axis: 1, start: 2, length: 3 })));
          return { outputs: [joined], states: [next] };
        },
      });
      return total(...outputs);
    });
  });

  test('of a scan in a scan, with the states of one as the sequence of the other', async () => {
    await expectGradients(
      { x: noise([2, 3, 2, 2], 1), w: noise([2, 2], 2), v: noise([2, 2], 3), h: noise([2, 2], 4) },
      ({ x, w, v, h }) => {
        const outer = scan({
          sequences: [x!],
          initial: [h!],
          step: ([part], [hidden]) => {
            const inner = scan({
              sequences: [part!],
              initial: [hidden!],
              step: ([row], [state]) => {
                const next = tanh(add(matmul(row!, w!), matmul(state!, v!)));
                return { outputs: [next], states: [next] };
              },
            });
            const next = add(inner.states[0]!, hidden!);
            return { outputs: [inner.outputs[0]!], states: [next] };
          },
        });
        return total(outer.outputs[0]!, outer.states[0]!);
      },
    );
  });

  test('of scans one behind the other, and of one whose sequence has a number a step', async () => {
    await expectGradients({ x: noise([4], 1), h: noise([2, 3], 2), u: noise([3, 3], 3) }, ({ x, h, u }) => {
      const first = scan({
        sequences: [x!],
        initial: [h!],
        step: ([number], [state]) => {
          const next = map((s, n) => s.mul(n).add(n).tanh(), state!, number!);
          return { outputs: [next], states: [next] };
        },
      });
      const second = scan({
        sequences: [first.outputs[0]!],
        initial: [first.states[0]!],
        step: ([part], [state]) => {
          const next = tanh(add(part!, matmul(state!, u!)));
          return { outputs: [next], states: [next] };
        },
      });
      return total(second.outputs[0]!, second.states[0]!);
    });
  });

  test('are taken of what was given out of the middle of the states, too', async () => {
    await expectGradients({ x: noise([4, 1, 2], 1), h: noise([1, 2], 2) }, ({ x, h }) => {
      const { outputs } = scan({
        sequences: [x!],
        initial: [h!],
        step: ([part], [state]) => {
          const next = map((s, p) => s.mul(0.5).add(p).tanh(), state!, part!);
          return { outputs: [next], states: [next] };
        },
      });
      return total(slice(outputs[0]!, { axis: 0, start: 1, length: 2 }), reshape(outputs[0]!, [8]));
    });
  });

  test('cannot be taken of themselves', () => {
    const x = input('x', [2, 1, 1], 'f32');
    const h = input('h', [1, 1], 'f32');
    const { outputs } = scan({
      sequences: [x],
      initial: [h],
      step: ([part], [state]) => {
        const next = map((s, p) => s.mul(p).tanh(), state!, part!);
        return { outputs: [next], states: [next] };
      },
    });
    const [once] = gradients(total(outputs[0]!), [x]);
    expect(() => gradients(total(once!), [x])).toThrow(/has no gradient/);
  });
});
