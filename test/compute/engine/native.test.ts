/** What is particular to the native engine. */

import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../../src/compute/engine/addon.js';
import type { NativeMemory } from '../../../src/compute/engine/native-handles.js';
import { nativeEngine, refusal } from './engines.js';
import { counter, heavy, product } from './programs.js';

const { addon } = loadAddon();
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * seed + seed));

test('the same bits for any number of threads and on every instruction set', async () => {
  const x = values(37 * 91, 1.7);
  const weights = values(91 * 53, 0.3);
  const results: Float32Array[] = [];
  for (const instructionSet of addon!.machine().instructionSets) {
    for (const threads of [1, 2, 3]) {
      const engine = nativeEngine({ instructionSet, threads });
      expect(engine.instructionSet).toBe(instructionSet);
      const stream = engine.createStream();
      expect(stream.threads).toBe(threads);
      const parameters = engine.allocate(weights.length);
      await stream.write(parameters, 0, weights);
      const program = engine.load(product(37, 91, 53));
      const { y } = await stream.submit({ program, memories: { parameters }, inputs: { x } });
      results.push(y!.data as Float32Array);
      await stream.close();
    }
  }
  expect(results.length).toBeGreaterThanOrEqual(3);
  for (const result of results) expect(Buffer.from(result.buffer).equals(Buffer.from(results[0]!.buffer))).toBe(true);
});

test('weights that were packed are packed again when they are written, and for another memory', async () => {
  const engine = nativeEngine();
  const stream = engine.createStream();
  const program = engine.load(product(1, 2, 1));
  const memories = [engine.allocate(2), engine.allocate(2)];
  const run = async (which: number) => {
    const inputs = { x: Float32Array.of(1, 10) };
    return (await stream.submit({ program, memories: { parameters: memories[which]! }, inputs })).y!.data[0];
  };
  await stream.write(memories[0]!, 0, Float32Array.of(1, 2));
  expect(await run(0)).toBe(21);
  expect(await run(1)).toBe(0);
  await stream.write(memories[0]!, 1, Float32Array.of(3));
  expect(await run(0)).toBe(31);
});

test('the event loop turns while a step runs', async () => {
  const engine = nativeEngine();
  const stream = engine.createStream();
  const program = engine.load(heavy(512, 20));
  const memories = { parameters: engine.allocate(512 * 512), state: engine.allocate(1) };
  let finished = false;
  const running = stream.submit({ program, memories, inputs: {} }).then(() => {
    finished = true;
  });
  let turns = 0;
  while (!finished) {
    await turn();
    turns++;
  }
  await running;
  expect(turns).toBeGreaterThan(50); // it would be one or two if the step ran on the loop
});

describe('what nobody holds any longer', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const collect = async () => {
    for (let round = 0; round < 5; round++) {
      gc();
      await turn();
    }
  };

  test('memories and programs are given back', async () => {
    const engine = nativeEngine();
    const make = () => [(engine.allocate(4) as NativeMemory).id, engine.load(counter()).id] as const;
    const kept = engine.allocate(4) as NativeMemory;
    const [memory, program] = make();
    await collect();
    expect(addon!.disposeMemory(memory)).toBe(false);
    expect(addon!.disposeProgram(program)).toBe(false);
    expect(addon!.disposeMemory(kept.id)).toBe(true);
  });

  test('an idle stream is given back; a busy one finishes', async () => {
    const engine = nativeEngine();
    const counts: number[] = [];
    const startBusy = () => {
      const memories = { parameters: engine.allocate(256 * 256), state: engine.allocate(1) };
      const program = engine.load(heavy(256, 20));
      const running = engine.createStream().submit({ program, memories, inputs: {} });
      void running.then(({ count }) => counts.push(count!.data[0]!));
    };
    const makeIdle = async () => {
      const stream = engine.createStream();
      await stream.submit({ program: engine.load(counter()), memories: { state: engine.allocate(1) }, inputs: {} });
      return stream.id;
    };
    const idle = await makeIdle();
    startBusy();
    await collect();
    expect(addon!.disposeStream(idle)).toBe(false);
    while (counts.length === 0) await turn();
    expect(counts).toEqual([1]);
  });
});

test('threads outside of 1 to 256 are refused', () => {
  const engine = nativeEngine();
  for (const threads of [0, -1, 1.5, 257, Number.NaN]) {
    expect(() => engine.createStream({ threads })).toThrow(refusal('invalid-argument', /threads.*1 to 256/) as Error);
  }
});
