/** Elementwise recurrences, forward and backward: right on every engine, with the same bits on every instruction set. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../../src/compute/gradients.js';
import { input, type Value } from '../../../src/compute/graph.js';
import {
  type ElementwiseRecurrenceOptions,
  elementwiseRecurrence,
  map,
  type RecurrenceStep,
  reduceSum,
} from '../../../src/compute/operations/index.js';
import { tensor } from '../../../src/compute/tensor.js';
import { exact, native } from '../../network/engines.js';
import { evaluateGraph, incomingGradients, type Values } from '../../network/evaluate-graph.js';
import { type Example, expectAgreement, forExamples, noise, ofLargest, roundoff, sumError } from './agreement.js';
import {
  buildExample,
  type ExampleCell,
  type ExampleSizes,
  exampleCells,
  exampleOperands,
} from './elementwise-recurrence-examples.js';

/**
 * A step has some ten instructions of at most 4 roundings each (those of tanh and sigmoid are the worst). What is wrong with
 * a state comes back in later steps, multiplied by at most 1, so that all steps count once; the gradients go through as many
 * steps again. Those of values of units are sums over steps and rows besides, of terms that may cancel to the root of their
 * number.
 */
const stepError = 2 * 40 * roundoff;

/** All results and all gradients of a weighted sum of them. */
function exampleOf(cell: ExampleCell, sizes: ExampleSizes): Example {
  const { varied, fixed } = exampleOperands(cell, sizes, noise);
  const { time, batch, units } = sizes;
  const weights = Object.fromEntries(
    Array.from({ length: cell.states }, (_, state) => [
      [`weight${state}`, noise([time, batch, units], 30 + state)],
      [`finalWeight${state}`, noise([batch, units], 40 + state)],
    ]).flat(),
  );
  const names = Object.keys(varied);
  const build = (values: Readonly<Record<string, Value>>) => {
    const { states, finalStates } = buildExample(cell, units, values);
    const weighed = (value: Value, weight: Value) =>
      reduceSum([value, weight], { axis: 'all', expression: (a, b) => a.mul(b) });
    const sums = states.flatMap((value, state) => [
      weighed(value, values[`weight${state}`]!),
      weighed(finalStates[state]!, values[`finalWeight${state}`]!),
    ]);
    const loss = map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
    const derived = gradients(
      loss,
      names.map((name) => values[name]!),
    );
    return {
      ...Object.fromEntries(states.map((value, state) => [`states${state}`, value])),
      ...Object.fromEntries(finalStates.map((value, state) => [`final${state}`, value])),
      ...Object.fromEntries(names.map((name, index) => [`gradient of ${name}`, derived[index]!])),
    };
  };
  const results = Array.from({ length: cell.states }, (_, state) => [`states${state}`, `final${state}`]).flat();
  const ofSum = ofLargest(stepError * time + sumError(time * batch) * Math.sqrt(time * batch));
  const tolerances = Object.fromEntries([
    ...results.map((name) => [name, ofLargest(stepError * time)] as const),
    ...names.map(
      (name) => [`gradient of ${name}`, name.includes('value') ? ofSum : ofLargest(stepError * time)] as const,
    ),
  ]);
  return { inputs: { ...varied, ...fixed, ...weights }, build, tolerances };
}

const extent = (max: number) => fc.integer({ min: 1, max });
const sizes = fc.record({
  time: extent(9),
  batch: extent(12),
  // Blocks within rows begin at 128 units.
  units: fc.oneof(extent(40), fc.constantFrom(127, 128, 129, 200, 520)),
  initial: fc.boolean(),
  keep: fc.constantFrom('none', 'number', 'rows', 'units' as const),
  lengths: fc.boolean(),
}) as fc.Arbitrary<ExampleSizes>;

describe.each(exampleCells)('$name', (cell) => {
  test('random shapes and operands', () => forExamples(sizes, (drawn) => exampleOf(cell, drawn), { runs: 20 }));
  test('more steps and rows than are summed at once', () =>
    expectAgreement(exampleOf(cell, { time: 300, batch: 2, units: 17, initial: true, keep: 'none', lengths: true })));
});

test('many rows: values of units are summed in chunks of rows', () =>
  expectAgreement(
    exampleOf(exampleCells[1]!, { time: 3, batch: 300, units: 5, initial: false, keep: 'none', lengths: false }),
  ));

const engines = [exact, native].flatMap((engine) => engine ?? []);
const halving = ({ sequences: [x], states: [h] }: RecurrenceStep) => x!.add(h!.mul(0.5));

