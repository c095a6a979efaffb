/** Values that the compiler's tests share, and what they look at. */
import { input, stored } from '../../../src/compute/graph.js';
import type { BufferSpecification, Program } from '../../../src/compute/program.js';

export const x = input('x', [4, 3], 'f32');
export const y = input('y', [4, 3], 'f32');
export const kernel = stored('parameters', 0, [3, 3], 'f32', 'kernel');

/** The names of a program's instructions, in order. */
export const operationsOf = (program: Program): string[] => program.instructions.map(({ operation }) => operation);

/** The buffers that the instructions of one operation read or write. */
export const placesOf = (
  program: Program,
  operation: string,
  operands: 'inputs' | 'outputs',
): (BufferSpecification | undefined)[][] =>
  program.instructions
    .filter((instruction) => instruction.operation === operation)
    .map((instruction) => instruction[operands].map((buffer) => program.buffers[buffer]));
