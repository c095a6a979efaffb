/** The gradients of the fused cells over rows of unequal lengths, the empty one among them, against differences. */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { map, reduceSum } from '../../src/compute/operations/index.js';
import { tensor } from '../../src/compute/tensor.js';
import {
  type CellKind,
  type CellOptions,
  cellOf,
  cells,
  drawnOptions,
  operandsOf,
  plain,
} from '../compute/operations/recurrent-options.js';
import { expectGradients } from './finite-differences.js';

async function check(kind: CellKind, options: CellOptions, time: number, lengths: readonly number[]): Promise<void> {
  const { varied, fixed } = operandsOf(kind, options, { time, batch: lengths.length, inputs: 2, units: 3 });
  await expectGradients(
    varied,
    (values) => {
      const { output, finalHidden, finalCell } = cellOf(kind, options, values);
      const sums = [output, finalHidden, finalCell].flatMap((value, index) =>
        value ? [reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) })] : [],
      );
      return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
    },
    { ...fixed, lengths: tensor(Int32Array.from(lengths), [lengths.length]) },
  );
}

describe.each(cells)('$name', (kind) => {
  test('all steps, some, one and none', () => check(kind, plain, 3, [3, 2, 1, 0]));
  test('one row', () => check(kind, plain, 3, [2]));
  test('one step', () => check(kind, plain, 1, [1, 0]));
  test('no steps at all', () => check(kind, plain, 2, [0, 0]));
  test('without initial states', () => check(kind, { ...plain, states: false }, 3, [3, 1, 0]));
  test('any options', () =>
    fc.assert(
      fc.asyncProperty(
        drawnOptions(kind),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
        (options, lengths) =>
          check(
            kind,
            options,
            3,
            lengths.sort((a, b) => b - a),
          ),
      ),
      { seed: Number(process.env.MNEME_SEED ?? 1), numRuns: 15 },
    ));
});
