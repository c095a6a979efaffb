/** The fused cells with any options: all engines agree, forward and backward. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Expression } from '../../../src/compute/expression.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, type Value } from '../../../src/compute/graph.js';
import { map, type RecurrentOptions, recurrent, reduceSum } from '../../../src/compute/operations/index.js';
import type { Tensor } from '../../../src/compute/tensor.js';
import { forExamples, ofLargest, roundoff } from './agreement.js';
import { type CellOptions, type CellSizes, cellOf, cells, drawnOptions, operandsOf } from './recurrent-options.js';

const drawnSizes = fc.record({
  time: fc.integer({ min: 1, max: 6 }),
  batch: fc.integer({ min: 1, max: 20 }),
  inputs: fc.integer({ min: 1, max: 30 }),
  units: fc.integer({ min: 1, max: 50 }),
});

/**
 * As in recurrent.test.ts, with the projection as a second product of each step. Weights are at most twice as large as
 * there, so a step may hand on errors somewhat enlarged: another factor of 2.
 */
function tolerance({ time, batch, inputs, units }: CellSizes): number {
  const forward = 8 * Math.sqrt(inputs + units) + 8 * Math.sqrt(units) + 24;
  return 2 * (forward * time + 8 * Math.sqrt(time * batch)) * roundoff;
}

const single = (tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape }]) => [
      name,
      { data: Float32Array.from(data), shape, dtype: 'f32' },
    ]),
  );

describe.each(cells)('$name', (kind) => {
  const build = (options: CellOptions, names: readonly string[], values: Readonly<Record<string, Value>>) => {
    const { output, finalHidden, finalCell } = cellOf(kind, options, values);
    const sums = [output, finalHidden, finalCell].flatMap((value, index) =>
      value ? [reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) })] : [],
    );
    const loss = map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
    const derived = gradients(
      loss,
      names.map((name) => values[name]!),
    );
    return {
      ...{ output, finalHidden },
      ...(finalCell ? { finalCell } : {}),
      ...Object.fromEntries(names.map((name, index) => [`gradient of ${name}`, derived[index]!])),
    };
  };

  test('any options, forward and backward', () =>
    forExamples(
      fc.tuple(drawnOptions(kind), drawnSizes),
      ([options, sizes]) => {
        const { varied, fixed } = operandsOf(kind, { ...options, clipped: false }, sizes);
        const names = Object.keys(varied);
        const results = ['output', 'finalHidden', ...(kind.cell === 'lstm' ? ['finalCell'] : [])];
        return {
          inputs: single({ ...varied, ...fixed }),
          build: (values) => build({ ...options, clipped: false }, names, values),
          tolerances: Object.fromEntries([
            ...results.map((name) => [name, ofLargest(tolerance(sizes))]),
            ...names.map((name) => [`gradient of ${name}`, ofLargest(3 * tolerance(sizes))]),
          ]),
        };
      },
      { runs: 40 },
    ));
});

test('a clipped cell state stays within its bound, on all engines', () =>
  forExamples(drawnSizes, (sizes) => {
    const options = { ...fc.sample(drawnOptions(cells[1]), { numRuns: 1, seed: 4 })[0]!, clipped: true };
    const { varied, fixed } = operandsOf(cells[1], options, sizes);
    return {
      inputs: single({ ...varied, ...fixed }),
      build: (values) => {
        const { output, finalCell } = cellOf(cells[1], options, values);
        return { output, finalCell: finalCell! };
      },
      tolerances: { output: ofLargest(tolerance(sizes)), finalCell: ofLargest(tolerance(sizes)) },
    };
  }));

test('options that a cell does not have, and operands that do not fit, are refused with what was expected', () => {
  const sigmoid = { kind: 1, expression: (x: Expression) => x.sigmoid() } as const;
  const attempt =
    (changes: Partial<RecurrentOptions>, gates = 4) =>
    () =>
      recurrent({
        ...{ cell: 'lstm', training: false, gateActivation: sigmoid, activation: sigmoid },
        input: input('x', [5, 2, 3], 'f32'),
        kernel: input('kernel', [3, gates * 4], 'f32'),
        recurrentKernel: input('recurrentKernel', [4, gates * 4], 'f32'),
        ...changes,
      });
  const refused = (message: string) => expect.objectContaining({ code: 'invalid-shape', message });
  const of = (...shape: number[]) => input('given', shape, 'f32');
  expect(attempt({ peephole: of(2, 4) })).toThrow(
    refused('recurrent: peephole weights: expected f32 [3, 4], got f32 [2, 4].'),
  );
  expect(attempt({ projection: of(4, 3) })).toThrow(
    refused('recurrent: projection: expected f32 [4, 4], got f32 [4, 3].'),
  );
  expect(attempt({ recurrentMask: of(4) })).toThrow(
    refused('recurrent: recurrent mask: expected f32 [2, 4], got f32 [4].'),
  );
  expect(attempt({ hiddenKeep: of(2, 4) })).toThrow(
    refused('recurrent: share of the hidden state to keep: expected f32 [1] or [5, 2] or [5, 2, 4], got f32 [2, 4].'),
  );
  expect(attempt({ cell: 'simple', cellClip: 1 }, 1)).toThrow(refused('recurrent: only an LSTM has a cell state.'));
  expect(attempt({ cell: 'gru', coupled: true }, 3)).toThrow(
    refused('recurrent: only an LSTM has peepholes, a projection or coupled gates.'),
  );
});
