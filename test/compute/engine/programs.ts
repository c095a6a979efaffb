/** Small programs written by hand: what the engine tests run without needing the compiler. */
import {
  type Arena,
  arenas,
  type BufferSpecification,
  type Instruction,
  type Loop,
  type Port,
  type Program,
} from '../../../src/compute/program.js';
import { elementCount } from '../../../src/compute/tensor.js';

interface Parts {
  readonly name?: string;
  readonly buffers: readonly BufferSpecification[];
  readonly instructions: readonly Instruction[];
  readonly loops?: readonly Loop[];
  readonly inputs?: readonly Port[];
  readonly outputs?: readonly Port[];
}

/** A program whose arenas are as large as its buffers reach. */
export function programOf({ name = 'test', buffers, instructions, loops, inputs = [], outputs = [] }: Parts): Program {
  const sizes = Object.fromEntries(arenas.map((arena) => [arena, 0])) as Record<Arena, number>;
  for (const { arena, offset, shape } of buffers) sizes[arena] = Math.max(sizes[arena], offset + elementCount(shape));
  const cost = { flops: 0, bytes: 0, scratchWithoutReuse: 0 };
  const names = buffers.map((_, index) => `%${index}`);
  return { name, buffers, instructions, ...(loops ? { loops } : {}), inputs, outputs, sizes, cost, names };
}

export const buffer = (
  arena: Arena,
  shape: readonly number[],
  offset = 0,
  dtype: BufferSpecification['dtype'] = 'f32',
): BufferSpecification => ({ arena, offset, shape, dtype });

export const instruction = (
  operation: string,
  inputs: readonly number[],
  outputs: readonly number[],
  attributes: Readonly<Record<string, unknown>> = {},
  words: readonly number[] = [],
): Instruction => ({ operation, inputs, outputs, attributes, words });

const plain = { transposeA: false, transposeB: false };

/** y [m, n] = x [m, k] · weights [k, n] in `parameters`. */
export const product = (m: number, k: number, n: number): Program =>
  programOf({
    name: 'product',
    buffers: [buffer('input', [m, k]), buffer('parameters', [k, n]), buffer('output', [m, n])],
    instructions: [instruction('matmul', [0, 1, -1], [2], plain, [0, 0])],
    inputs: [{ name: 'x', buffer: 0 }],
    outputs: [{ name: 'y', buffer: 2 }],
  });

/** A counter in `state` moved on by one, and its value. */
export const counter = (): Program =>
  programOf({
    name: 'counter',
    buffers: [buffer('state', [1], 0, 'i32'), buffer('output', [1], 0, 'i32')],
    instructions: [instruction('increment', [0], [1], { by: 1 }, [1]), instruction('assign', [1, -1], [0])],
    outputs: [{ name: 'count', buffer: 1 }],
  });

/** Pairs of `x` [6] in the opposite order: a loop over buffers that move towards each other. */
export const running = (): Program =>
  programOf({
    name: 'running',
    buffers: [
      { ...buffer('input', [2]), strides: [{ loop: 0, elements: 2 }] },
      buffer('input', [6]),
      { ...buffer('output', [2], 4), strides: [{ loop: 0, elements: -2 }] },
      buffer('output', [6]),
    ],
    instructions: [instruction('assign', [0, -1], [2])],
    loops: [{ first: 0, end: 1, count: 3 }],
    inputs: [{ name: 'x', buffer: 1 }],
    outputs: [{ name: 'y', buffer: 3 }],
  });

/** Rows of a table in `parameters`; `limit` is what the port says of its ids. */
export const lookup = (ids: readonly number[], rows: number, width: number, limit?: number): Program =>
  programOf({
    name: 'lookup',
    buffers: [buffer('input', ids, 0, 'i32'), buffer('parameters', [rows, width]), buffer('output', [...ids, width])],
    instructions: [instruction('embedding', [0, 1], [2])],
    inputs: [{ name: 'ids', buffer: 0, ...(limit === undefined ? {} : { limit }) }],
    outputs: [{ name: 'y', buffer: 2 }],
  });

/** `size` cubed multiply-adds `count` times over, then a counter in `state`: something to wait for. */
export const heavy = (size: number, count: number): Program =>
  programOf({
    name: 'heavy',
    buffers: [
      buffer('parameters', [size, size]),
      buffer('scratch', [size, size]),
      buffer('state', [1], 0, 'i32'),
      buffer('output', [1], 0, 'i32'),
    ],
    instructions: [
      ...Array.from({ length: count }, () => instruction('matmul', [0, 0, -1], [1], plain, [0, 0])),
      instruction('increment', [2], [3], { by: 1 }, [1]),
      instruction('assign', [3, -1], [2]),
    ],
    outputs: [{ name: 'count', buffer: 3 }],
  });
