/** Fewer instructions: what is fused, merged, left out and taken together. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/compute/compiler.js';
import type { Expression } from '../../../src/compute/expression.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, stored } from '../../../src/compute/graph.js';
import { embedding, map, matmul, oneHot, recurrent, reduceSum } from '../../../src/compute/operations/index.js';
import { kernel, operationsOf, x, y } from './programs.js';

describe('fusion', () => {
  test('a chain of maps and the reduction at its end are one instruction', () => {
    const a = map((p, q) => p.add(q), x, y);
    const b = map((p) => p.tanh(), a);
    const program = compile({
      name: 'chain',
      outputs: {
        sum: reduceSum(
          map((p) => p.square(), b),
          { axis: 'all' },
        ),
      },
    });
    expect(operationsOf(program)).toEqual(['reduce']);
    expect(program.sizes.scratch).toBe(0);
  });

  test('what two instructions read is stored once', () => {
    const a = map((p) => p.tanh(), x);
    const program = compile({
      name: 'shared',
      outputs: { product: matmul(a, kernel), twice: map((p) => p.mul(2), a) },
    });
    expect(operationsOf(program).sort()).toEqual(['map', 'map', 'matmul']);
  });

  test('one number is taken along, a row is not computed anew for each row', () => {
    const [rate, row] = [input('rate', [1], 'f32'), input('row', [3], 'f32')];
    const scaled = map(
      (p, r) => p.mul(r),
      x,
      map((r) => r.exp(), rate),
    );
    expect(operationsOf(compile({ name: 'number', outputs: { scaled } }))).toEqual(['map']);
    const shifted = map(
      (p, r) => p.add(r),
      x,
      map((r) => r.exp(), row),
    );
    expect(operationsOf(compile({ name: 'row', outputs: { shifted } }))).toEqual(['map', 'map']);
  });

  test('known numbers vanish: the gradient of a sum is no instruction before its use', () => {
    const loss = reduceSum(
      map((p, q) => p.mul(q), x, y),
      { axis: 'all', scale: 0.5 },
    );
    const [dx] = gradients(loss, [x]);
    const program = compile({ name: 'gradient', outputs: { dx: dx! } });
    expect(operationsOf(program)).toEqual(['map']);
    expect(program.inputs.map(({ name }) => name)).toEqual(['y']);
  });
});

describe('simplification', () => {
  test('equal nodes are computed once', () => {
    const once = matmul(x, kernel);
    const again = matmul(x, stored('parameters', 0, [3, 3], 'f32', 'the same place'));
    const program = compile({ name: 'equal', outputs: { sum: map((p, q) => p.add(q), once, again) } });
    expect(operationsOf(program)).toEqual(['matmul', 'map']);
  });

  test('what nothing reads is not computed, and optional results are left out', () => {
    const sigmoid = { kind: 1, expression: (p: Expression) => p.sigmoid() } as const;
    const { output } = recurrent({
      cell: 'lstm',
      input: input('sequence', [5, 2, 3], 'f32'),
      kernel: stored('parameters', 0, [3, 16], 'f32', 'kernel'),
      recurrentKernel: stored('parameters', 48, [4, 16], 'f32', 'recurrentKernel'),
      gateActivation: sigmoid,
      activation: sigmoid,
      training: true,
    });
    matmul(x, kernel);
    const program = compile({ name: 'inference', outputs: { output } });
    expect(operationsOf(program)).toEqual(['recurrent']);
    expect(program.instructions[0]!.outputs.slice(1)).toEqual([-1, -1, -1]);
    expect(program.sizes.scratch).toBe(0);
  });

  test('a one-hot input is never made', () => {
    const ids = input('ids', [5], 'i32', { limit: 3 });
    const program = compile({ name: 'one-hot', outputs: { y: matmul(oneHot(ids, 3), kernel) } });
    expect(operationsOf(program)).toEqual(['embedding']);
    expect(program.inputs).toEqual([{ name: 'ids', buffer: 0, limit: 3 }]);
  });
});

describe('an embedding in front of a recurrent layer', () => {
  const table = stored('parameters', 0, [6, 3], 'f32', 'table');
  const layerOn = (time: number, training = true) =>
    recurrent({
      cell: 'simple',
      input: embedding(input('ids', [time, 2], 'i32', { limit: 6 }), table),
      kernel: stored('parameters', 18, [3, 4], 'f32', 'kernel'),
      recurrentKernel: stored('parameters', 30, [4, 4], 'f32', 'recurrentKernel'),
      gateActivation: { kind: 1, expression: (p) => p.sigmoid() },
      activation: { kind: 2, expression: (p) => p.tanh() },
      training,
    }).output;

  test('of no more rows than the sequence is multiplied by the kernel as a whole for training', () => {
    const program = compile({ name: 'few rows', outputs: { y: layerOn(3) } });
    expect(operationsOf(program)).toEqual(['matmul', 'recurrent']);
    expect(program.names[program.instructions[1]!.inputs[0]!]).toBe('ids');
  });

  test('of more rows is looked up', () => {
    expect(operationsOf(compile({ name: 'many rows', outputs: { y: layerOn(2) } }))).toEqual([
      'embedding',
      'recurrent',
    ]);
  });
});
