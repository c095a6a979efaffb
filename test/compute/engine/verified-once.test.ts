/** What was verified is what runs: nothing that happens to the program's object afterwards changes it. */
import { describe, expect, test } from 'vitest';
import type { LoadedProgram } from '../../../src/compute/engine/engine.js';
import type { Program } from '../../../src/compute/program.js';
import { engines, refusal } from './engines.js';
import { product } from './programs.js';

type Writable<Kind> = { -readonly [Key in keyof Kind]: Kind[Key] extends object ? Writable<Kind[Key]> : Kind[Key] };

describe.each(engines)('%s engine', (_, create) => {
  const engine = create();
  const stream = engine.createStream({ threads: 1 });
  const parameters = engine.allocate(6);
  const given = stream.write(parameters, 0, Float32Array.of(1, 2, 3, 4, 5, 6));

  const resultOf = async (program: LoadedProgram) => {
    await given;
    const { y } = await stream.submit({
      program,
      memories: { parameters },
      inputs: { x: Float32Array.of(1, 0, 0, 0, 1, 1) },
    });
    return { shape: y!.shape, values: Array.from(y!.data) };
  };
  const expected = { shape: [2, 2], values: [1, 2, 8, 10] };

  /** Everything that could lead a kernel out of its buffers. */
  const harm = (program: Writable<Program>) => {
    program.buffers[1]!.offset = 2 ** 30;
    program.buffers[0]!.shape[0] = 2 ** 20;
    program.buffers[2]!.arena = 'parameters';
    program.instructions[0]!.inputs[0] = 77;
    program.instructions[0]!.words[0] = 1;
    program.instructions[0]!.attributes = { transposeA: true, transposeB: true };
    program.instructions.push(program.instructions[0]!);
    program.inputs[0]!.buffer = 2;
    program.sizes.parameters = 0;
    program.name = 'another';
  };

  test('a program that is changed after it was loaded runs as it was', async () => {
    const program = product(2, 3, 2);
    const loaded = engine.load(program);
    harm(program as Writable<Program>);
    expect(await resultOf(loaded)).toEqual(expected);
    expect(loaded.program.name).toBe('product');
  });

  test('what the engine shows of it cannot be changed', async () => {
    const loaded = engine.load(product(2, 3, 2));
    expect(() => harm(loaded.program as Writable<Program>)).toThrow(TypeError);
    expect(() => (loaded.program.instructions as unknown[]).push(1)).toThrow(TypeError);
    expect(() => (loaded.program.buffers[0]!.shape as number[]).fill(7)).toThrow(TypeError);
    expect(await resultOf(loaded)).toEqual(expected);
  });

  test('a program that answers differently each time it is read is loaded as it was read once', async () => {
    let reads = 0;
    const honest = product(2, 3, 2);
    const program = {
      ...honest,
      get buffers() {
        reads++;
        if (reads === 1) return honest.buffers;
        return honest.buffers.map((buffer) => ({ ...buffer, offset: 2 ** 30 }));
      },
    };
    expect(await resultOf(engine.load(program))).toEqual(expected);
  });

  test('numbers that 32 bits would cut are refused, not cut', () => {
    const changed = (change: (program: Writable<Program>) => void) => {
      const program = structuredClone(product(2, 3, 2)) as Writable<Program>;
      change(program);
      return () => engine.load(program);
    };
    const refused = refusal('invalid-program');
    for (const wrong of [2 ** 32, 2 ** 53, 1.5, Number.NaN, -(2 ** 31) - 1, '0' as unknown as number]) {
      expect(changed((program) => (program.buffers[0]!.offset = wrong))).toThrow(refused);
      expect(changed((program) => (program.buffers[0]!.shape[1] = wrong))).toThrow(refused);
      expect(changed((program) => (program.instructions[0]!.inputs[0] = wrong))).toThrow(refused);
      expect(changed((program) => (program.outputs[0]!.buffer = wrong))).toThrow(refused);
    }
    expect(changed((program) => (program.instructions[0]!.words[0] = 2 ** 32))).toThrow(refused);
  });
});
