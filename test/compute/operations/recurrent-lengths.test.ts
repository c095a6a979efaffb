/** Rows of unequal lengths in the fused cells: what the sequences give one by one, on every engine. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../../src/compute/gradients.js';
import { input, type Value } from '../../../src/compute/graph.js';
import {
  map,
  permuteRows,
  type RecurrentOptions,
  type RecurrentResult,
  reduceSum,
  reverseSequence,
  sortRows,
} from '../../../src/compute/operations/index.js';
import { elementCount, type Tensor, tensor } from '../../../src/compute/tensor.js';
import { exact, native } from '../../network/engines.js';
import { evaluateGraph } from '../../network/evaluate-graph.js';
import { expectAgreement, ofLargest, roundoff } from './agreement.js';
import {
  type CellKind,
  type CellOptions,
  type CellSizes,
  cellOf,
  cells,
  drawnOptions,
  operandsOf,
  plain,
} from './recurrent-options.js';

const engines = native ? [exact, native] : [exact];
const extent = (max: number) => fc.integer({ min: 1, max });
const seed = Number(process.env.MNEME_SEED ?? 1);

type Tensors = Readonly<Record<string, Tensor>>;
interface Ragged extends CellSizes {
  readonly lengths: readonly number[];
}

/** Rows of 0 to all steps, sorted. */
const ragged: fc.Arbitrary<Ragged> = fc
  .record({ time: extent(6), batch: extent(9), inputs: extent(6), units: extent(20) })
  .chain((sizes) =>
    fc.record({
      ...Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, fc.constant(value)])),
      lengths: fc
        .array(fc.integer({ min: 0, max: sizes.time }), { minLength: sizes.batch, maxLength: sizes.batch })
        .map((lengths) => lengths.sort((a, b) => b - a)),
    }),
  ) as unknown as fc.Arbitrary<Ragged>;

const integers = (values: readonly number[]) => tensor(Int32Array.from(values), [values.length]);
/** Everything of all steps has rows that may be padding. */
const ofSteps = (name: string, { shape }: Tensor) => name === 'input' || (name.endsWith('Keep') && shape.length > 1);

/** NaN wherever no row lives. */
function spoiled(given: Tensors, { batch, lengths }: Ragged): Record<string, Tensor> {
  const spoil = (value: Tensor) => {
    const inner = elementCount(value.shape.slice(2));
    const living = (index: number) => {
      const row = Math.floor(index / inner);
      return Math.floor(row / batch) < lengths[row % batch]!;
    };
    return tensor(
      Float32Array.from(value.data, (x, index) => (living(index) ? x : Number.NaN)),
      value.shape,
    );
  };
  return Object.fromEntries(Object.entries(given).map(([name, x]) => [name, ofSteps(name, x) ? spoil(x) : x]));
}

/** The operands of one row. */
function alone(given: Tensors, { batch, lengths }: Ragged, row: number): Record<string, Tensor> {
  const length = lengths[row]!;
  const own = (name: string, { data, shape }: Tensor): Tensor => {
    const steps = ofSteps(name, { data, shape } as Tensor);
    if (!steps && !(name.startsWith('initial') || name === 'recurrentMask')) return tensor(data, shape);
    const rest = shape.slice(steps ? 2 : 1);
    const size = elementCount(rest);
    const times = Array.from({ length: steps ? length : 1 }, (_, t) => t);
    const parts = times.flatMap((t) => [...data.slice((t * batch + row) * size, (t * batch + row + 1) * size)]);
    return tensor(Float32Array.from(parts), steps ? [length, 1, ...rest] : [1, ...rest]);
  };
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, own(name, value)]));
}

/** Of each result Σ (c·y + y²): the same for a batch as for its rows together. */
function lossOf({ output, finalHidden, finalCell }: RecurrentResult): Value {
  const sums = [output, finalHidden, finalCell].flatMap((value, index) =>
    value ? [reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) })] : [],
  );
  return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
}

function resultsOf(kind: CellKind, options: CellOptions, values: Readonly<Record<string, Value>>, varied: string[]) {
  const result = cellOf(kind, options, values);
  const derived = gradients(
    lossOf(result),
    varied.map((name) => values[name]!),
  );
  return { ...result, ...Object.fromEntries(varied.map((name, index) => [`d_${name}`, derived[index]!])) };
}

