/** What the compiler makes of a graph: how few instructions, in which order, in how little memory. */
import { describe, expect, test } from 'vitest';
import { compile, printProgram } from '../../../src/compute/compiler.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import type { Expression } from '../../../src/compute/expression.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, reshape, stored, type Value } from '../../../src/compute/graph.js';
import {
  concatenate,
  embedding,
  finite,
  guardedMap,
  increment,
  map,
  matmul,
  oneHot,
  recurrent,
  reduceSum,
  slice,
  softmaxCrossEntropy,
} from '../../../src/compute/operations/index.js';
import type { Program } from '../../../src/compute/program.js';
import { elementCount } from '../../../src/compute/tensor.js';
import { refusal } from '../engine/engines.js';

const operationsOf = (program: Program) => program.instructions.map(({ operation }) => operation);
const placesOf = (program: Program, operation: string, operands: 'inputs' | 'outputs') =>
  program.instructions
    .filter((instruction) => instruction.operation === operation)
    .map((instruction) => instruction[operands].map((buffer) => program.buffers[buffer]));

const x = input('x', [4, 3], 'f32');
const y = input('y', [4, 3], 'f32');
const kernel = stored('parameters', 0, [3, 3], 'f32', 'kernel');

describe('fusion', () => {
  test('a chain of maps and the reduction at its end are one instruction', () => {
    const a = map((p, q) => p.add(q), x, y);
    const b = map((p) => p.tanh(), a);
    const program = compile({
      name: 'chain',
      outputs: {
        sum: reduceSum(
          map((p) => p.square(), b),
          { axis: 'all' },
        ),
      },
    });
    expect(operationsOf(program)).toEqual(['reduce']);
    expect(program.sizes.scratch).toBe(0);
  });

  test('what two instructions read is stored once', () => {
    const a = map((p) => p.tanh(), x);
    const program = compile({
      name: 'shared',
      outputs: { product: matmul(a, kernel), twice: map((p) => p.mul(2), a) },
    });
    expect(operationsOf(program).sort()).toEqual(['map', 'map', 'matmul']);
  });

  test('one number is taken along, a row is not computed anew for each row', () => {
    const [rate, row] = [input('rate', [1], 'f32'), input('row', [3], 'f32')];
    const scaled = map(
      (p, r) => p.mul(r),
      x,
      map((r) => r.exp(), rate),
    );
    expect(operationsOf(compile({ name: 'number', outputs: { scaled } }))).toEqual(['map']);
    const shifted = map(
      (p, r) => p.add(r),
      x,
      map((r) => r.exp(), row),
    );
    expect(operationsOf(compile({ name: 'row', outputs: { shifted } }))).toEqual(['map', 'map']);
  });

  test('known numbers vanish: the gradient of a sum is no instruction before its use', () => {
    const loss = reduceSum(
      map((p, q) => p.mul(q), x, y),
      { axis: 'all', scale: 0.5 },
    );
    const [dx] = gradients(loss, [x]);
    const program = compile({ name: 'gradient', outputs: { dx: dx! } });
    expect(operationsOf(program)).toEqual(['map']);
    expect(program.inputs.map(({ name }) => name)).toEqual(['y']);
  });
});

describe('simplification', () => {
  test('equal nodes are computed once', () => {
    const once = matmul(x, kernel);
    const again = matmul(x, stored('parameters', 0, [3, 3], 'f32', 'the same place'));
    const program = compile({ name: 'equal', outputs: { sum: map((p, q) => p.add(q), once, again) } });
    expect(operationsOf(program)).toEqual(['matmul', 'map']);
  });

  test('what nothing reads is not computed, and optional results are left out', () => {
    const sigmoid = { kind: 1, expression: (p: Expression) => p.sigmoid() } as const;
    const { output } = recurrent({
      cell: 'lstm',
      input: input('sequence', [5, 2, 3], 'f32'),
      kernel: stored('parameters', 0, [3, 16], 'f32', 'kernel'),
      recurrentKernel: stored('parameters', 48, [4, 16], 'f32', 'recurrentKernel'),
      gateActivation: sigmoid,
      activation: sigmoid,
      training: true,
    });
    matmul(x, kernel);
    const program = compile({ name: 'inference', outputs: { output } });
    expect(operationsOf(program)).toEqual(['recurrent']);
    expect(program.instructions[0]!.outputs.slice(1)).toEqual([-1, -1, -1]);
    expect(program.sizes.scratch).toBe(0);
  });

  test('a one-hot input is never made', () => {
    const ids = input('ids', [5], 'i32', { limit: 3 });
    const program = compile({ name: 'one-hot', outputs: { y: matmul(oneHot(ids, 3), kernel) } });
    expect(operationsOf(program)).toEqual(['embedding']);
    expect(program.inputs).toEqual([{ name: 'ids', buffer: 0, limit: 3 }]);
  });
});

