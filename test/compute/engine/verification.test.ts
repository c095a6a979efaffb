/** Programs that would read or write what they must not are refused by both engines. */
import { describe, expect, test } from 'vitest';
import { engines, refusal } from './engines.js';
import { buffer, instruction, programOf } from './programs.js';

const plain = { transposeA: false, transposeB: false };
const product = (outputs: readonly number[], inputs: readonly number[] = [0, 1, -1]) =>
  instruction('matmul', inputs, outputs, plain, [0, 0]);
const buffers = [buffer('parameters', [2, 2]), buffer('parameters', [2, 2], 4), buffer('scratch', [2, 2])];

describe.each(engines)('%s engine', (_, create) => {
  const engine = create();
  const refused = (parts: Parameters<typeof programOf>[0], reason = /./) => {
    expect(() => engine.load(programOf(parts))).toThrow(refusal('invalid-program', reason));
  };

  test('takes a program without faults', () => {
    engine.load(programOf({ buffers, instructions: [product([2])] })).dispose();
  });

  test('a buffer that reaches outside of its arena', () => {
    const program = programOf({ buffers, instructions: [] });
    const small = { ...program, sizes: { ...program.sizes, parameters: 7 } };
    expect(() => engine.load(small)).toThrow(refusal('invalid-program', /buffer 1/));
  });

  test('an operation that does not exist', () =>
    refused({ buffers, instructions: [product([2]), instruction('matmult', [0], [2])] }, /matmult/));

  test('a buffer that does not exist', () => refused({ buffers, instructions: [product([3])] }, /instruction 0/));

  test('shapes that do not fit', () => {
    const wide = buffer('parameters', [3, 2], 8);
    refused({ buffers: [...buffers, wide], instructions: [product([2], [0, 3, -1])] }, /instruction 0.*matmul/);
    refused({ buffers: [...buffers, wide], instructions: [product([3])] }, /instruction 0/);
  });

  test('a result that overlaps an operand', () => {
    refused({ buffers, instructions: [product([0])] }, /instruction 0/);
    const shifted = buffer('parameters', [2, 2], 6);
    refused({ buffers: [...buffers, shifted], instructions: [product([3])] }, /instruction 0/);
  });

  test('a result among the inputs', () =>
    refused({ buffers: [...buffers, buffer('input', [2, 2])], instructions: [product([3])] }, /instruction 0/));

  test('a port without a buffer', () =>
    refused({ buffers, instructions: [], outputs: [{ name: 'y', buffer: 9 }] }, /'y'|output 0|port/));
});