/**
 * Each step rounds products of `inputs + units` terms, and its error goes through the steps that follow; backward does the
 * same once more, and sums over time and batch round each term.
 */
const tolerance = ({ time, batch, inputs, units }: CellSizes) =>
  3 * ((8 * Math.sqrt(inputs + units) + 16) * time + 8 * Math.sqrt(time * batch)) * roundoff;

describe.each(cells)('$name', (kind) => {
  test('all engines agree, with the same bits on every instruction set, whatever lies behind the rows', () =>
    fc.assert(
      fc.asyncProperty(drawnOptions(kind), ragged, async (options, sizes) => {
        const { varied, fixed } = operandsOf(kind, options, sizes);
        const names = Object.keys(varied);
        const relative = ofLargest(tolerance(sizes));
        const results = ['output', 'finalHidden', ...(kind.cell === 'lstm' ? ['finalCell'] : [])];
        await expectAgreement({
          inputs: { ...singles(spoiled({ ...varied, ...fixed }, sizes)), lengths: integers(sizes.lengths) },
          build: (values) => resultsOf(kind, options, values, names),
          tolerances: Object.fromEntries([...results, ...names.map((name) => `d_${name}`)].map((of) => [of, relative])),
        });
      }),
      { seed, numRuns: 25 },
    ));

  test('a padded batch gives the outputs, final states and gradients of its sequences taken one by one', () =>
    fc.assert(
      fc.asyncProperty(drawnOptions(kind), ragged, async (options, sizes) => {
        const { varied, fixed } = operandsOf(kind, options, sizes);
        const names = Object.keys(varied);
        const given = { ...varied, ...fixed };
        for (const engine of engines) {
          const of = (operands: Tensors) =>
            evaluateGraph(engine, operands, (values) => ({ ...resultsOf(kind, options, values, names) }));
          const batch = await of({ ...spoiled(given, sizes), lengths: integers(sizes.lengths) });
          const wanted = await oneByOne(given, sizes, batch, of);
          for (const [name, want] of Object.entries(wanted)) {
            const largest = Math.max(0, ...want.map(Math.abs));
            const error = Math.max(0, ...want.map((x, index) => Math.abs(x - batch[name]!.data[index]!)));
            const allowed = (engine.precision === 'f64' ? 2 ** -29 : 1) * tolerance(sizes) * largest;
            expect(error, `${name} of ${JSON.stringify({ ...sizes, ...options })}`).toBeLessThanOrEqual(allowed);
          }
        }
      }),
      { seed, numRuns: 15 },
    ));
});

/** What the rows give one by one, put together as the batch gives it: rows of states and steps, sums of weights' gradients. */
async function oneByOne(
  given: Tensors,
  sizes: Ragged,
  batch: Tensors,
  of: (operands: Tensors) => Promise<Tensors>,
): Promise<Record<string, Float64Array>> {
  const together = Object.fromEntries(
    Object.entries(batch).map(([name, { data }]) => [name, new Float64Array(data.length)]),
  );
  const byRow = (name: string) => name.startsWith('final') || name.startsWith('d_initial');
  for (const [row, length] of sizes.lengths.entries()) {
    const own = alone(given, sizes, row);
    // A row without steps has its initial states as final ones, and their gradient: of Σ (c·y + y²), c + 2·y.
    const results: Tensors = length > 0 ? await of(own) : statesOf(own, batch);
    for (const [name, { data }] of Object.entries(results)) {
      const to = together[name]!;
      const stepped = name === 'output' || name === 'd_input';
      const size = stepped ? data.length / length : data.length;
      for (const [index, value] of data.entries()) {
        if (stepped) to[(Math.floor(index / size) * sizes.batch + row) * size + (index % size)] = value;
        else if (byRow(name)) to[row * size + index] = value;
        else to[index]! += value;
      }
    }
  }
  return together;
}

function statesOf(own: Tensors, batch: Tensors): Record<string, Tensor> {
  const results: Record<string, Tensor> = {};
  for (const [name, index] of [['Hidden', 1] as const, ['Cell', 2] as const]) {
    const initial = own[`initial${name}`];
    if (!initial || !batch[`final${name}`]) continue;
    results[`final${name}`] = initial;
    results[`d_initial${name}`] = { ...initial, data: Float64Array.from(initial.data, (y) => index + 0.7 + 2 * y) };
  }
  return results;
}

