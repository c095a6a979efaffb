import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/compute/tensor.js';
import { cutSteps, readSteps, type StepInput } from '../../src/inference/step-input.js';
import type { Signal } from '../../src/network/layers/layer.js';

const ids: Signal = { kind: 'ids', vocabulary: 5, sequence: true };
const vectors: Signal = { kind: 'vectors', features: 3, sequence: true };
const rows: Signal = { kind: 'vectors', features: 3, sequence: false };
const read = (input: StepInput, signal: Signal, singleSteps = true, batch?: number) =>
  readSteps(input, signal, { ...(batch === undefined ? {} : { batch }), singleSteps, where: 'step' });
const ones = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
const zeros = (...shape: number[]) => tensor(new Int32Array(shape.reduce((a, b) => a * b)), shape);

describe('what a session reads', () => {
  it('is one step or several, of ids or vectors', () => {
    expect(read(zeros(2), ids)).toMatchObject({ batch: 2, time: 1, single: true });
    expect(read(zeros(2, 7), ids)).toMatchObject({ batch: 2, time: 7, single: false });
    expect(read(ones(2, 3), vectors)).toMatchObject({ batch: 2, time: 1, single: true });
    expect(read(ones(2, 7, 3), vectors)).toMatchObject({ batch: 2, time: 7, single: false });
  });

  it('may be plain numbers for one step', () => {
    expect(read([1, 2], ids)).toMatchObject({ data: Int32Array.of(1, 2), batch: 2, time: 1, single: true });
    expect(read(Int32Array.of(4), ids)).toMatchObject({ data: Int32Array.of(4), batch: 1 });
    expect(read([1, 2, 3, 4, 5, 6], vectors)).toMatchObject({ batch: 2, time: 1, single: true });
  });

  it('is cut in time, row by row', () => {
    const steps = read(tensor(Int32Array.of(0, 1, 2, 3, 4, 0), [2, 3]), ids);
    expect(cutSteps(steps, 1, 3)).toEqual(Int32Array.of(1, 2, 4, 0));
    const wide = read(
      tensor(
        Float32Array.from({ length: 12 }, (_, i) => i),
        [2, 2, 3],
      ),
      vectors,
    );
    expect(cutSteps(wide, 1, 2)).toEqual(Float32Array.of(3, 4, 5, 9, 10, 11));
  });

  it('is refused with the shapes that would do', () => {
    const cases: readonly [() => unknown, RegExp][] = [
      [() => read(ones(2, 7, 4), vectors), /\[batch, time, 3\] or \[batch, 3\], got \[2, 7, 4\]/],
      [() => read(ones(3), vectors), /got \[3\]/],
      [() => read([1, 2], vectors), /got \[2\]/],
      [() => read(zeros(2, 7), ids, true, 3), /\[3, time\] or \[3\], got \[2, 7\]/],
      [() => read(zeros(2, 0), ids), /got \[2, 0\]/],
      [() => read([], ids), /got \[0\]/],
      [() => read(zeros(7), ids, false), /expected the shape \[batch, time\], got \[7\]/],
      [() => read(ones(2, 7, 3), rows, false), /expected the shape \[batch, 3\], got \[2, 7, 3\]/],
      [() => read(zeros(2, 7, 1), ids), /got \[2, 7, 1\]/],
    ];
    for (const [action, message] of cases) {
      expect(action).toThrow(message);
      expect(action).toThrow(expect.objectContaining({ code: 'invalid-shape' }));
    }
    expect(() => read('abc' as never, ids)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  it('is refused when its buffer was detached, or its shape is not that of its data', () => {
    const x = ones(2, 7, 3);
    structuredClone(x.data, { transfer: [x.data.buffer as ArrayBuffer] });
    expect(() => read(x, vectors)).toThrow(/\[2, 7, 3\] holds 0 elements: was its buffer detached/);
    expect(() => read({ dtype: 'f32', shape: [2, 3], data: new Float32Array(5) }, vectors)).toThrow(/holds 5 elements/);
  });

  it('names an id outside the vocabulary and where it stands', () => {
    expect(() => read(tensor(Int32Array.of(0, 1, 2, 3, 5, 0), [2, 3]), ids)).toThrow(/id 5 in row 1, step 1 .* 0 to 4/);
    expect(() => read([0, -1], ids)).toThrow(/id -1 in row 1 /);
    for (const id of [0.5, Number.NaN]) {
      expect(() => read([id], ids)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    }
  });
});
