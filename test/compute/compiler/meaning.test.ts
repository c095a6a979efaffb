/** Whatever the compiler merges, fuses, reorders and places, a program does what its graph says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CompileOptions, compile } from '../../../src/compute/compiler.js';
import { loadAddon } from '../../../src/compute/engine/addon.js';
import type { Engine } from '../../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { input, reshape, stored, type Value } from '../../../src/compute/graph.js';
import {
  concatenate,
  finite,
  guardedMap,
  increment,
  map,
  matmul,
  reduceMaximum,
  reduceSum,
  slice,
  softmax,
  transpose,
} from '../../../src/compute/operations/index.js';
import { normals } from '../../../src/compute/random.js';
import { elementCount } from '../../../src/compute/tensor.js';
import { interpret } from './interpreter.js';

/** Two stored matrices side by side, the two as one, parts of them, and inputs: ranges that overlap in every way. */
function sources() {
  const a = stored('parameters', 0, [2, 3], 'f32', 'a');
  const b = stored('parameters', 6, [2, 3], 'f32', 'b');
  const both = stored('parameters', 0, [12], 'f32', 'both');
  const middle = stored('parameters', 3, [2, 3], 'f32', 'middle');
  const state = stored('state', 1, [2, 3], 'f32', 'state');
  const count = stored('state', 0, [1], 'i32', 'count');
  const x = input('x', [2, 3], 'f32');
  const row = input('row', [3], 'f32');
  return { a, b, both, middle, state, count, x, row };
}

/** A new value from values of the pool, chosen by three numbers. */
type Maker = (pick: (index: number, fits?: (value: Value) => boolean) => Value, n: number) => Value[];
const isMatrix = ({ shape }: Value) => shape.length === 2;
const sameAs = (other: Value) => (value: Value) => value.shape.join() === other.shape.join();
const makers: Readonly<Record<string, Maker>> = {
  combine: (pick) => {
    const left = pick(0);
    return [map((p, q) => p.mul(0.5).add(q.tanh()), left, pick(1, sameAs(left)))];
  },
  activate: (pick) => [map((p) => p.sigmoid(), pick(0))],
  scale: (pick) => [map((p, s) => p.mul(s), pick(0), reduceMaximum(pick(1), { axis: 'all' }))],
  both: (pick) => {
    const left = pick(0);
    return map((p, q) => [p.sub(q).tanh(), p.max(q)], left, pick(1, sameAs(left)));
  },
  guarded: (pick) => {
    const left = pick(0);
    return guardedMap((p, q) => [p.mul(q).tanh(), p.min(q)], left, pick(1, sameAs(left))).outputs;
  },
  constant: (pick) => [map((p) => p.mul(0).add(0.5), pick(0))],
  columns: (pick) => {
    const value = pick(0);
    return [map((p, c) => p.sub(c), value, reduceSum(value, { axis: 'rows', scale: 0.1 }))];
  },
  transpose: (pick) => [transpose(pick(0, isMatrix))],
  product: (pick) => {
    const left = pick(0, isMatrix);
    return [map((p) => p.tanh(), matmul(left, pick(1, sameAs(left)), { transposeB: true }))];
  },
  softmax: (pick) => [softmax(pick(0))],
  flatten: (pick) => [reshape(pick(0), [elementCount(pick(0).shape)])],
  last: (pick) => {
    const value = pick(0);
    return [slice(value, { axis: 0, start: value.shape[0]! - 1, length: 1 })];
  },
  join: (pick) => {
    const left = pick(0);
    return [concatenate([left, pick(1, sameAs(left)), pick(2, sameAs(left))], 0)];
  },
};

const step = fc.record({
  maker: fc.constantFrom(...Object.keys(makers)),
  choices: fc.tuple(fc.nat(), fc.nat(), fc.nat()),
});
const description = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
  outputs: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
  targets: fc.constantFrom(['a', 'b', 'state'], ['both', 'state'], ['middle'], ['b', 'a'], ['state', 'both']),
  values: fc.tuple(fc.nat(), fc.nat(), fc.nat()),
  when: fc.array(fc.constantFrom('always', 'finite', 'count'), { minLength: 3, maxLength: 3 }),
});

type Drawn = typeof description extends fc.Arbitrary<infer T> ? T : never;

