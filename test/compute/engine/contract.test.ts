/** What `engine.ts` promises, on both engines. */
import { describe, expect, test } from 'vitest';
import { tensor } from '../../../src/compute/tensor.js';
import { engines, refusal } from './engines.js';
import { buffer, counter, heavy, instruction, lookup, product, programOf } from './programs.js';

describe.each(engines)('%s engine', (_, create) => {
  const engine = create();

  test('runs a program on its memories', async () => {
    const stream = engine.createStream({ threads: 2 });
    const program = engine.load(product(2, 3, 2));
    const parameters = engine.allocate(6);
    await stream.write(parameters, 0, Float32Array.of(1, 2, 3, 4, 5, 6));
    const { y } = await stream.submit({
      program,
      memories: { parameters },
      inputs: { x: tensor([1, 0, 0, 0, 1, 1], [2, 3]) },
    });
    expect(y).toEqual({ dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, 2, 8, 10) });
    await stream.close();
  });

  test('a memory starts with zeros and holds what is written, in the order of the stream', async () => {
    const stream = engine.createStream();
    const memory = engine.allocate(5);
    const before = stream.read(memory, 0, 5, 'f32');
    const data = Float32Array.of(7, 8);
    const written = stream.write(memory, 2, data);
    data.fill(-1); // copied before write returned
    const after = stream.read(memory, 1, 4, 'f32');
    await written;
    expect(Array.from(await before)).toEqual([0, 0, 0, 0, 0]);
    expect(Array.from(await after)).toEqual([0, 7, 8, 0]);
    await stream.write(memory, 4, Int32Array.of(-3));
    expect(await stream.read(memory, 4, 1, 'i32')).toEqual(Int32Array.of(-3));
  });

  test('inputs are copied before submit returns', async () => {
    const stream = engine.createStream();
    const program = engine.load(product(1, 1, 1));
    const parameters = engine.allocate(1);
    void stream.write(parameters, 0, Float32Array.of(2));
    const x = Float32Array.of(3);
    const result = stream.submit({ program, memories: { parameters }, inputs: { x } });
    x[0] = 100;
    expect((await result).y!.data[0]).toBe(6);
  });

  test('steps run first in, first out, each once', async () => {
    const stream = engine.createStream();
    const program = engine.load(counter());
    const state = engine.allocate(1);
    const order: number[] = [];
    const steps = Array.from({ length: 200 }, () =>
      stream.submit({ program, memories: { state }, inputs: {} }).then(({ count }) => order.push(count!.data[0]!)),
    );
    expect(stream.pending).toBe(200);
    await Promise.all(steps);
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    expect(stream.pending).toBe(0);
  });

  test('repeat runs a program so many times and appends its outputs', async () => {
    const stream = engine.createStream();
    const program = engine.load(counter());
    const state = engine.allocate(1);
    const { count } = await stream.submit({ program, memories: { state }, inputs: {}, repeat: 4 });
    expect(count).toEqual({ dtype: 'i32', shape: [4, 1], data: Int32Array.of(1, 2, 3, 4) });
    for (const repeat of [0, -1, 1.5]) {
      const refused = stream.submit({ program, memories: { state }, inputs: {}, repeat });
      await expect(refused).rejects.toEqual(refusal('invalid-argument', /repeat/));
    }
  });

  test('two streams may share a memory', async () => {
    const program = engine.load(counter());
    const state = engine.allocate(1);
    const streams = [engine.createStream(), engine.createStream()];
    await Promise.all(
      streams.map((stream) => stream.submit({ program, memories: { state }, inputs: {}, repeat: 500 })),
    );
    expect((await streams[0]!.read(state, 0, 1, 'i32'))[0]).toBe(1000);
  });

  test('a program is refused with the instruction and the reason', () => {
    const buffers = [buffer('input', [2, 3]), buffer('parameters', [4, 2]), buffer('output', [2, 2])];
    const instructions = [instruction('matmul', [0, 1, -1], [2], { transposeA: false, transposeB: false }, [0, 0])];
    expect(() => engine.load(programOf({ name: 'bad', buffers, instructions }))).toThrow(
      refusal('invalid-program', /instruction 0 \(matmul\)/),
    );
    expect(() => engine.load(programOf({ buffers, instructions: [instruction('matmull', [], [])] }))).toThrow(
      refusal('invalid-program', /matmull/),
    );
    const outside = { ...programOf({ buffers, instructions: [] }), sizes: { ...product(1, 1, 1).sizes, input: 5 } };
    expect(() => engine.load(outside)).toThrow(refusal('invalid-program'));
  });

  test('wrong inputs are refused with the port, what was expected and what was given', async () => {
    const stream = engine.createStream();
    const program = engine.load(product(2, 3, 2));
    const parameters = engine.allocate(6);
    const submit = (inputs: object) =>
      stream.submit({ program, memories: { parameters }, inputs: inputs as Record<string, Float32Array> });
    const x = new Float32Array(6);
    await expect(submit({})).rejects.toEqual(refusal('invalid-argument', /'x' is missing.*\[2, 3\]/));
    await expect(submit({ x, z: x })).rejects.toEqual(refusal('invalid-argument', /no input 'z'.*'x'/));
    await expect(submit({ x: new Float32Array(7) })).rejects.toEqual(refusal('invalid-shape', /6 elements.*got 7/));
    await expect(submit({ x: new Int32Array(6) })).rejects.toEqual(refusal('invalid-argument', /Int32Array/));
    await expect(submit({ x: [1, 2, 3, 4, 5, 6] })).rejects.toEqual(refusal('invalid-argument'));
    const detached = new Float32Array(6);
    structuredClone(detached, { transfer: [detached.buffer] });
    await expect(submit({ x: detached })).rejects.toEqual(refusal('invalid-argument', /detached/));
    await submit({ x }); // and the stream goes on
  });

  test('arrays on shared buffers are taken', async () => {
    const stream = engine.createStream();
    const program = engine.load(product(1, 2, 1));
    const parameters = engine.allocate(2);
    await stream.write(parameters, 0, Float32Array.of(1, 1));
    const x = new Float32Array(new SharedArrayBuffer(8));
    x.set([3, 4]);
    expect((await stream.submit({ program, memories: { parameters }, inputs: { x } })).y!.data[0]).toBe(7);
  });

  test('an id outside its limit is named with its position before anything runs', async () => {
    const stream = engine.createStream();
    const program = engine.load(lookup([2, 3], 5, 4, 5));
    const parameters = engine.allocate(20);
    const submit = (ids: number[]) =>
      stream.submit({ program, memories: { parameters }, inputs: { ids: Int32Array.from(ids) } });
    await expect(submit([0, 1, 2, 3, 4, 5])).rejects.toEqual(refusal('out-of-range', /id 5 at \[1, 2\].*0 to 4/));
    await expect(submit([0, -1, 2, 3, 4, 4])).rejects.toEqual(refusal('out-of-range', /id -1 at \[0, 1\]/));
    await submit([0, 1, 2, 3, 4, 4]);
  });

  test('an id outside its table fails the step that reads it, and only that step', async () => {
    const stream = engine.createStream();
    const program = engine.load(lookup([3], 5, 2));
    const parameters = engine.allocate(10);
    const submit = (ids: number[]) =>
      stream.submit({ program, memories: { parameters }, inputs: { ids: Int32Array.from(ids) } });
    const bad = submit([0, 1, 70]);
    const good = submit([0, 1, 4]);
    await expect(bad).rejects.toEqual(refusal('out-of-range', /70/));
    await good;
  });

  test('memories must be there, large enough, and of this engine', async () => {
    const stream = engine.createStream();
    const program = engine.load(product(1, 2, 1));
    const submit = (parameters: unknown) =>
      stream.submit({ program, memories: { parameters } as object, inputs: { x: new Float32Array(2) } });
    await expect(submit(undefined)).rejects.toEqual(refusal('invalid-argument', /parameters memory is missing/));
    await expect(submit(engine.allocate(1))).rejects.toEqual(refusal('invalid-shape', /at least 2 elements, got 1/));
    await expect(submit({ length: 2, disposed: false })).rejects.toEqual(refusal('invalid-argument'));
    await expect(stream.read(engine.allocate(4), 2, 3, 'f32')).rejects.toEqual(refusal('out-of-range'));
    await expect(stream.write(engine.allocate(4), -1, new Float32Array(1))).rejects.toMatchObject({
      code: 'out-of-range',
    });
  });

  test('what has been disposed of is refused; work in flight finishes', async () => {
    const stream = engine.createStream();
    const program = engine.load(counter());
    const state = engine.allocate(1);
    const running = stream.submit({ program, memories: { state }, inputs: {}, repeat: 1000 });
    program.dispose();
    state.dispose();
    expect(state.disposed).toBe(true);
    await expect(stream.submit({ program, memories: { state }, inputs: {} })).rejects.toMatchObject({
      code: 'disposed',
    });
    await expect(stream.read(state, 0, 1, 'i32')).rejects.toEqual(refusal('disposed'));
    expect((await running).count!.data[999]).toBe(1000);
    program.dispose(); // again: nothing happens
    state.dispose();
  });

  test('close waits for all that was queued and refuses what comes after', async () => {
    const stream = engine.createStream();
    const program = engine.load(heavy(128, 10));
    const memories = { parameters: engine.allocate(128 * 128), state: engine.allocate(1) };
    const settled: number[] = [];
    for (let step = 0; step < 3; step++) {
      void stream.submit({ program, memories, inputs: {} }).then(({ count }) => settled.push(count!.data[0]!));
    }
    const closed = stream.close();
    await expect(stream.submit({ program, memories, inputs: {} })).rejects.toEqual(refusal('disposed'));
    await closed;
    expect(settled).toEqual([1, 2, 3]);
    await stream.close();
  });

  test('more memory than the machine has is refused before it is allocated, in GiB', () => {
    expect(() => engine.allocate(2 ** 45)).toThrow(refusal('out-of-memory', /GiB/));
    expect(() => engine.allocate(2 ** 60)).toThrow(refusal('out-of-memory', /GiB/));
    expect(() => engine.allocate(-1)).toThrow(refusal('invalid-argument'));
    expect(() => engine.allocate(1.5)).toThrow(refusal('invalid-argument'));
  });
});
