/** Rows of a batch by length: the right answer on every engine, with the same bits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { input } from '../../../src/compute/graph.js';
import { permuteRows, reverseSequence, sortRows } from '../../../src/compute/operations/index.js';
import { tensor } from '../../../src/compute/tensor.js';
import { exact as doublePrecision, native } from '../../network/engines.js';
import { evaluateGraph } from '../../network/evaluate-graph.js';
import { exact, forExamples, noise } from './agreement.js';

const extent = (max: number) => fc.integer({ min: 1, max });
/** Steps, and the lengths of the rows. */
const ragged = extent(9).chain((time) =>
  fc.record({
    time: fc.constant(time),
    lengths: fc.array(fc.integer({ min: 0, max: time }), { minLength: 1, maxLength: 40 }),
    features: extent(20),
  }),
);
const engines = native ? [doublePrecision, native] : [doublePrecision];
const integers = (values: readonly number[]) => tensor(Int32Array.from(values), [values.length]);

describe('sortRows', () => {
  test('order, its inverse and the sorted lengths', () =>
    forExamples(ragged, ({ time, lengths }) => ({
      inputs: { lengths: integers(lengths) },
      build: ({ lengths }) => {
        const { order, inverse, lengths: sorted } = sortRows(lengths!, time);
        return { order, inverse, sorted };
      },
      tolerances: { order: exact, inverse: exact, sorted: exact },
    })));

  test('rows of equal length stand as they stood', async () => {
    for (const engine of engines) {
      const { order, inverse, sorted } = await evaluateGraph(
        engine,
        { lengths: integers([2, 5, 2, 0, 5]) },
        ({ lengths }) => {
          const { order, inverse, lengths: sorted } = sortRows(lengths!, 5);
          return { order, inverse, sorted };
        },
      );
      expect([...order!.data]).toEqual([1, 4, 0, 2, 3]);
      expect([...inverse!.data]).toEqual([2, 0, 3, 4, 1]);
      expect([...sorted!.data]).toEqual([5, 5, 2, 2, 0]);
    }
  });

  test('a length outside of 0 to the number of steps is named with its row', async () => {
    for (const engine of engines) {
      for (const length of [-1, 6]) {
        const sorted = evaluateGraph(engine, { lengths: integers([3, length]) }, ({ lengths }) => ({
          order: sortRows(lengths!, 5).order,
        }));
        await expect(sorted).rejects.toMatchObject({
          code: 'out-of-range',
          message: expect.stringMatching(new RegExp(`the length ${length} of row 1 `)),
        });
      }
    }
    expect(() => sortRows(input('lengths', [3], 'f32'), 5)).toThrow(/expected i32/);
    expect(() => sortRows(input('lengths', [3, 1], 'i32'), 5)).toThrow(/\[batch\]/);
    expect(() => sortRows(input('lengths', [3], 'i32'), 0)).toThrow(/number of steps/);
  });
});

describe('permuteRows', () => {
  test('rows along either axis by an order, and back', () =>
    forExamples(fc.tuple(ragged, fc.constantFrom<0 | 1>(0, 1)), ([{ time, lengths, features }, axis]) => {
      const batch = lengths.length;
      return {
        inputs: {
          x: noise(axis === 0 ? [batch, features] : [time, batch, features], 1),
          lengths: integers(lengths),
        },
        build: ({ x, lengths }) => {
          const { order, inverse } = sortRows(lengths!, time);
          const sorted = permuteRows(x!, order, { axis });
          const back = permuteRows(sorted, order, { axis, inverse: true });
          return { sorted, back, byInverse: permuteRows(sorted, inverse, { axis }) };
        },
        tolerances: { sorted: exact, back: exact, byInverse: exact },
      };
    }));

  test('row i is row order[i]', async () => {
    const given = { x: integers([7, 8, 9]), order: integers([2, 0, 1]) };
    for (const engine of engines) {
      const { there, back } = await evaluateGraph(engine, given, ({ x, order }) => ({
        there: permuteRows(x!, order!, { axis: 0 }),
        back: permuteRows(x!, order!, { axis: 0, inverse: true }),
      }));
      expect([...there!.data]).toEqual([9, 7, 8]);
      expect([...back!.data]).toEqual([8, 9, 7]);
    }
  });

  test('an order that leaves out a row fails the step', async () => {
    for (const engine of engines) {
      for (const order of [
        [0, 1, 1],
        [0, 1, 3],
        [0, 1, -1],
      ]) {
        const permuted = evaluateGraph(engine, { x: integers([7, 8, 9]), order: integers(order) }, ({ x, order }) => ({
          y: permuteRows(x!, order!, { axis: 0 }),
        }));
        await expect(permuted).rejects.toMatchObject({
          code: 'out-of-range',
          message: expect.stringMatching(/position 2/),
        });
      }
    }
    const order = input('order', [3], 'i32');
    expect(() => permuteRows(input('x', [3, 4], 'f32'), order, { axis: 1 })).toThrow(/order: expected i32 \[4\]/);
    expect(() => permuteRows(input('x', [3], 'f32'), order, { axis: 1 })).toThrow(/axis of the batch/);
  });
});

describe('reverseSequence', () => {
  test('each row from its own end, with zeros behind it and nothing seen of what is there', () =>
    forExamples(ragged, ({ time, lengths, features }) => {
      const batch = lengths.length;
      const x = noise([time, batch, features], 1);
      const padded = x.data.map((value, index) => {
        const row = Math.floor(index / features);
        return Math.floor(row / batch) < lengths[row % batch]! ? value : Number.NaN;
      });
      return {
        inputs: { x: tensor(padded, x.shape), lengths: integers(lengths) },
        build: ({ x, lengths }) => {
          const backwards = reverseSequence(x!, lengths);
          return { backwards, again: reverseSequence(backwards, lengths) };
        },
        tolerances: { backwards: exact, again: exact },
      };
    }));

  test('without lengths all rows have all steps', async () => {
    const x = tensor(Int32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
    for (const engine of engines) {
      const { all, ragged } = await evaluateGraph(engine, { x, lengths: integers([2, 0]) }, ({ x, lengths }) => ({
        all: reverseSequence(x!),
        ragged: reverseSequence(x!, lengths),
      }));
      expect([...all!.data]).toEqual([5, 6, 3, 4, 1, 2]);
      expect([...ragged!.data]).toEqual([3, 0, 1, 0, 0, 0]);
    }
  });

  test('a length outside of 0 to the number of steps is named with its row', async () => {
    const x = tensor(new Float32Array(6), [3, 2]);
    for (const engine of engines) {
      const reversed = evaluateGraph(engine, { x, lengths: integers([3, 4]) }, ({ x, lengths }) => ({
        y: reverseSequence(x!, lengths),
      }));
      await expect(reversed).rejects.toMatchObject({
        code: 'out-of-range',
        message: expect.stringMatching(/the length 4 of row 1 /),
      });
    }
    expect(() => reverseSequence(input('x', [3], 'f32'))).toThrow(/\[time, batch/);
    expect(() => reverseSequence(input('x', [3, 2], 'f32'), input('lengths', [3], 'i32'))).toThrow(/i32 \[2\]/);
  });
});