describe('an embedding in front of a recurrent layer', () => {
  const table = stored('parameters', 0, [6, 3], 'f32', 'table');
  const layerOn = (time: number, training = true) =>
    recurrent({
      cell: 'simple',
      input: embedding(input('ids', [time, 2], 'i32', { limit: 6 }), table),
      kernel: stored('parameters', 18, [3, 4], 'f32', 'kernel'),
      recurrentKernel: stored('parameters', 30, [4, 4], 'f32', 'recurrentKernel'),
      gateActivation: { kind: 1, expression: (p) => p.sigmoid() },
      activation: { kind: 2, expression: (p) => p.tanh() },
      training,
    }).output;

  test('of no more rows than the sequence is multiplied by the kernel as a whole for training', () => {
    const program = compile({ name: 'few rows', outputs: { y: layerOn(3) } });
    expect(operationsOf(program)).toEqual(['matmul', 'recurrent']);
    expect(program.names[program.instructions[1]!.inputs[0]!]).toBe('ids');
  });

  test('of more rows is looked up', () => {
    expect(operationsOf(compile({ name: 'many rows', outputs: { y: layerOn(2) } }))).toEqual([
      'embedding',
      'recurrent',
    ]);
  });
});

describe('memory', () => {
  test('views cost nothing: reshape, and slices along the first axis', () => {
    const last = reshape(slice(x, { axis: 0, start: 3, length: 1 }), [3, 1]);
    const program = compile({ name: 'views', outputs: { y: matmul(last, input('w', [1, 2], 'f32')) } });
    expect(operationsOf(program)).toEqual(['matmul']);
    expect(program.buffers[program.instructions[0]!.inputs[0]!]).toMatchObject({
      arena: 'input',
      offset: 9,
      shape: [3, 1],
    });
  });

  test('a long chain of products needs the memory of two', () => {
    const chain = Array.from({ length: 20 }).reduce<Value>((value) => matmul(value, kernel), x);
    const program = compile({ name: 'chain', outputs: { chain } });
    expect(program.sizes.scratch).toBe(2 * 16);
    expect(program.cost.scratchWithoutReuse).toBe(19 * 16);
  });

  test('a map takes the place of what it reads last', () => {
    const a = matmul(x, kernel);
    const program = compile({
      name: 'in place',
      outputs: {
        y: matmul(
          map((p) => p.tanh(), a),
          kernel,
        ),
      },
    });
    expect(program.sizes.scratch).toBe(16);
    const [[read]] = placesOf(program, 'map', 'inputs') as [[unknown]];
    const [[made]] = placesOf(program, 'map', 'outputs') as [[unknown]];
    expect(made).toEqual(read);
  });

  test('scratch buffers begin at multiples of 64 bytes', () => {
    const parts = [1, 2, 3].map((n) => matmul(input(`a${n}`, [n, 3], 'f32'), kernel));
    const products = parts.map((part) => matmul(part, kernel));
    const program = compile({ name: 'aligned', outputs: Object.fromEntries(products.map((p, n) => [`p${n}`, p])) });
    for (const { arena, offset } of program.buffers) {
      if (arena === 'scratch' || arena === 'output' || arena === 'input') expect(offset % 16).toBe(0);
    }
  });

  test('gradients are made where they belong in the flat gradient: nothing is copied', () => {
    const shapes = [[3, 4], [4], [4, 2], [2]];
    let offset = 0;
    const parameters = shapes.map((shape, index) => {
      const value = stored('parameters', offset, shape, 'f32', `p${index}`);
      offset += elementCount(shape);
      return value;
    });
    const [w, b, v, c] = parameters as [Value, Value, Value, Value];
    const hidden = map((p) => p.tanh(), matmul(x, w, { bias: b }));
    const loss = reduceSum(matmul(hidden, v, { bias: c }), { axis: 'all', expression: (p) => p.square() });
    const parts = gradients(loss, parameters).map((part) => reshape(part, [elementCount(part.shape)]));
    const flat = concatenate(parts, 0);
    const all = stored('parameters', 0, [offset], 'f32', 'all');
    const program = compile({
      name: 'step',
      outputs: { loss },
      assignments: [{ target: all, value: map((p, g) => p.sub(g.mul(0.1)), all, flat) }],
    });
    expect(operationsOf(program)).not.toContain('concatenate');
    expect(operationsOf(program)).not.toContain('assign');
    const update = program.instructions.at(-1)!;
    const gradient = program.buffers[update.inputs[1]!]!;
    expect(gradient.shape).toEqual([offset]);
    expect(program.buffers[update.outputs[0]!]).toEqual(program.buffers[update.inputs[0]!]);
    // Each parameter's gradient lies as far into it as the parameter into the parameters.
    const starts = program.instructions
      .flatMap(({ outputs }) => outputs)
      .map((buffer) => program.buffers[buffer]!)
      .filter((made) => made.arena === gradient.arena && made.offset >= gradient.offset)
      .map((made) => made.offset - gradient.offset);
    expect(starts).toEqual(expect.arrayContaining([0, 12, 16, 24]));
  });

  test('a value joined twice, and a stored one, are copied', () => {
    const a = matmul(x, kernel);
    const program = compile({ name: 'joined', outputs: { y: concatenate([a, kernel, a], 0) } });
    expect(operationsOf(program).sort()).toEqual(['assign', 'assign', 'matmul']);
  });
});

