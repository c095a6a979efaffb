/** The gradients of the fused cells with every option, with every two of them, and with any number. */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { map, reduceSum } from '../../src/compute/operations/index.js';
import {
  type CellKind,
  type CellOptions,
  type CellSizes,
  cellOf,
  cells,
  changes,
  drawnOptions,
  ofLstm,
  operandsOf,
  plain,
} from '../compute/operations/recurrent-options.js';
import { expectGradients } from './finite-differences.js';

async function check(kind: CellKind, options: CellOptions, sizes: CellSizes): Promise<void> {
  const { varied, fixed } = operandsOf(kind, options, sizes);
  await expectGradients(
    varied,
    (values) => {
      const { output, finalHidden, finalCell } = cellOf(kind, options, values);
      const sums = [output, finalHidden, finalCell].flatMap((value, index) =>
        value ? [reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) })] : [],
      );
      return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
    },
    fixed,
  );
}

const sizes = { time: 3, batch: 2, inputs: 2, units: 3 };

describe.each(cells)('$name', (kind) => {
  const own = changes.filter(([, change]) => kind.cell === 'lstm' || !ofLstm(change));
  const pairs = own.flatMap(([first, one], index) =>
    own.slice(index).map(([second, other]) => [first, second, { ...plain, ...one, ...other }] as const),
  );
  test.each(pairs)('%s and %s', (_, __, options) => check(kind, options, sizes));

  test('any number of options at sizes from one on', () =>
    fc.assert(
      fc.asyncProperty(
        drawnOptions(kind),
        fc.record({
          time: fc.integer({ min: 1, max: 4 }),
          batch: fc.integer({ min: 1, max: 3 }),
          inputs: fc.integer({ min: 1, max: 3 }),
          units: fc.integer({ min: 1, max: 4 }),
        }),
        (options, drawn) => check(kind, options, drawn),
      ),
      { seed: Number(process.env.MNEME_SEED ?? 1), numRuns: 30 },
    ));
});
