/** The fused cells on typed arrays: against the reference, at once and off the event loop, with any number of threads. */
import { describe, expect, test } from 'vitest';
import {
  gruBackward,
  gruBackwardAsync,
  gruForward,
  gruForwardAsync,
  type KernelOptions,
  type LstmForward,
  lstmBackward,
  lstmBackwardAsync,
  lstmForward,
  lstmForwardAsync,
  rnnBackward,
  rnnBackwardAsync,
  rnnForward,
  rnnForwardAsync,
} from '../../src/kernels/index.js';
import { argumentsOf, type Case, extents, numbers, reference } from './cases.js';

// The tests fill in what each cell has; the types of the functions are for people.
type Kernel = (values: never, options?: KernelOptions) => unknown;
const call = (kernel: Kernel, values: object, options?: KernelOptions) => kernel(values as never, options);

const cases: readonly (readonly [string, Case, Kernel, Kernel, Kernel, Kernel])[] = [
  ['simple RNN', { cell: 'simple', resetAfter: false }, rnnForward, rnnBackward, rnnForwardAsync, rnnBackwardAsync],
  ['LSTM', { cell: 'lstm', resetAfter: false }, lstmForward, lstmBackward, lstmForwardAsync, lstmBackwardAsync],
  ['GRU', { cell: 'gru', resetAfter: false }, gruForward, gruBackward, gruForwardAsync, gruBackwardAsync],
  ['GRU, reset after', { cell: 'gru', resetAfter: true }, gruForward, gruBackward, gruForwardAsync, gruBackwardAsync],
];

const bytes = (arrays: object) => Object.values(arrays).map((array: Float32Array) => Buffer.from(array.buffer));

describe.each(cases)('%s', (_, which, forward, backward, forwardAsync, backwardAsync) => {
  const runAtOnce = (threads: number) => {
    const { shared, results, gradients, filled } = argumentsOf(which);
    call(forward, { ...shared, ...results }, { threads });
    const { output, tape } = results;
    call(backward, { ...shared, output, tape, ...gradients, ...filled }, { threads });
    const { tape: _overwritten, ...kept } = results;
    return { ...kept, ...filled };
  };

  test('forward and backward agree with the reference', () => {
    const results = runAtOnce(1);
    const answers = reference(which, argumentsOf(which));
    expect([...answers.keys()].sort()).toEqual(Object.keys(results).sort());
    // A pre-activation sums inputs + units + 2 terms, a gradient those of all steps and rows: each with one rounding
    // (2^-24), and functions good to a few more; errors pass through at most `time` steps.
    const terms = (extents.inputs + extents.units + 2) * extents.batch;
    const bound = 8 * extents.time * terms * 2 ** -24;
    for (const [name, array] of Object.entries(results)) {
      const answer = answers.get(name)!;
      const largest = answer.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest, name).toBeGreaterThan(0);
      const worst = array.reduce((most, value, index) => Math.max(most, Math.abs(value - answer[index]!)), 0);
      expect(worst / largest, name).toBeLessThan(bound);
    }
  });

  test('the same bits for 1, 2 and 3 threads, and off the event loop', async () => {
    const expected = bytes(runAtOnce(1));
    expect(bytes(runAtOnce(2))).toEqual(expected);
    expect(bytes(runAtOnce(3))).toEqual(expected);
    const { shared, results, gradients, filled } = argumentsOf(which);
    const running = call(forwardAsync, { ...shared, ...results }, { threads: 2 }) as Promise<void>;
    await running;
    const { output, tape } = results;
    const taped = tape.slice();
    await (call(backwardAsync, { ...shared, output, tape, ...gradients, ...filled }, { threads: 2 }) as Promise<void>);
    expect(tape).toEqual(taped);
    const { tape: _kept, ...kept } = results;
    expect(bytes({ ...kept, ...filled })).toEqual(expected);
  });

  test('ids stand for one-hot vectors', () => {
    const { shared, results } = argumentsOf(which);
    const { time, batch, inputs } = extents;
    const ids = Int32Array.from({ length: time * batch }, (_, index) => (index * 5) % inputs);
    const oneHot = new Float32Array(time * batch * inputs);
    for (const [index, id] of ids.entries()) oneHot[index * inputs + id] = 1;
    call(forward, { ...shared, ...results, input: oneHot });
    const expected = results.output.slice();
    call(forward, { ...shared, ...results, input: ids });
    expect(results.output).toEqual(expected);
  });

  test('a sequence in two halves, with the state carried, is the sequence', () => {
    const { shared, results } = argumentsOf(which);
    call(forward, { ...shared, ...results });
    const whole = results.output.slice();
    const { time, batch, inputs, units } = extents;
    const half = (from: number, to: number, states: object) => {
      const part = { time: to - from, input: shared.input.slice(from * batch * inputs, to * batch * inputs) };
      const output = new Float32Array((to - from) * batch * units);
      const finalHidden = new Float32Array(batch * units);
      const finalCell = which.cell === 'lstm' ? { finalCell: new Float32Array(batch * units) } : {};
      call(forward, { ...shared, ...states, ...part, output, finalHidden, ...finalCell });
      return { output, finalHidden, ...finalCell };
    };
    const first = half(0, 2, {});
    const states = {
      initialHidden: first.finalHidden,
      ...('finalCell' in first ? { initialCell: first.finalCell } : {}),
    };
    const second = half(2, time, states);
    expect(Float32Array.of(...first.output, ...second.output)).toEqual(whole);
  });
});

test('other activations: a simple RNN with the identity is linear', () => {
  const input = Float32Array.of(1, 2, 3);
  const output = new Float32Array(3);
  const extent = { time: 3, batch: 1, inputs: 1, units: 1 };
  const weights = { kernel: Float32Array.of(2), recurrentKernel: Float32Array.of(0.5) };
  rnnForward({ ...extent, input, ...weights, output, activation: 'identity' });
  expect(Array.from(output)).toEqual([2, 5, 8.5]);
});

test('asynchronous calls copy their inputs at once and run first in, first out', async () => {
  const { shared, results } = argumentsOf({ cell: 'lstm', resetAfter: false });
  lstmForward({ ...shared, ...results } as LstmForward);
  const expected = results.output.slice();
  const order: number[] = [];
  const outputs = Array.from({ length: 5 }, () => new Float32Array(expected.length));
  const input = shared.input.slice();
  const running = outputs.map((output, index) =>
    lstmForwardAsync({ ...shared, input, output }, { threads: 1 }).then(() => order.push(index)),
  );
  input.fill(0);
  expect(outputs[0]!.every((value) => value === 0)).toBe(true);
  await Promise.all(running);
  for (const output of outputs) expect(output).toEqual(expected);
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test('any number of shapes and of threads may be used', async () => {
  for (let units = 1; units <= 100; units++) {
    const extent = { time: 1, batch: 1, inputs: 1, units };
    const weights = { kernel: numbers(units, 1), recurrentKernel: numbers(units * units, 2) };
    const output = new Float32Array(units);
    rnnForward({ ...extent, input: Float32Array.of(1), ...weights, output });
    expect(output[units - 1]).not.toBe(0);
  }
  for (let threads = 1; threads <= 8; threads++) {
    const extent = { time: 1, batch: 1, inputs: 1, units: 1 };
    const one = Float32Array.of(1);
    const output = new Float32Array(1);
    await rnnForwardAsync({ ...extent, input: one, kernel: one, recurrentKernel: one, output }, { threads });
    expect(output[0]).toBeCloseTo(Math.tanh(1), 6);
  }
});
