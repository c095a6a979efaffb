/** The gradients of elementwise recurrences: through time, values of the units, initial and final states. */
import { describe, test } from 'vitest';
import type { Value } from '../../src/compute/graph.js';
import { map, reduceSum } from '../../src/compute/operations/index.js';
import {
  buildExample,
  type ExampleCell,
  type ExampleSizes,
  exampleCells,
  exampleOperands,
} from '../compute/operations/elementwise-recurrence-examples.js';
import { expectGradients, noise } from './finite-differences.js';

const plain: ExampleSizes = { time: 4, batch: 3, units: 2, initial: true, keep: 'none', lengths: false };

/** Of the squares and sums of all results that `uses` names. */
async function check(
  cell: ExampleCell,
  changes: Partial<ExampleSizes> = {},
  uses: readonly ('states' | 'finalStates')[] = ['states', 'finalStates'],
): Promise<void> {
  const sizes = { ...plain, ...changes };
  const { varied, fixed } = exampleOperands(cell, sizes, noise);
  const build = (values: Readonly<Record<string, Value>>) => {
    const result = buildExample(cell, sizes.units, values);
    const sums = uses
      .flatMap((name) => result[name])
      .map((value, index) => {
        return reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) });
      });
    return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
  };
  await expectGradients(varied, build, fixed);
}

describe.each(exampleCells)('$name', (cell) => {
  test('several steps and rows, initial and final states', () => check(cell));
  test('one step', () => check(cell, { time: 1 }));
  test('one row', () => check(cell, { batch: 1 }));
  test('one unit of one row at one step', () => check(cell, { time: 1, batch: 1, units: 1 }));
  test('from zeros', () => check(cell, { initial: false }));
  test('the sequence alone', () => check(cell, {}, ['states']));
  test('the final states alone', () => check(cell, {}, ['finalStates']));
  test.each(['number', 'rows', 'units'] as const)('old states that stay in part, %s', (keep) => check(cell, { keep }));
  test('rows of unequal lengths, the last one empty', () => check(cell, { lengths: true, batch: 4, time: 3 }));
  test('rows of unequal lengths of which old states stay', () => check(cell, { lengths: true, keep: 'rows' }));
});
