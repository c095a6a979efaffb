/** Programs as words. */
import { expect, test } from 'vitest';
import { encodeProgram } from '../../../src/compute/engine/encoding.js';
import { refusal } from './engines.js';
import { counter, instruction, programOf } from './programs.js';

test('the words are those that native/engine/program.h lays out', () => {
  const words = encodeProgram(counter());
  const text = new TextDecoder().decode(new Uint8Array(words.buffer, 13 * 4, 128));
  expect(Array.from(words.subarray(0, 13))).toEqual([0x6d6e656d, 1, 2, 2, 2, 0, 1, 0, 0, 1, 0, 0, 1]);
  expect(text).toBe('increment'.padEnd(64, '\0') + 'assign'.padEnd(64, '\0'));
  expect(Array.from(words.subarray(13 + 32))).toEqual([
    ...[2, 0, 1, 1, 1], // state, offset 0, i32, rank 1, [1]
    ...[5, 0, 1, 1, 1], // output
    ...[0, 1, 1, 1, 0, 1, 1], // increment: one input, one output, one word; 0 -> 1, by 1
    ...[1, 2, 1, 0, 1, -1, 0], // assign: two inputs, the second absent
    1, // output port
  ]);
});

test('what words cannot hold is refused', () => {
  const large = { ...counter(), sizes: { ...counter().sizes, scratch: 2 ** 31 } };
  expect(() => encodeProgram(large)).toThrow(refusal('out-of-memory', /8\.0 GiB of scratch/) as Error);
  const long = programOf({ buffers: [], instructions: [instruction('x'.repeat(64), [], [])] });
  expect(() => encodeProgram(long)).toThrow(refusal('invalid-program', /too long/) as Error);
});