describe.each(engines.map((engine) => [`${engine.name} ${engine.precision}`, engine] as const))('%s', (_, engine) => {
  const given = {
    x: tensor(Float32Array.of(8, 80, 4, Number.NaN, 2, Number.NaN), [3, 2, 1]),
    initial: tensor(Float32Array.of(16, 160), [2, 1]),
    lengths: tensor(Int32Array.of(3, 1), [2]),
    dStates: tensor(Float32Array.of(1, 10, 1, Number.NaN, 1, Number.NaN), [3, 2, 1]),
    dFinal: tensor(Float32Array.of(4, 40), [2, 1]),
  };
  const run = (values: Values) =>
    elementwiseRecurrence({
      input: values.x!,
      units: 1,
      initialStates: [values.initial],
      lengths: values.lengths,
      keep: values.keep,
      step: halving,
    });

  test('h = x + h / 2 of two rows by hand, of which one ends after its first step', async () => {
    const results = await evaluateGraph(engine, given, (values) => {
      const { states, finalStates } = run(values);
      return {
        states: states[0]!,
        final: finalStates[0]!,
        ...incomingGradients(
          [
            [states[0]!, values.dStates!],
            [finalStates[0]!, values.dFinal!],
          ],
          { x: values.x!, initial: values.initial! },
        ),
      };
    });
    // The second row: 160 becomes 80 + 80; nothing of its later steps, which are NaN, is looked at.
    expect([...results.states!.data]).toEqual([16, 160, 12, 0, 8, 0]);
    expect([...results.final!.data]).toEqual([8, 160]);
    expect([...results['gradient of x']!.data]).toEqual([2.75, 50, 3.5, 0, 5, 0]);
    expect([...results['gradient of initial']!.data]).toEqual([1.375, 25]);
  });

  test('a row without a step gives its initial state, and takes back what flows into it', async () => {
    const { dStates: _, ...others } = given;
    const empty = { ...others, lengths: tensor(Int32Array.of(3, 0), [2]) };
    const results = await evaluateGraph(engine, empty, (values) => {
      const { states, finalStates } = run(values);
      const pairs = [[finalStates[0]!, values.dFinal!] as const];
      return { states: states[0]!, final: finalStates[0]!, ...incomingGradients(pairs, { initial: values.initial! }) };
    });
    expect(results.states!.data[1]).toBe(0);
    expect([...results.final!.data]).toEqual([8, 160]);
    expect([...results['gradient of initial']!.data]).toEqual([0.5, 40]);
  });

  test('where the whole old state is kept, NaN in the step does not matter; of a half, half', async () => {
    const { lengths: _, dStates: __, ...full } = given;
    const kept = { ...full, keep: tensor(Float32Array.of(0, 0.5, 0.5, 1, 0, 1), [3, 2]) };
    const results = await evaluateGraph(engine, kept, (values) => {
      const { states, finalStates } = run(values);
      const pairs = [[finalStates[0]!, values.dFinal!] as const];
      return { states: states[0]!, ...incomingGradients(pairs, { x: values.x!, initial: values.initial! }) };
    });
    // 16 -> 16; 16 / 2 + (4 + 8) / 2 = 14; 2 + 7 = 9. 160 -> 160 / 2 + (80 + 80) / 2 = 160, and stays.
    expect([...results.states!.data]).toEqual([16, 160, 14, 160, 9, 160]);
    // Half of the old state and a quarter of it through the step: 3 / 4.
    expect([...results['gradient of x']!.data]).toEqual([1.5, 20, 1, 0, 4, 0]);
    expect([...results['gradient of initial']!.data]).toEqual([0.75, 30]);
  });

  test.each([
    ['the length -1 of row 1', [3, -1]],
    ['the length 4 of row 0', [4, 1]],
    ['row 1 is longer than the one before', [1, 3]],
  ])('%s: the step fails', async (sentence, lengths) => {
    const { x, initial } = given;
    const wrong = { x, initial, lengths: tensor(Int32Array.from(lengths), [2]) };
    const result = evaluateGraph(engine, wrong, (values) => ({ states: run(values).states[0]! }));
    await expect(result).rejects.toMatchObject({ code: 'out-of-range', message: expect.stringContaining(sentence) });
  });
});

test('operands that do not fit are refused, with what was expected', () => {
  const make = (changes: Partial<ElementwiseRecurrenceOptions>) => () =>
    elementwiseRecurrence({ input: input('x', [3, 2, 8], 'f32'), units: 4, step: halving, ...changes });
  const refusal = (message: string) =>
    expect.objectContaining({ code: 'invalid-shape', message: expect.stringContaining(message) });
  expect(make({})).not.toThrow();
  expect(make({ units: 3 })).toThrow(refusal('side by side, got [3, 2, 8]'));
  expect(make({ input: input('x', [3, 8], 'f32') })).toThrow(refusal('side by side, got [3, 8]'));
  expect(make({ states: 2 })).toThrow(refusal('2 states, but 1 results'));
  expect(make({ initialStates: [input('h', [2, 3], 'f32')] })).toThrow(refusal('expected f32 [2, 4]'));
  expect(make({ initialStates: [undefined, input('h', [2, 4], 'f32')] })).toThrow(refusal('no second state'));
  expect(make({ keep: input('keep', [2, 3], 'f32') })).toThrow(refusal('keep f32 [1], [3, 2], [3, 2, 4]'));
  expect(make({ lengths: input('lengths', [3], 'i32') })).toThrow(refusal('expected i32 [2]'));
  expect(make({ lengths: input('lengths', [2], 'f32') })).toThrow(refusal('expected i32 [2]'));
  expect(make({ perUnit: [input('u', [3], 'f32')] })).toThrow(refusal('expected f32 [4]'));
  expect(make({ perUnit: Array.from({ length: 30 }, () => input('u', [4], 'f32')) })).toThrow(refusal('at most 32'));
});
