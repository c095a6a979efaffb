/** New values of stored ones: in place or copied, after everyone who reads the old. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/compute/compiler.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { input, reshape, stored, type Value } from '../../../src/compute/graph.js';
import {
  embedding,
  finite,
  guardedMap,
  increment,
  map,
  matmul,
  pad,
  random,
  reduceSum,
} from '../../../src/compute/operations/index.js';
import { refusal } from '../engine/engines.js';
import { operationsOf, x } from './programs.js';

describe('assignments', () => {
  const p = stored('parameters', 0, [6], 'f32', 'p');
  const q = stored('parameters', 6, [6], 'f32', 'q');

  test('a guarded map under the condition of its own flag lies in place', () => {
    const { outputs, finite: flag } = guardedMap((a, b) => [a.add(b), b.mul(2)], p, q);
    const program = compile({
      name: 'guarded',
      outputs: { flag },
      assignments: [
        { target: p, value: outputs[0]!, when: flag },
        { target: q, value: outputs[1]!, when: flag },
      ],
    });
    expect(operationsOf(program)).toEqual(['map']);
    expect(program.instructions[0]!.outputs.slice(0, 2)).toEqual(program.instructions[0]!.inputs);
  });

  test('a condition of another kind is a copy', () => {
    const value = map((a) => a.mul(2), p);
    const program = compile({ name: 'when', outputs: {}, assignments: [{ target: p, value, when: finite([value]) }] });
    expect(operationsOf(program)).toEqual(['map', 'finite', 'assign']);
  });

  test('everyone who reads the old value comes first', () => {
    const next = map((a) => a.mul(2), p);
    const square = map((a, b) => a.mul(b), p, q);
    const program = compile({
      name: 'readers',
      outputs: { total: reduceSum(next, { axis: 'all' }), old: matmul(reshape(p, [1, 6]), reshape(square, [6, 1])) },
      assignments: [{ target: p, value: next }],
    });
    const writes = program.instructions.findIndex(({ outputs }) =>
      outputs.some((buffer) => program.buffers[buffer]?.arena === 'parameters'),
    );
    const reads = program.instructions.findIndex(({ operation }) => operation === 'matmul');
    expect(reads).toBeLessThan(writes);
  });

  test('where somebody needs the old value after the new one, the new one is copied', () => {
    const next = map((a) => a.tanh(), p);
    const both = map((a, b) => a.mul(b), p, softmaxLike(next));
    const program = compile({ name: 'late reader', outputs: { both }, assignments: [{ target: p, value: next }] });
    expect(operationsOf(program).at(-1)).toBe('assign');
  });

  const softmaxLike = (value: Value) => map((a, sum) => a.div(sum), value, reduceSum(value, { axis: 'all' }));

  test('two values change places', async () => {
    const program = compile({
      name: 'swap',
      outputs: {},
      assignments: [
        { target: p, value: q },
        { target: q, value: p },
      ],
    });
    const engine = createReferenceEngine({ precision: 'f32' });
    const [stream, parameters] = [engine.createStream(), engine.allocate(12)];
    await stream.write(
      parameters,
      0,
      Float32Array.from({ length: 12 }, (_, index) => index),
    );
    await stream.submit({ program: engine.load(program), memories: { parameters }, inputs: {} });
    const swapped = Array.from(await stream.read(parameters, 0, 12, 'f32'));
    expect(swapped).toEqual([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]);
  });

  test('an id outside its table fails the step before anything is written', async () => {
    const [table, count] = [stored('parameters', 0, [3, 2], 'f32', 'table'), stored('state', 0, [1], 'i32', 'count')];
    // The old values have been read before the rows are looked up, and what is between needs memory: nothing else would
    // keep the writes back.
    const noise = random(count, [3, 2], { seed: 1, purpose: 1, kind: 'uniform' });
    const rows = embedding(input('ids', [2], 'i32'), pad(noise, { axis: 0, start: 1, extent: 6 }));
    const program = compile({
      name: 'late failure',
      outputs: { rows },
      assignments: [
        { target: count, value: increment(count, 1) },
        { target: table, value: map((a) => a.add(1), table) },
      ],
    });
    const engine = createReferenceEngine({ precision: 'f32' });
    const [stream, parameters, state] = [engine.createStream(), engine.allocate(6), engine.allocate(1)];
    const memories = { parameters, state };
    const step = stream.submit({ program: engine.load(program), memories, inputs: { ids: Int32Array.of(0, 7) } });
    await expect(step).rejects.toEqual(refusal('out-of-range', /id 7 at position 1 lies outside of 0 to 5/));
    expect(await stream.read(parameters, 0, 6, 'f32')).toEqual(new Float32Array(6));
    expect(await stream.read(state, 0, 1, 'i32')).toEqual(Int32Array.of(0));
  });

  test('are refused where they cannot mean anything', () => {
    const attempt = (target: Value, value: Value, more: { target: Value; value: Value }[] = []) => {
      return () => compile({ name: 'refused', outputs: {}, assignments: [{ target, value }, ...more] });
    };
    expect(attempt(x, x)).toThrow(refusal('invalid-argument', /assignment 0 has a target that is not a stored value/));
    expect(attempt(p, x)).toThrow(refusal('invalid-shape', /assignment to 'p' expected f32 \[6\], got f32 \[4, 3\]/));
    const half = stored('parameters', 3, [6], 'f32', 'half');
    expect(attempt(p, q, [{ target: half, value: q }])).toThrow(
      refusal('invalid-argument', /'half' and 'p' share memory/),
    );
  });
});
