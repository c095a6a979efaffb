/** Programs as words. */
import { expect, test } from 'vitest';
import { encodeProgram } from '../../../src/compute/engine/encoding.js';
import { refusal } from './engines.js';
import { counter, instruction, programOf, running } from './programs.js';

test('the words are those that native/engine/program.h lays out', () => {
  const words = encodeProgram(counter());
  const text = new TextDecoder().decode(new Uint8Array(words.buffer, 14 * 4, 128));
  expect(Array.from(words.subarray(0, 14))).toEqual([0x6d6e656d, 2, 2, 2, 2, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
  expect(text).toBe('increment'.padEnd(64, '\0') + 'assign'.padEnd(64, '\0'));
  expect(Array.from(words.subarray(14 + 32))).toEqual([
    ...[2, 0, 1, 1, 0, 1], // state, offset 0, i32, rank 1, no strides, [1]
    ...[5, 0, 1, 1, 0, 1], // output
    ...[0, 1, 1, 1, 0, 1, 1], // increment: one input, one output, one word; 0 -> 1, by 1
    ...[1, 2, 1, 0, 1, -1, 0], // assign: two inputs, the second absent
    1, // output port
  ]);
});

test('loops and the strides of buffers have their words', () => {
  const words = encodeProgram(running());
  expect(Array.from(words.subarray(14 + 16))).toEqual([
    ...[4, 0, 0, 1, 1, 2], // input, offset 0, f32, rank 1, one stride, [2]
    ...[0, 2], // loop 0, by 2
    ...[4, 0, 0, 1, 0, 6], // the port
    ...[5, 4, 0, 1, 1, 2], // output
    ...[0, -2],
    ...[5, 0, 0, 1, 0, 6],
    ...[0, 2, 1, 0, 0, -1, 2], // assign
    ...[0, 1, 3], // the loop: from instruction 0 up to 1, 3 times
    ...[1, 3], // ports
  ]);
});

test('what words cannot hold is refused', () => {
  const large = { ...counter(), sizes: { ...counter().sizes, scratch: 2 ** 31 } };
  expect(() => encodeProgram(large)).toThrow(refusal('out-of-memory', /8\.0 GiB of scratch/) as Error);
  const long = programOf({ buffers: [], instructions: [instruction('x'.repeat(64), [], [])] });
  expect(() => encodeProgram(long)).toThrow(refusal('invalid-program', /too long/) as Error);
});
