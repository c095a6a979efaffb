import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/compute/tensor.js';
import { arrays } from '../../src/data/arrays.js';
import { permutation } from '../../src/data/permutation.js';

const seven = {
  inputs: tensor(
    Float32Array.from({ length: 7 * 2 * 3 }, (_, i) => i),
    [7, 2, 3],
  ),
  targets: tensor(
    Int32Array.from({ length: 7 }, (_, i) => i),
    [7],
  ),
};
const targetsOf = (batches: ReturnType<typeof arrays>, epoch: number): number[] =>
  [...batches.epoch(epoch)].flatMap((batch) => [...batch.targets.data]);

describe('arrays', () => {
  it('gives every example once, in order, the last batch being what is left', () => {
    const batches = arrays({ ...seven, batch: 3 });
    const given = [...batches.epoch(0)];
    expect(given.map((batch) => batch.inputs.shape)).toEqual([
      [3, 2, 3],
      [3, 2, 3],
      [1, 2, 3],
    ]);
    expect(given.flatMap((batch) => [...batch.inputs.data])).toEqual([...seven.inputs.data]);
    expect(targetsOf(batches, 0)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(given.some((batch) => batch.continues)).toBe(false);
    expect(batches.length).toBe(3);
  });

  it('shuffles each epoch anew, keeps targets with their inputs, and repeats itself for a seed', () => {
    const shuffled = (seed: number) => arrays({ ...seven, batch: 2, shuffle: { seed } });
    expect(targetsOf(shuffled(1), 0).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(targetsOf(shuffled(1), 0)).toEqual(targetsOf(shuffled(1), 0));
    expect(targetsOf(shuffled(1), 0)).not.toEqual(targetsOf(shuffled(1), 1));
    expect(targetsOf(shuffled(1), 0)).not.toEqual(targetsOf(shuffled(2), 0));
    for (const batch of shuffled(3).epoch(0)) {
      const first = Array.from(batch.targets.data, (_, row) => batch.inputs.data[row * 6]! / 6);
      expect(first).toEqual([...batch.targets.data]);
    }
  });

  it('counts targets: ids, or vectors', () => {
    const vectors = (shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    expect(arrays({ ...seven, batch: 3 }).tokens).toBe(7);
    expect(arrays({ ...seven, targets: vectors([7, 2, 5]), batch: 3 }).tokens).toBe(14);
    expect(arrays({ ...seven, targets: vectors([7, 5]), batch: 3 }).tokens).toBe(7);
    expect(arrays({ ...seven, targets: tensor(new Int32Array(14), [7, 2]), batch: 3 }).tokens).toBe(14);
  });

  it('gives each target its weight, shuffled along, as single precision', () => {
    const mask = tensor(
      Int32Array.from({ length: 7 }, (_, i) => i % 3),
      [7],
    );
    const batches = arrays({ ...seven, mask, batch: 2, shuffle: { seed: 1 } });
    expect(batches.tokens).toBe(7);
    const given = [...batches.epoch(0)];
    expect(given.map((batch) => batch.mask?.shape)).toEqual([[2], [2], [2], [1]]);
    for (const batch of given) {
      expect(batch.mask?.data).toEqual(Float32Array.from(batch.targets.data, (target) => target % 3));
    }
    expect([...arrays({ ...seven, batch: 7 }).epoch(0)][0]).not.toHaveProperty('mask');
  });

  it('says what is wrong with a mask', () => {
    const refused = (mask: unknown, targets = seven.targets) =>
      expect(() => arrays({ ...seven, targets, mask: mask as never, batch: 2 }));
    const ones = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
    refused(ones(7, 2)).toThrow('arrays: the mask holds a weight for each target, [7], got [7, 2].');
    refused(ones(7), ones(7, 2, 5)).toThrow('[7, 2], got [7].');
    refused(ones(7, 2), ones(7, 2, 5)).not.toThrow();
    refused(tensor([1, 1, -0.5, 1, 1, 1, 1])).toThrow('finite and at least 0, got -0.5 at element 2');
    refused(tensor([1, 1, 1, 1, 1, 1, Number.NaN])).toThrow('got NaN at element 6');
    refused([1, 2]).toThrow(/'mask' must be a tensor/);
  });

  it('takes double precision and gives single', () => {
    const inputs = tensor(Float64Array.of(0.1, 0.2), [2, 1]);
    const [batch] = arrays({ inputs, targets: tensor(new Int32Array(2), [2]), batch: 2 }).epoch(0);
    expect(batch?.inputs.data).toEqual(Float32Array.of(0.1, 0.2));
  });

  it('notices a buffer that was detached meanwhile', () => {
    const inputs = tensor(new Float32Array(4), [2, 2]);
    const batches = arrays({ inputs, targets: tensor(new Int32Array(2), [2]), batch: 2 });
    structuredClone(inputs.data, { transfer: [inputs.data.buffer as ArrayBuffer] });
    expect(() => [...batches.epoch(0)]).toThrow(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(/\[2, 2\] was detached/) }),
    );
  });

  it('says what does not fit', () => {
    const targets = tensor(new Int32Array(6), [6]);
    expect(() => arrays({ ...seven, targets, batch: 3 })).toThrow(
      expect.objectContaining({ code: 'invalid-shape', message: expect.stringMatching(/\[7, 2, 3\].*\[6\]/) }),
    );
    const none = { inputs: tensor(new Float32Array(0), [0, 2]), targets: tensor(new Int32Array(0), [0]) };
    expect(() => arrays({ ...none, batch: 1 })).toThrow(expect.objectContaining({ code: 'insufficient-data' }));
    expect(() => arrays({ ...seven, inputs: [1, 2] as never, batch: 1 })).toThrow(/'inputs' must be a tensor/);
  });
});

describe('arrays of sequences of unequal lengths', () => {
  const steps = [3, 1, 0, 8, 2];
  const sequences = steps.map((time, row) =>
    tensor(
      Float32Array.from({ length: time * 2 }, (_, index) => 100 * row + index + 1),
      [time, 2],
    ),
  );
  const labels = steps.map((time, row) => tensor(new Int32Array(time).fill(row), [time]));

  it('are padded with zeros to one of four times, and come with their lengths', () => {
    const batches = arrays({ inputs: sequences, targets: labels, batch: 2 });
    const given = [...batches.epoch(0)];
    expect(batches.length).toBe(3);
    expect(batches.tokens).toBe(14);
    expect(given.map(({ inputs }) => inputs.shape)).toEqual([
      [2, 4, 2],
      [2, 8, 2],
      [1, 2, 2],
    ]);
    expect(given.map(({ targets }) => targets.shape)).toEqual([
      [2, 4],
      [2, 8],
      [1, 2],
    ]);
    expect(given.map(({ lengths }) => [...lengths!.data])).toEqual([[3, 1], [0, 8], [2]]);
    expect([...given[0]!.inputs.data]).toEqual([1, 2, 3, 4, 5, 6, 0, 0, 101, 102, 0, 0, 0, 0, 0, 0]);
    expect([...given[1]!.targets.data.slice(8)]).toEqual(new Array(8).fill(3));
    const times = new Set(
      [...arrays({ inputs: sequences, targets: labels, batch: 1 }).epoch(0)].map((b) => b.inputs.shape[1]),
    );
    expect(times).toEqual(new Set([4, 2, 8]));
  });

  it('may have one target each, or lie padded in one tensor with lengths; both are the same', () => {
    const targets = tensor(Int32Array.of(0, 1, 2, 3, 4), [5]);
    const inputs = tensor(new Float32Array(5 * 8 * 2), [5, 8, 2]);
    for (const [row, { data }] of sequences.entries()) inputs.data.set(data, row * 16);
    const lengths = tensor(Int32Array.from(steps), [5]);
    const shuffle = { seed: 2 };
    const one = [...arrays({ inputs, targets, lengths, batch: 2, shuffle }).epoch(1)];
    expect(one).toEqual([...arrays({ inputs: sequences, targets, batch: 2, shuffle }).epoch(1)]);
    expect(arrays({ inputs, targets, lengths, batch: 2 }).tokens).toBe(5);
  });

  it('have weights of the same lengths', () => {
    const mask = steps.map((time) => tensor(new Float32Array(time).fill(0.5), [time]));
    const [first] = arrays({ inputs: sequences, targets: labels, mask, batch: 2 }).epoch(0);
    expect([...first!.mask!.data]).toEqual([0.5, 0.5, 0.5, 0, 0.5, 0, 0, 0]);
  });

  it('say which one does not fit', () => {
    const refused = (change: object) => () => arrays({ inputs: sequences, targets: labels, batch: 2, ...change });
    const short = labels.with(3, tensor(new Int32Array(7), [7]));
    expect(refused({ targets: short })).toThrow(/sequence 3 has 8 steps in inputs, but 7 in targets/);
    expect(refused({ inputs: sequences.with(1, tensor([1, 2, 3], [1, 3])) })).toThrow(
      /number 1 is \[1, 3\], and number 0 \[3, 2\]/,
    );
    expect(refused({ targets: labels.slice(1) })).toThrow(
      /\(5 sequences\) hold 5 examples, but targets \(4 sequences\) hold 4/,
    );
    expect(refused({ targets: tensor(new Int32Array(20), [5, 4]) })).toThrow(
      /up to 8 steps, but targets 4: give a list/,
    );
    expect(refused({ lengths: tensor(Int32Array.from(steps), [5]) })).toThrow(/leave out the option 'lengths'/);
    expect(refused({ mask: labels.slice(1) })).toThrow(/5 examples, but 4 tensors in the mask/);
    const inputs = tensor(new Float32Array(4), [2, 2, 1]);
    const lengths = tensor(Int32Array.of(1, 3), [2]);
    expect(() => arrays({ inputs, targets: tensor(new Int32Array(2), [2]), lengths, batch: 1 })).toThrow(
      expect.objectContaining({
        code: 'out-of-range',
        message: expect.stringMatching(/length of row 1 is 3.*has 2 steps/),
      }),
    );
  });
});

describe('the random order', () => {
  it('puts each element in each place equally often', () => {
    const draws = 6000;
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let n = 0; n < draws; n++) {
      for (const [place, element] of permutation(5, 7, n).entries()) counts[place]![element]! += 1;
    }
    // Binomial with p = 1/5: five standard deviations are 5 * sqrt(6000 * 0.2 * 0.8) = 155.
    for (const count of counts.flat()) expect(Math.abs(count - draws / 5)).toBeLessThan(155);
  });

  it('uses the upper half of a seed too', () => {
    expect(permutation(20, 2 ** 32 + 1, 0)).not.toEqual(permutation(20, 1, 0));
  });
});