function build(drawn: Drawn): CompileOptions {
  const named = sources();
  const { count, ...numbers } = named;
  const pool: Value[] = Object.values(numbers);
  // Later values are likelier, so that graphs grow deep.
  const choose = (among: readonly Value[], n: number) => among[among.length - 1 - (n % Math.min(among.length, 6))]!;
  for (const { maker, choices } of drawn.steps) {
    const pick = (index: number, fits: (value: Value) => boolean = () => true) =>
      choose(pool.filter(fits), choices[index]!);
    const made = makers[maker]!(pick, choices[0]);
    pool.push(...made.filter(({ shape }) => elementCount(shape) <= 200));
  }
  const assignments = drawn.targets.map((name, index) => {
    const target = named[name as 'a'];
    const fitting = pool.filter(({ shape }) => elementCount(shape) === elementCount(target.shape));
    const value = reshape(choose(fitting, drawn.values[index]!), target.shape);
    const guard = value.node.attributes.guard ? value.node.outputs.at(-1)! : finite([value]);
    const when = { always: undefined, finite: guard, count }[drawn.when[index]!];
    return when ? { target, value, when } : { target, value };
  });
  return {
    name: 'random graph',
    outputs: Object.fromEntries(drawn.outputs.map((n, index) => [`out${index}`, choose(pool, n)])),
    assignments: [...assignments, { target: count, value: increment(count, 1) }],
  };
}

const draw = (count: number, purpose: number) => normals(count, { seed: 3, purpose });
const given = { x: draw(6, 1), row: draw(3, 2) };

/** Compiles a random graph, runs it and compares everything that comes out or stays with what the graph says. */
async function check(
  engine: Engine,
  { drawn, counted }: { drawn: Drawn; counted: boolean },
  tolerance: number,
): Promise<void> {
  const options = build(drawn);
  const real = (values: Float64Array) => (engine.precision === 'f64' ? values : Float32Array.from(values));
  const before = { parameters: draw(12, 3), updater: new Float64Array(0), state: draw(7, 4) };
  before.state[0] = Number(counted);
  const wanted = interpret(options, before, given);

  const stream = engine.createStream({ threads: 1 });
  const program = engine.load(compile(options));
  const [parameters, state] = [engine.allocate(12), engine.allocate(7)];
  await stream.write(parameters, 0, real(before.parameters));
  await stream.write(state, 1, real(before.state.subarray(1)));
  await stream.write(state, 0, Int32Array.of(Number(counted)));
  const ports = program.program.inputs.map(({ name }) => name as 'x');
  const inputs = Object.fromEntries(ports.map((name) => [name, real(given[name])]));
  const outputs = await stream.submit({ program, memories: { parameters, state }, inputs });

  const expectClose = (what: string, got: ArrayLike<number>, right: Float64Array) => {
    for (const [index, value] of right.entries()) {
      const error = Math.abs(got[index]! - value);
      expect(error, `${what}[${index}]`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
    }
  };
  for (const [name, right] of Object.entries(wanted.outputs)) expectClose(name, outputs[name]!.data, right);
  expectClose('parameters', await stream.read(parameters, 0, 12, 'f32'), wanted.memories.parameters);
  expectClose('state', await stream.read(state, 1, 6, 'f32'), wanted.memories.state.subarray(1));
  expectClose('count', await stream.read(state, 0, 1, 'i32'), wanted.memories.state.subarray(0, 1));
  await stream.close();
  for (const resource of [program, parameters, state]) resource.dispose();
}

const seed = Number(process.env.MNEME_SEED ?? 4);
const examples = fc.record({ drawn: description, counted: fc.boolean() });

test('random graphs with views, overlapping stored ranges and assignments', async () => {
  const engine = createReferenceEngine({ precision: 'f64' });
  // Fused expressions fold constants in another order: a few roundings, which the functions here do not amplify.
  const property = fc.asyncProperty(examples, (example) => check(engine, example, 1e-11));
  await fc.assert(property, { seed, numRuns: 1500 });
});

const { addon } = loadAddon();
test.skipIf(!addon)('the same on the native engine, which verifies what it loads', async () => {
  const engine = createNativeEngine({ addon: addon! });
  // Up to 14 functions in a row of values of size 1, each off by some 10 roundings of single precision: 1e-5.
  const property = fc.asyncProperty(examples, (example) => check(engine, example, 1e-4));
  await fc.assert(property, { seed, numRuns: 500 });
});
