/**
 * One suite, all engines: a graph runs on the reference in double precision, whose answer is the right one, on the
 * reference in single precision, and on the native engine with every instruction set and several numbers of threads,
 * which must agree to the bit with each other.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { compile } from '../../../src/compute/compiler.js';
import { loadAddon } from '../../../src/compute/engine/addon.js';
import type { Engine } from '../../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { input, type Value } from '../../../src/compute/graph.js';
import type { Program } from '../../../src/compute/program.js';
import { normals } from '../../../src/compute/random.js';
import { elementCount, type NumericArray, type Shape, type Tensor, tensor } from '../../../src/compute/tensor.js';

/** Half the distance of 1 to the next f32: the relative error of one rounding. */
export const roundoff = 2 ** -24;

/**
 * A sum of n terms with an error of one rounding each is off by at most n roundings of Σ|terms|, and, as the errors are
 * independent of each other, in all but one of 10^15 cases by less than 8·sqrt(n) (Higham and Mary 2019, theorem 2.4).
 */
export const sumError = (terms: number): number => Math.min(terms, 8 * Math.sqrt(terms)) * roundoff;

/** The largest error allowed for an element, given the right buffer. */
export type Tolerance = (right: Float64Array) => (index: number) => number;
/** No error at all. */
export const exact: Tolerance = () => () => 0;
/** Relative to the largest number of the buffer. */
export const ofLargest =
  (relative: number): Tolerance =>
  (right) => {
    const allowed = relative * right.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    return () => allowed;
  };
/** Relative to each number; below the normal numbers of single precision, one of those. */
export const ofEach =
  (relative: number): Tolerance =>
  (right) =>
  (index) =>
    relative * Math.abs(right[index]!) + 2 ** -126;

export interface Example {
  readonly inputs: Readonly<Record<string, Tensor>>;
  build(values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>>;
  readonly tolerances: Readonly<Record<string, Tolerance>>;
}

const load = loadAddon();
/** Undefined where there is no addon: the tests then say that the native engine was skipped. */
export const addon = load.addon;

const right = createReferenceEngine({ precision: 'f64' });
const single = createReferenceEngine({ precision: 'f32' });
const native = (addon?.machine().instructionSets ?? []).flatMap((instructionSet, index) => {
  const engine = createNativeEngine({ addon: addon!, instructionSet });
  const threads = index === 0 ? [1, 2, 3] : [1];
  return threads.map((count) => ({ engine, stream: engine.createStream({ threads: count }), instructionSet, count }));
});

/** Expects all engines to give the right answer within the tolerances, and the native ones the same bits. */
export async function expectAgreement({ inputs, build, tolerances }: Example): Promise<void> {
  const program = compile({ name: 'agreement', outputs: build(portsOf(inputs)) });
  const wanted = await run(right, program, inputs);
  expectWithin('reference f32', await run(single, program, inputs), wanted, tolerances);
  let first: Readonly<Record<string, NumericArray>> | undefined;
  for (const { engine, stream, instructionSet, count } of native) {
    const got = await run(engine, program, inputs, stream);
    if (!first) expectWithin('native', got, wanted, tolerances);
    first ??= got;
    for (const [name, data] of Object.entries(got)) {
      const difference = firstDifference(data, first[name]!);
      expect(difference, `${name}: ${instructionSet}, ${count} threads, differs in element ${difference}`).toBe(-1);
    }
  }
}

/** A property over examples, checked on a fixed sequence of them; `MNEME_SEED` selects another one. */
export async function forExamples<T>(
  examples: fc.Arbitrary<T>,
  make: (drawn: T) => Example,
  { runs = 25 }: { readonly runs?: number } = {},
): Promise<void> {
  const seed = Number(process.env.MNEME_SEED ?? 1);
  await fc.assert(
    fc.asyncProperty(examples, (drawn) => expectAgreement(make(drawn))),
    { numRuns: runs, seed },
  );
}

/** Standard normal numbers as f32. */
export const noise = (shape: Shape, purpose: number, scale = 1): Tensor =>
  tensor(
    Float32Array.from(normals(elementCount(shape), { seed: 7, purpose }), (x) => x * scale),
    shape,
  );

/** Ids below `limit` that repeat and leave gaps. */
export const ids = (shape: Shape, limit: number, purpose = 1): Tensor =>
  tensor(
    Int32Array.from({ length: elementCount(shape) }, (_, index) => (index * index + 7 * index + purpose) % limit),
    shape,
  );

function portsOf(inputs: Readonly<Record<string, Tensor>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => [
      name,
      input(name, shape, dtype === 'i32' ? 'i32' : 'f32'),
    ]),
  );
}

async function run(
  engine: Engine,
  program: Program,
  inputs: Readonly<Record<string, Tensor>>,
  stream = engine.createStream(),
): Promise<Record<string, NumericArray>> {
  const loaded = engine.load(program);
  const given = Object.fromEntries(program.inputs.map(({ name }) => [name, inputs[name]!]));
  const outputs = await stream.submit({ program: loaded, memories: {}, inputs: given });
  loaded.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
}

function expectWithin(
  who: string,
  got: Readonly<Record<string, NumericArray>>,
  wanted: Readonly<Record<string, NumericArray>>,
  tolerances: Readonly<Record<string, Tolerance>>,
): void {
  for (const [name, tolerance] of Object.entries(tolerances)) {
    const answer = Float64Array.from(wanted[name]!);
    const allowed = tolerance(answer);
    for (const [index, value] of got[name]!.entries()) {
      const target = answer[index]!;
      // Beyond the largest number of single precision the right answer there is infinite.
      const same = Object.is(value, target) || value === target || value === Math.fround(target);
      if (same || Math.abs(value - target) <= allowed(index)) continue;
      expect.fail(`${who}: ${name}[${index}] is ${value}, the right answer ${target} ± ${allowed(index)}`);
    }
  }
}

/** The first element that differs in a bit, -1 if none does. All NaN count as one: their sign means nothing. */
const firstDifference = (a: NumericArray, b: NumericArray): number =>
  a.findIndex((value, index) => !Object.is(value, b[index]));