describe('assignments', () => {
  const p = stored('parameters', 0, [6], 'f32', 'p');
  const q = stored('parameters', 6, [6], 'f32', 'q');

  test('a guarded map under the condition of its own flag lies in place', () => {
    const { outputs, finite: flag } = guardedMap((a, b) => [a.add(b), b.mul(2)], p, q);
    const program = compile({
      name: 'guarded',
      outputs: { flag },
      assignments: [
        { target: p, value: outputs[0]!, when: flag },
        { target: q, value: outputs[1]!, when: flag },
      ],
    });
    expect(operationsOf(program)).toEqual(['map']);
    expect(program.instructions[0]!.outputs.slice(0, 2)).toEqual(program.instructions[0]!.inputs);
  });

  test('a condition of another kind is a copy', () => {
    const value = map((a) => a.mul(2), p);
    const program = compile({ name: 'when', outputs: {}, assignments: [{ target: p, value, when: finite([value]) }] });
    expect(operationsOf(program)).toEqual(['map', 'finite', 'assign']);
  });

  test('everyone who reads the old value comes first', () => {
    const next = map((a) => a.mul(2), p);
    const square = map((a, b) => a.mul(b), p, q);
    const program = compile({
      name: 'readers',
      outputs: { total: reduceSum(next, { axis: 'all' }), old: matmul(reshape(p, [1, 6]), reshape(square, [6, 1])) },
      assignments: [{ target: p, value: next }],
    });
    const writes = program.instructions.findIndex(({ outputs }) =>
      outputs.some((buffer) => program.buffers[buffer]?.arena === 'parameters'),
    );
    const reads = program.instructions.findIndex(({ operation }) => operation === 'matmul');
    expect(reads).toBeLessThan(writes);
  });

  test('where somebody needs the old value after the new one, the new one is copied', () => {
    const next = map((a) => a.tanh(), p);
    const both = map((a, b) => a.mul(b), p, softmaxLike(next));
    const program = compile({ name: 'late reader', outputs: { both }, assignments: [{ target: p, value: next }] });
    expect(operationsOf(program).at(-1)).toBe('assign');
  });

  const softmaxLike = (value: Value) => map((a, sum) => a.div(sum), value, reduceSum(value, { axis: 'all' }));

  test('two values change places', async () => {
    const program = compile({
      name: 'swap',
      outputs: {},
      assignments: [
        { target: p, value: q },
        { target: q, value: p },
      ],
    });
    const engine = createReferenceEngine({ precision: 'f32' });
    const [stream, parameters] = [engine.createStream(), engine.allocate(12)];
    await stream.write(
      parameters,
      0,
      Float32Array.from({ length: 12 }, (_, index) => index),
    );
    await stream.submit({ program: engine.load(program), memories: { parameters }, inputs: {} });
    const swapped = Array.from(await stream.read(parameters, 0, 12, 'f32'));
    expect(swapped).toEqual([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]);
  });

  test('an id outside its table fails the step before anything is written', async () => {
    const [table, count] = [stored('parameters', 0, [3, 2], 'f32', 'table'), stored('state', 0, [1], 'i32', 'count')];
    const rows = embedding(input('ids', [2], 'i32'), table);
    const program = compile({
      name: 'late failure',
      outputs: { rows },
      assignments: [
        { target: count, value: increment(count, 1) },
        { target: table, value: map((a) => a.add(1), table) },
      ],
    });
    expect(operationsOf(program)[0]).toBe('embedding');
    const engine = createReferenceEngine({ precision: 'f32' });
    const [stream, parameters, state] = [engine.createStream(), engine.allocate(6), engine.allocate(1)];
    const memories = { parameters, state };
    const step = stream.submit({ program: engine.load(program), memories, inputs: { ids: Int32Array.of(0, 7) } });
    await expect(step).rejects.toEqual(refusal('out-of-range', /id 7 at position 1 lies outside of 0 to 2/));
    expect(await stream.read(parameters, 0, 6, 'f32')).toEqual(new Float32Array(6));
    expect(await stream.read(state, 0, 1, 'i32')).toEqual(Int32Array.of(0));
  });

  test('are refused where they cannot mean anything', () => {
    const attempt = (target: Value, value: Value, more: { target: Value; value: Value }[] = []) => {
      return () => compile({ name: 'refused', outputs: {}, assignments: [{ target, value }, ...more] });
    };
    expect(attempt(x, x)).toThrow(refusal('invalid-argument', /assignment 0 has a target that is not a stored value/));
    expect(attempt(p, x)).toThrow(refusal('invalid-shape', /assignment to 'p' expected f32 \[6\], got f32 \[4, 3\]/));
    const half = stored('parameters', 3, [6], 'f32', 'half');
    expect(attempt(p, q, [{ target: half, value: q }])).toThrow(
      refusal('invalid-argument', /'half' and 'p' share memory/),
    );
  });
});

