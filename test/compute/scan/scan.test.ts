/** `scan`: what it computes, on every engine, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { compile, printProgram } from '../../../src/compute/compiler.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, stored, type Value } from '../../../src/compute/graph.js';
import {
  embedding,
  map,
  matmul,
  oneHot,
  type RecurrentOptions,
  recurrent,
  reduceSum,
} from '../../../src/compute/operations/index.js';
import { scan } from '../../../src/compute/scan.js';
import { type Tensor, tensor } from '../../../src/compute/tensor.js';
import { engines, refusal } from '../engine/engines.js';
import { expectAgreement, ids, noise, ofLargest, roundoff } from '../operations/agreement.js';

const add = (a: Value, b: Value): Value => map((x, y) => x.add(y), a, b);
const total = (x: Value): Value => reduceSum(x, { axis: 'all', expression: (y) => y.mul(0.7).add(y.square()) });

async function run(outputs: Record<string, Value>, inputs: Record<string, Tensor>, precision: 'f32' | 'f64' = 'f64') {
  const engine = createReferenceEngine({ precision });
  const stream = engine.createStream();
  const results = await stream.submit({
    program: engine.load(compile({ name: 'scan', outputs })),
    memories: {},
    inputs,
  });
  await stream.close();
  return results;
}

const runningSum = (x: Value, start: Value, mask?: Value) =>
  scan({
    sequences: [x],
    initial: [start],
    mask,
    step: ([part], [sum]) => {
      const next = add(sum!, part!);
      return { outputs: [next, map((p) => p.mul(2), part!)], states: [next] };
    },
  });

test('a running sum, after each step and after the last one', async () => {
  const { outputs, states } = runningSum(input('x', [4, 2], 'f32'), input('start', [2], 'f32'));
  const results = await run(
    { sums: outputs[0]!, doubled: outputs[1]!, last: states[0]! },
    { x: tensor([1, 10, 2, 20, 3, 30, 4, 40], [4, 2]), start: tensor([100, 1000], [2]) },
  );
  expect([...results.sums!.data]).toEqual([101, 1010, 103, 1030, 106, 1060, 110, 1100]);
  expect([...results.doubled!.data]).toEqual([2, 20, 4, 40, 6, 60, 8, 80]);
  expect([...results.last!.data]).toEqual([110, 1100]);
});

test('one sequence may be given twice', async () => {
  const x = input('x', [3, 1], 'f32');
  const { outputs } = scan({
    sequences: [x, x],
    initial: [input('start', [1], 'f32')],
    step: ([a, b], [state]) => {
      const next = map((p, q, r) => p.mul(10).add(q).add(r), a!, b!, state!);
      return { outputs: [next], states: [next] };
    },
  });
  const { y } = await run({ y: outputs[0]! }, { x: tensor([1, 2, 3], [3, 1]), start: tensor([0], [1]) });
  expect([...y!.data]).toEqual([11, 33, 66]);
});

test('the program is a loop: products that wait for no state lie before it, sums of products after it', () => {
  const x = input('x', [5, 2, 3], 'f32');
  const [w, u] = [stored('parameters', 0, [3, 4], 'f32', 'w'), stored('parameters', 12, [4, 4], 'f32', 'u')];
  const { states } = scan({
    sequences: [x],
    initial: [input('h', [2, 4], 'f32')],
    step: ([part], [h]) => {
      const next = map((a, b) => a.add(b).tanh(), matmul(part!, w), matmul(h!, u));
      return { outputs: [], states: [next] };
    },
  });
  const [dw, du] = gradients(total(states[0]!), [w, u]);
  const lines = printProgram(compile({ name: 'step', outputs: { dw: dw!, du: du! } })).split('\n');
  const shown = lines.slice(1).map((line) => line.replace(/^ *\d* +/, '').split('  ')[0]);
  const loop = (...inside: string[]) => ['repeat 5 times', ...inside];
  expect(shown).toEqual([
    'matmul',
    'assign',
    ...loop('matmul', 'map'),
    'map',
    'assign',
    ...loop('map', 'matmul'),
    'matmul',
    'matmul',
  ]);
});

describe('on every engine, with the same bits', () => {
  test('a scan in a scan, forward and backward', async () => {
    const [time, steps, batch, units] = [3, 4, 5, 7];
    await expectAgreement({
      inputs: {
        x: noise([time, steps, batch, units], 1),
        w: noise([units, units], 2, 0.2),
        v: noise([units, units], 3, 0.2),
        h: noise([batch, units], 4),
      },
      build: (given) => {
        const { x, w, v, h } = given as { [name: string]: Value };
        const { outputs } = scan({
          sequences: [x!],
          initial: [h!],
          step: ([part], [state]) => {
            const inner = scan({
              sequences: [part!],
              initial: [state!],
              step: ([row], [before]) => {
                const next = map((a, b) => a.add(b).tanh(), matmul(row!, w!), matmul(before!, v!));
                return { outputs: [], states: [next] };
              },
            });
            return { outputs: inner.states, states: inner.states };
          },
        });
        const [dx, dw, dv, dh] = gradients(total(outputs[0]!), [x!, w!, v!, h!]);
        return { y: outputs[0]!, dx: dx!, dw: dw!, dv: dv!, dh: dh! };
      },
      // Twelve steps of two products each, and sums of 60 terms.
      tolerances: Object.fromEntries(
        ['y', 'dx', 'dw', 'dv', 'dh'].map((name) => [
          name,
          ofLargest((12 * (16 * Math.sqrt(units) + 16) + 8 * Math.sqrt(60)) * roundoff),
        ]),
      ),
    });
  });

  test('a fused cell as the step: sentences of words', async () => {
    const [time, steps, batch, units] = [3, 4, 2, 5];
    const gate = { kind: 1, expression: (x) => x.sigmoid() } as RecurrentOptions['gateActivation'];
    const tanh = { kind: 2, expression: (x) => x.tanh() } as RecurrentOptions['activation'];
    await expectAgreement({
      inputs: {
        x: noise([time, steps, batch, units], 1),
        kernel: noise([units, 3 * units], 2, 0.3),
        recurrentKernel: noise([units, 3 * units], 3, 0.3),
        h: noise([batch, units], 4),
      },
      build: (given) => {
        const { x, kernel, recurrentKernel, h } = given as { [name: string]: Value };
        const { states } = scan({
          sequences: [x!],
          initial: [h!],
          step: ([sentence], [before]) => {
            const { finalHidden } = recurrent({
              cell: 'gru',
              input: sentence!,
              kernel: kernel!,
              recurrentKernel: recurrentKernel!,
              initialHidden: before!,
              gateActivation: gate,
              activation: tanh,
              training: true,
            });
            return { outputs: [], states: [finalHidden] };
          },
        });
        const derived = gradients(total(states[0]!), [x!, kernel!, recurrentKernel!, h!]);
        return Object.fromEntries([states[0]!, ...derived].map((value, index) => [`${index}`, value]));
      },
      tolerances: Object.fromEntries(
        [0, 1, 2, 3, 4].map((name) => [
          name,
          ofLargest((12 * (16 * Math.sqrt(2 * units) + 16) + 8 * Math.sqrt(24)) * roundoff),
        ]),
      ),
    });
  });

  test('ids: as vectors of a table, and as if one-hot', async () => {
    const [time, batch, symbols, units] = [4, 3, 6, 5];
    await expectAgreement({
      inputs: {
        x: ids([time, batch], symbols),
        table: noise([symbols, units], 1),
        w: noise([symbols, units], 2),
        h: noise([batch, units], 3),
      },
      build: (given) => {
        const { x, table, w, h } = given as { [name: string]: Value };
        const { outputs } = scan({
          sequences: [x!, oneHot(x!, symbols)],
          initial: [h!],
          step: ([id, hot], [state]) => {
            const next = map((a, b, c) => a.add(b).mul(c).tanh(), embedding(id!, table!), matmul(hot!, w!), state!);
            return { outputs: [next], states: [next] };
          },
        });
        const [dTable, dw, dh] = gradients(total(outputs[0]!), [table!, w!, h!]);
        return { y: outputs[0]!, dTable: dTable!, dw: dw!, dh: dh! };
      },
      tolerances: Object.fromEntries(
        ['y', 'dTable', 'dw', 'dh'].map((name) => [name, ofLargest((time * 24 + 8 * Math.sqrt(12)) * roundoff)]),
      ),
    });
  });
});

describe('rows that do not live in every step', () => {
  const mask = tensor([1, 1, 0, 1, 1, 0], [3, 2]);

  test('keep their states; what is in the padding does not matter, be it NaN', async () => {
    const x = input('x', [3, 2, 1], 'f32');
    const { outputs, states } = runningSum(x, input('start', [2, 1], 'f32'), input('mask', [3, 2], 'f32'));
    const results = await run(
      { sums: outputs[0]!, doubled: outputs[1]!, last: states[0]! },
      { x: tensor([1, 10, Number.NaN, 20, 3, Number.NaN], [3, 2, 1]), start: tensor([100, 1000], [2, 1]), mask },
    );
    expect([...results.sums!.data]).toEqual([101, 1010, 101, 1030, 104, 1030]);
    expect([...results.doubled!.data]).toEqual([2, 20, 0, 40, 6, 0]);
    expect([...results.last!.data]).toEqual([104, 1030]);
  });

  test('and what is not finite there reaches no gradient', async () => {
    const x = input('x', [3, 2, 2], 'f32');
    const w = input('w', [2, 2], 'f32');
    const cell = (sequence: Value) => {
      const { outputs } = scan({
        sequences: [sequence],
        initial: [input('start', [2, 2], 'f32')],
        mask: input('mask', [3, 2], 'f32'),
        step: ([part], [state]) => {
          const next = map((a, b) => a.add(b).tanh(), matmul(part!, w), state!);
          return { outputs: [next, part!], states: [next] };
        },
      });
      return add(total(outputs[0]!), total(outputs[1]!));
    };
    const [dx, dw] = gradients(cell(x), [x, w]);
    const given = { w: noise([2, 2], 1), start: noise([2, 2], 2), mask };
    const clean = noise([3, 2, 2], 3);
    const padded = tensor(
      Float32Array.from(clean.data as Float32Array, (value, index) =>
        mask.data[index >> 1] === 0 ? Number.NaN : value,
      ),
      [3, 2, 2],
    );
    const wanted = await run({ dx: dx!, dw: dw! }, { ...given, x: clean });
    expect(await run({ dx: dx!, dw: dw! }, { ...given, x: padded })).toEqual(wanted);
    expect([...wanted.dx!.data].every(Number.isFinite)).toBe(true);
  });

  test('are said by a mask of the sequence’s steps and rows', () => {
    const x = input('x', [3, 2, 1], 'f32');
    const wrong = input('mask', [2, 3], 'f32');
    expect(() => runningSum(x, input('start', [2, 1], 'f32'), wrong)).toThrow(
      refusal('invalid-shape', /\[time, batch\].*\[3, 2, 1\].*\[2, 3\]/) as Error,
    );
  });
});

describe('in a step that fails', () => {
  test.each(engines)('%s: what lasts is as it was', async (_, make) => {
    const engine = make();
    const state = stored('state', 0, [2, 2], 'f32', 'h');
    const table = input('table', [3, 2], 'f32');
    const { states } = scan({
      sequences: [input('x', [4, 2, 1], 'f32'), input('ids', [4, 2], 'i32')],
      initial: [state],
      step: ([part, id], [h]) => {
        // Through a state, so that the ids are looked at in the loop.
        const rows = embedding(
          id!,
          map((t, s) => t.add(s), table, reduceSum(h!, { axis: 'all' })),
        );
        return { outputs: [], states: [map((a, b, c) => a.add(b).add(c), h!, part!, rows)] };
      },
    });
    const program = engine.load(
      compile({ name: 'failing', outputs: {}, assignments: [{ target: state, value: states[0]! }] }),
    );
    const memory = engine.allocate(4);
    const stream = engine.createStream();
    await stream.write(memory, 0, Float32Array.of(1, 2, 3, 4));
    const step = (last: number) =>
      stream.submit({
        program,
        memories: { state: memory },
        inputs: {
          x: new Float32Array(8),
          ids: Int32Array.of(0, 1, 2, 0, 1, 2, 0, last),
          table: new Float32Array(6),
        },
      });
    await expect(step(3)).rejects.toEqual(refusal('out-of-range'));
    expect([...(await stream.read(memory, 0, 4, 'f32'))]).toEqual([1, 2, 3, 4]);
    await step(2);
    expect([...(await stream.read(memory, 0, 4, 'f32'))]).not.toEqual([1, 2, 3, 4]);
    await stream.close();
  });
});

describe('refuses', () => {
  const x = input('x', [3, 2, 1], 'f32');
  const h = input('h', [2, 1], 'f32');
  const same = { sequences: [x], initial: [h] };
  test.each<[what: string, build: () => unknown, code: 'invalid-shape' | 'invalid-argument', message: RegExp]>([
    [
      'nothing to run over',
      () => scan({ sequences: [], initial: [h], step: () => ({ outputs: [], states: [h] }) }),
      'invalid-argument',
      /no sequence/,
    ],
    [
      'sequences of different lengths',
      () => scan({ ...same, sequences: [x, input('z', [4, 2, 1], 'f32')], step: () => ({ outputs: [], states: [h] }) }),
      'invalid-shape',
      /sequence 1 has 4 steps, sequence 0 has 3/,
    ],
    [
      'a step that forgets a state',
      () => scan({ ...same, step: () => ({ outputs: [], states: [] }) }),
      'invalid-argument',
      /gives 0 states and is given 1/,
    ],
    [
      'a state that changes its shape',
      () => scan({ ...same, step: ([part]) => ({ outputs: [], states: [matmul(part!, input('w', [1, 2], 'f32'))] }) }),
      'invalid-shape',
      /state 0 is f32 \[2, 1\] before the step and f32 \[2, 2\] after it/,
    ],
  ])('%s', (_, build, code, message) => {
    expect(build).toThrow(refusal(code, message) as Error);
  });
});
