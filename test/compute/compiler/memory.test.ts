/** Where values lie, and how little memory they take. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/compute/compiler.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, reshape, stored, type Value } from '../../../src/compute/graph.js';
import { concatenate, map, matmul, reduceSum, slice } from '../../../src/compute/operations/index.js';
import { elementCount } from '../../../src/compute/tensor.js';
import { kernel, operationsOf, placesOf, x } from './programs.js';

describe('memory', () => {
  test('views cost nothing: reshape, and slices along the first axis', () => {
    const last = reshape(slice(x, { axis: 0, start: 3, length: 1 }), [3, 1]);
    const program = compile({ name: 'views', outputs: { y: matmul(last, input('w', [1, 2], 'f32')) } });
    expect(operationsOf(program)).toEqual(['matmul']);
    expect(program.buffers[program.instructions[0]!.inputs[0]!]).toMatchObject({
      arena: 'input',
      offset: 9,
      shape: [3, 1],
    });
  });

  test('a long chain of products needs the memory of two', () => {
    const chain = Array.from({ length: 20 }).reduce<Value>((value) => matmul(value, kernel), x);
    const program = compile({ name: 'chain', outputs: { chain } });
    expect(program.sizes.scratch).toBe(2 * 16);
    expect(program.cost.scratchWithoutReuse).toBe(19 * 16);
  });

  test('a map takes the place of what it reads last', () => {
    const a = matmul(x, kernel);
    const program = compile({
      name: 'in place',
      outputs: {
        y: matmul(
          map((p) => p.tanh(), a),
          kernel,
        ),
      },
    });
    expect(program.sizes.scratch).toBe(16);
    const [[read]] = placesOf(program, 'map', 'inputs') as [[unknown]];
    const [[made]] = placesOf(program, 'map', 'outputs') as [[unknown]];
    expect(made).toEqual(read);
  });

  test('scratch buffers begin at multiples of 64 bytes', () => {
    const parts = [1, 2, 3].map((n) => matmul(input(`a${n}`, [n, 3], 'f32'), kernel));
    const products = parts.map((part) => matmul(part, kernel));
    const program = compile({ name: 'aligned', outputs: Object.fromEntries(products.map((p, n) => [`p${n}`, p])) });
    for (const { arena, offset } of program.buffers) {
      if (arena === 'scratch' || arena === 'output' || arena === 'input') expect(offset % 16).toBe(0);
    }
  });

  test('gradients are made where they belong in the flat gradient: nothing is copied', () => {
    const shapes = [[3, 4], [4], [4, 2], [2]];
    let offset = 0;
    const parameters = shapes.map((shape, index) => {
      const value = stored('parameters', offset, shape, 'f32', `p${index}`);
      offset += elementCount(shape);
      return value;
    });
    const [w, b, v, c] = parameters as [Value, Value, Value, Value];
    const hidden = map((p) => p.tanh(), matmul(x, w, { bias: b }));
    const loss = reduceSum(matmul(hidden, v, { bias: c }), { axis: 'all', expression: (p) => p.square() });
    const parts = gradients(loss, parameters).map((part) => reshape(part, [elementCount(part.shape)]));
    const flat = concatenate(parts, 0);
    const all = stored('parameters', 0, [offset], 'f32', 'all');
    const program = compile({
      name: 'step',
      outputs: { loss },
      assignments: [{ target: all, value: map((p, g) => p.sub(g.mul(0.1)), all, flat) }],
    });
    expect(operationsOf(program)).not.toContain('concatenate');
    expect(operationsOf(program)).not.toContain('assign');
    const update = program.instructions.at(-1)!;
    const gradient = program.buffers[update.inputs[1]!]!;
    expect(gradient.shape).toEqual([offset]);
    expect(program.buffers[update.outputs[0]!]).toEqual(program.buffers[update.inputs[0]!]);
    // Each parameter's gradient lies as far into it as the parameter into the parameters.
    const starts = program.instructions
      .flatMap(({ outputs }) => outputs)
      .map((buffer) => program.buffers[buffer]!)
      .filter((made) => made.arena === gradient.arena && made.offset >= gradient.offset)
      .map((made) => made.offset - gradient.offset);
    expect(starts).toEqual(expect.arrayContaining([0, 12, 16, 24]));
  });

  test('a value joined twice, and a stored one, are copied', () => {
    const a = matmul(x, kernel);
    const program = compile({ name: 'joined', outputs: { y: concatenate([a, kernel, a], 0) } });
    expect(operationsOf(program).sort()).toEqual(['assign', 'assign', 'matmul']);
  });
});
