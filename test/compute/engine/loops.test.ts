/** Loops in programs: what both engines run, and what both refuse. */
import { describe, expect, test } from 'vitest';
import type { Engine } from '../../../src/compute/engine/engine.js';
import type { BufferSpecification, Loop, Program } from '../../../src/compute/program.js';
import { engines, refusal } from './engines.js';
import { buffer, instruction, programOf, running } from './programs.js';

const assign = (from: number, to: number) => instruction('assign', [from, -1], [to]);
const moving = (of: BufferSpecification, ...strides: [loop: number, elements: number][]): BufferSpecification => ({
  ...of,
  strides: strides.map(([loop, elements]) => ({ loop, elements })),
});

async function run(engine: Engine, program: Program, x: Float32Array) {
  const stream = engine.createStream();
  const { y } = await stream.submit({ program: engine.load(program), memories: {}, inputs: { x } });
  await stream.close();
  return [...y!.data];
}

/** One `assign` from `from` to `to`, in these loops. */
const copying = (from: BufferSpecification, to: BufferSpecification, loops: readonly Loop[]): Program => ({
  ...programOf({ buffers: [from, to], instructions: [assign(0, 1)], loops }),
  sizes: { parameters: 0, updater: 0, state: 0, scratch: 12, input: 12, output: 12 },
});
const thrice = [{ first: 0, end: 1, count: 3 }];

describe.each(engines)('%s', (_, make) => {
  const engine = make();

  test('buffers move with the loop, forwards and backwards', async () => {
    expect(await run(engine, running(), Float32Array.of(1, 2, 3, 4, 5, 6))).toEqual([5, 6, 3, 4, 1, 2]);
  });

  test('loops in loops: a matrix is transposed element by element', async () => {
    const program = programOf({
      buffers: [
        moving(buffer('input', [1]), [0, 3], [1, 1]),
        moving(buffer('output', [1]), [0, 1], [1, 2]),
        buffer('input', [6]),
        buffer('output', [6]),
      ],
      instructions: [assign(0, 1)],
      loops: [
        { first: 0, end: 1, count: 2 },
        { first: 0, end: 1, count: 3 },
      ],
      inputs: [{ name: 'x', buffer: 2 }],
      outputs: [{ name: 'y', buffer: 3 }],
    });
    expect(await run(engine, program, Float32Array.of(1, 2, 3, 4, 5, 6))).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('what one iteration wrote is read by the next', async () => {
    const program = programOf({
      buffers: [
        moving(buffer('output', [1]), [0, 1]),
        moving(buffer('output', [1], 1), [0, 1]),
        buffer('output', [1]),
        buffer('input', [1]),
        buffer('output', [5]),
      ],
      instructions: [assign(3, 2), assign(0, 1)],
      loops: [{ first: 1, end: 2, count: 4 }],
      inputs: [{ name: 'x', buffer: 3 }],
      outputs: [{ name: 'y', buffer: 4 }],
    });
    expect(await run(engine, program, Float32Array.of(7))).toEqual([7, 7, 7, 7, 7]);
  });

  test('weights that a loop changes are packed again in each of its iterations', async () => {
    // y(t) = x · w, then w = y(t): powers of a number.
    const program = programOf({
      buffers: [
        buffer('input', [1, 1]),
        buffer('scratch', [1, 1]),
        moving(buffer('output', [1, 1]), [0, 1]),
        buffer('output', [4, 1]),
      ],
      instructions: [
        assign(0, 1),
        instruction('matmul', [0, 1, -1], [2], { transposeA: false, transposeB: false }, [0, 0]),
        assign(2, 1),
      ],
      loops: [{ first: 1, end: 3, count: 4 }],
      inputs: [{ name: 'x', buffer: 0 }],
      outputs: [{ name: 'y', buffer: 3 }],
    });
    expect(await run(engine, program, Float32Array.of(3))).toEqual([9, 27, 81, 243]);
  });

  const from = buffer('input', [2]);
  const to = buffer('output', [2]);
  test.each<[what: string, program: Program, reason: RegExp]>([
    ['an end behind the last instruction', copying(from, to, [{ first: 0, end: 2, count: 3 }]), /loop 0 runs from/],
    ['no instruction', copying(from, to, [{ first: 0, end: 0, count: 3 }]), /loop 0 runs from/],
    ['a negative beginning', copying(from, to, [{ first: -1, end: 1, count: 3 }]), /loop 0 runs from/],
    ['no iteration', copying(from, to, [{ first: 0, end: 1, count: 0 }]), /runs 0 times/],
    [
      'more iterations than can be counted',
      copying(from, to, [
        { first: 0, end: 1, count: 65536 },
        { first: 0, end: 1, count: 32768 },
      ]),
      /loop 1 would run 2147483648 times/,
    ],
    [
      'too many loops in each other',
      copying(
        from,
        to,
        Array.from({ length: 9 }, () => thrice[0]!),
      ),
      /more than 7/,
    ],
    ['a buffer that leaves its arena', copying(moving(from, [0, 6]), to, thrice), /buffer 0/],
    ['a buffer that leaves it downwards', copying(from, moving(to, [0, -1]), thrice), /buffer 1/],
    ['a stride whose product overflows', copying(moving(from, [0, 2 ** 31 - 1]), to, thrice), /buffer 0/],
    [
      'strides that only together stay inside',
      copying(moving(from, [0, 2 ** 30], [1, -(2 ** 30)]), to, [...thrice, ...thrice]),
      /buffer 0/,
    ],
    ['a loop that there is not', copying(moving(from, [1, 2]), to, thrice), /loop 1, which is none/],
    ['a stride twice', copying(moving(from, [0, 1], [0, 1]), to, thrice), /do not stand in order/],
    [
      'an output that runs into an input',
      copying(moving(buffer('scratch', [2]), [0, 2]), buffer('scratch', [2], 4), thrice),
      /overlaps input 0/,
    ],
  ])('refuses %s', (_, program, reason) => {
    expect(() => engine.load(program)).toThrow(refusal('invalid-program', reason) as Error);
  });

  test('refuses loops that overlap, loops out of order, and buffers that move in the loop of others', () => {
    const three = (loops: readonly Loop[], strides: [number, number][] = []): Program => ({
      ...copying(from, to, loops),
      buffers: [moving(from, ...strides), to],
      instructions: [assign(0, 1), assign(0, 1), assign(0, 1)],
    });
    const refuses = (program: Program, reason: RegExp) =>
      expect(() => engine.load(program)).toThrow(refusal('invalid-program', reason) as Error);
    refuses(
      three([
        { first: 0, end: 2, count: 2 },
        { first: 1, end: 3, count: 2 },
      ]),
      /ends after the loop around it/,
    );
    refuses(
      three([
        { first: 1, end: 2, count: 2 },
        { first: 0, end: 1, count: 2 },
      ]),
      /begins before/,
    );
    refuses(three([{ first: 1, end: 2, count: 2 }], [[0, 1]]), /instruction 0.*moves in loop 0/);
  });

  test('operands that move together may lie in each other’s way where they never meet', () => {
    const beside = copying(moving(buffer('scratch', [2]), [0, 4]), moving(buffer('scratch', [2], 2), [0, 4]), thrice);
    expect(engine.load(beside).program.loops).toEqual(thrice);
  });

  test('ports do not move', () => {
    const program = { ...running(), inputs: [{ name: 'x', buffer: 0 }] };
    expect(() => engine.load(program)).toThrow(refusal('invalid-program', /moves/) as Error);
  });
});