describe('refusals', () => {
  test('a tensor of 2^31 elements, before anything is allocated', () => {
    const wide = input('wide', [65536, 1], 'f32');
    expect(() => matmul(wide, input('row', [1, 65536], 'f32'))).toThrow(
      refusal('out-of-memory', /matmul: a tensor \[65536, 65536\] would take 16\.0 GiB/),
    );
  });

  test('arenas of 2^31 elements', () => {
    const big = [0, 1, 2].map((n) => input(`x${n}`, [2 ** 15, 2 ** 15], 'f32'));
    expect(() => compile({ name: 'large', outputs: { sum: map((a, b, c) => a.add(b).add(c), ...big) } })).toThrow(
      refusal('out-of-memory', /program 'large' needs 12\.0 GiB of input memory/),
    );
  });

  test('two inputs of one name', () => {
    const other = input('x', [3, 3], 'f32');
    expect(() => compile({ name: 'names', outputs: { y: matmul(x, other) } })).toThrow(
      refusal('invalid-argument', /two inputs that differ are both named 'x'/),
    );
  });

  test('gradients taken twice of one recurrent operation', () => {
    const tanh = { kind: 2, expression: (p: Expression) => p.tanh() } as const;
    const w = stored('parameters', 0, [3, 3], 'f32', 'w');
    const { output } = recurrent({
      cell: 'simple',
      input: input('sequence', [5, 2, 3], 'f32'),
      kernel: w,
      recurrentKernel: stored('parameters', 9, [3, 3], 'f32', 'u'),
      gateActivation: tanh,
      activation: tanh,
      training: true,
    });
    const [first] = gradients(reduceSum(output, { axis: 'all' }), [w]);
    const [second] = gradients(
      reduceSum(
        map((a) => a.square(), output),
        { axis: 'all' },
      ),
      [w],
    );
    expect(() => compile({ name: 'twice', outputs: { first: first!, second: second! } })).toThrow(
      refusal('invalid-argument', /gradients of one recurrent operation were taken twice/),
    );
  });
});

test('a printed program can be read', () => {
  const targets = input('targets', [4], 'i32', { limit: 3 });
  const loss = softmaxCrossEntropy(matmul(x, kernel), targets, { scale: 0.25 });
  const [gradient] = gradients(loss, [kernel]);
  const program = compile({
    name: 'step',
    outputs: { loss },
    assignments: [{ target: kernel, value: map((w, g) => w.sub(g.mul(0.1)), kernel, gradient!) }],
  });
  expect(printProgram(program)).toBe(
    [
      'step   4 instructions   234 FLOP   scratch 128 B of 192 B without reuse',
      '0  matmul               %0 [4,3]       x, kernel',
      '1  softmaxCrossEntropy  loss %1 [4,3]  %0, targets',
      '2  matmul               %2 [3,3]       x, %1',
      '3  map                  kernel [3,3]   kernel, %2',
    ].join('\n'),
  );
});

test('a program is plain data: it survives being written down', async () => {
  const program = compile({ name: 'plain', outputs: { y: map((a, b) => a.mul(b).tanh(), x, y) } });
  const again = JSON.parse(JSON.stringify(program)) as Program;
  const engine = createReferenceEngine({ precision: 'f64' });
  const stream = engine.createStream();
  const inputs = { x: Float64Array.from({ length: 12 }, Math.sin), y: Float64Array.from({ length: 12 }, Math.cos) };
  const [first, second] = await Promise.all(
    [program, again].map((each) => stream.submit({ program: engine.load(each), memories: {}, inputs })),
  );
  expect(second).toEqual(first);
});
