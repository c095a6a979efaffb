/** What the compiler refuses, and what its programs look like. */
import { describe, expect, test } from 'vitest';
import { compile, printProgram } from '../../../src/compute/compiler.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import type { Expression } from '../../../src/compute/expression.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, stored } from '../../../src/compute/graph.js';
import { map, matmul, recurrent, reduceSum, softmaxCrossEntropy } from '../../../src/compute/operations/index.js';
import type { Program } from '../../../src/compute/program.js';
import { refusal } from '../engine/engines.js';
import { kernel, x, y } from './programs.js';

describe('refusals', () => {
  test('a tensor of 2^31 elements, before anything is allocated', () => {
    const wide = input('wide', [65536, 1], 'f32');
    expect(() => matmul(wide, input('row', [1, 65536], 'f32'))).toThrow(
      refusal('out-of-memory', /matmul: a tensor \[65536, 65536\] would take 16\.0 GiB/),
    );
  });

  test('arenas of 2^31 elements', () => {
    const big = [0, 1, 2].map((n) => input(`x${n}`, [2 ** 15, 2 ** 15], 'f32'));
    expect(() => compile({ name: 'large', outputs: { sum: map((a, b, c) => a.add(b).add(c), ...big) } })).toThrow(
      refusal('out-of-memory', /program 'large' needs 12\.0 GiB of input memory/),
    );
  });

  test('two inputs of one name', () => {
    const other = input('x', [3, 3], 'f32');
    expect(() => compile({ name: 'names', outputs: { y: matmul(x, other) } })).toThrow(
      refusal('invalid-argument', /two inputs that differ are both named 'x'/),
    );
  });

  test('gradients taken twice of one recurrent operation', () => {
    const tanh = { kind: 2, expression: (p: Expression) => p.tanh() } as const;
    const w = stored('parameters', 0, [3, 3], 'f32', 'w');
    const { output } = recurrent({
      cell: 'simple',
      input: input('sequence', [5, 2, 3], 'f32'),
      kernel: w,
      recurrentKernel: stored('parameters', 9, [3, 3], 'f32', 'u'),
      gateActivation: tanh,
      activation: tanh,
      training: true,
    });
    const [first] = gradients(reduceSum(output, { axis: 'all' }), [w]);
    const [second] = gradients(
      reduceSum(
        map((a) => a.square(), output),
        { axis: 'all' },
      ),
      [w],
    );
    expect(() => compile({ name: 'twice', outputs: { first: first!, second: second! } })).toThrow(
      refusal('invalid-argument', /gradients of one recurrent operation were taken twice/),
    );
  });
});

test('a printed program can be read', () => {
  const targets = input('targets', [4], 'i32', { limit: 3 });
  const loss = softmaxCrossEntropy(matmul(x, kernel), targets, { scale: 0.25 });
  const [gradient] = gradients(loss, [kernel]);
  const program = compile({
    name: 'step',
    outputs: { loss },
    assignments: [{ target: kernel, value: map((w, g) => w.sub(g.mul(0.1)), kernel, gradient!) }],
  });
  expect(printProgram(program)).toBe(
    [
      'step   4 instructions   234 FLOP   scratch 128 B of 192 B without reuse',
      '0  matmul               %0 [4,3]       x, kernel',
      '1  softmaxCrossEntropy  loss %1 [4,3]  %0, targets',
      '2  matmul               %2 [3,3]       x, %1',
      '3  map                  kernel [3,3]   kernel, %2',
    ].join('\n'),
  );
});

test('a program is plain data: it survives being written down', async () => {
  const program = compile({ name: 'plain', outputs: { y: map((a, b) => a.mul(b).tanh(), x, y) } });
  const again = JSON.parse(JSON.stringify(program)) as Program;
  const engine = createReferenceEngine({ precision: 'f64' });
  const stream = engine.createStream();
  const inputs = { x: Float64Array.from({ length: 12 }, Math.sin), y: Float64Array.from({ length: 12 }, Math.cos) };
  const [first, second] = await Promise.all(
    [program, again].map((each) => stream.submit({ program: engine.load(each), memories: {}, inputs })),
  );
  expect(second).toEqual(first);
});