const singles = (given: Tensors): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(given).map(([name, { data, shape }]) => [
      name,
      data instanceof Int32Array ? tensor(data, shape) : tensor(Float32Array.from(data), shape),
    ]),
  );

describe('what is not looked at, and what is refused', () => {
  const sizes = { time: 3, batch: 2, inputs: 4, units: 5 };
  const kind = cells[1];
  const ids = tensor(Int32Array.of(1, 3, 2, 77, 0, -5), [3, 2]);
  const { input: _, ...weights } = operandsOf(kind, plain, sizes).varied;
  const withIds = (lengths: readonly number[]): Tensors => ({ ...weights, ids, lengths: integers(lengths) });
  const build = ({ ids, ...values }: Readonly<Record<string, Value>>) => ({
    ...cellOf(kind, plain, { ...values, input: ids! }),
  });

  test('ids behind the end of a row may be anything, those within are checked', async () => {
    for (const engine of engines) {
      const { output } = await evaluateGraph(engine, withIds([3, 1]), build);
      expect([...output!.data].every(Number.isFinite)).toBe(true);
      await expect(evaluateGraph(engine, withIds([3, 2]), build)).rejects.toMatchObject({ code: 'out-of-range' });
    }
  });

  test('lengths outside of the steps and rows that are not sorted fail the step, with the row', async () => {
    for (const engine of engines) {
      for (const [lengths, sentence] of [
        [[4, 1], /the length 4 of row 0 /],
        [[3, -1], /the length -1 of row 1 /],
        [[1, 2], /row 1 of length 2 comes after one of length 1/],
      ] as const) {
        await expect(evaluateGraph(engine, withIds(lengths), build)).rejects.toMatchObject({
          code: 'out-of-range',
          message: expect.stringMatching(sentence),
        });
      }
    }
    const values = Object.fromEntries(
      Object.entries({ ...weights, input: noiseless }).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
    );
    const attempt = (lengths: Value) => () => cellOf(kind, plain, { ...values, lengths });
    expect(attempt(input('lengths', [3], 'i32'))).toThrow(/lengths: expected i32 \[2\], got i32 \[3\]/);
    expect(attempt(input('lengths', [2], 'f32'))).toThrow(/lengths: expected i32 \[2\], got f32 \[2\]/);
  });
  const noiseless = tensor(new Float32Array(24), [3, 2, 4]);
});

test('in any order, forwards and backwards: sorted inside, and put back', async () => {
  const sizes = { time: 5, batch: 4, inputs: 3, units: 4 };
  const lengths = [2, 5, 0, 3];
  const kind = cells[3];
  const { varied } = operandsOf(kind, plain, sizes);
  for (const engine of engines) {
    const given = { ...varied, lengths: integers(lengths) };
    const { there, back } = await evaluateGraph(engine, given, ({ lengths, input, initialHidden, ...values }) => {
      const { order, lengths: sorted } = sortRows(lengths!, sizes.time);
      const run = (x: Value) => {
        const { output } = cellOf(kind, plain, {
          ...(values as unknown as Pick<RecurrentOptions, 'kernel' | 'recurrentKernel'>),
          input: permuteRows(x, order, { axis: 1 }),
          initialHidden: permuteRows(initialHidden!, order, { axis: 0 }),
          lengths: sorted,
        });
        return permuteRows(output, order, { axis: 1, inverse: true });
      };
      return { there: run(input!), back: reverseSequence(run(reverseSequence(input!, lengths)), lengths) };
    });
    for (const [row, length] of lengths.entries()) {
      if (length === 0) continue;
      const own = alone(varied, { ...sizes, lengths }, row);
      const want = await evaluateGraph(engine, own, (values) => ({
        there: cellOf(kind, plain, values).output,
        back: reverseSequence(cellOf(kind, plain, { ...values, input: reverseSequence(values.input!) }).output),
      }));
      for (const [got, wanted] of [
        [there!, want.there!],
        [back!, want.back!],
      ] as const) {
        const of = alone({ input: got }, { ...sizes, lengths }, row).input!;
        expect([...of.data]).toEqual([...Float32Array.from(wanted.data)]);
      }
    }
  }
});
