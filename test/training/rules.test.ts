/**
 * All rules together: whatever the options and the network, every engine does with given gradients what plain loops do
 * with them, to within the roundings that are on the way, with the same bits on any number of threads and instruction set.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { normals } from '../../src/compute/random.js';
import type { NumericArray } from '../../src/compute/tensor.js';
import { type Constraint, constraints } from '../../src/network/constraints.js';
import { purposeOf } from '../../src/network/purpose.js';
import { updaters } from '../../src/network/updaters/index.js';
import { exact } from '../network/engines.js';
import { type PlainClip, type PlainOptions, plainTraining } from './plain-training.js';
import { parametersOf, probe, type Weights } from './weights-probe.js';

const { addon } = loadAddon();
const sets = addon?.machine().instructionSets ?? [];
const native = (threads: number, instructionSet = sets[0]!) =>
  createNativeEngine({ addon: addon!, threads, instructionSet });

const extent = fc.integer({ min: 1, max: 5 });
const matrix = fc.tuple(extent, extent);
const layer = fc
  .record({ kernel: matrix, recurrent: matrix, bias: fc.tuple(extent), embedding: matrix }, { requiredKeys: [] })
  .filter((groups) => Object.keys(groups).length > 0);
const weights = fc
  .array(layer, { minLength: 1, maxLength: 3 })
  .map((all): Weights => Object.fromEntries(all.map((groups, index) => [`weights${'ABC'[index]}`, groups])));

const rate = fc.constantFrom(0, 0.003, 0.1, 0.4);
const groupsOf = <Option>(option: fc.Arbitrary<Option>) =>
  fc.record({ kernel: option, recurrent: option, bias: option, embedding: option }, { requiredKeys: [] });
const none = fc.constant(undefined);
const clip: fc.Arbitrary<PlainClip | undefined> = fc.oneof(
  none,
  fc.constantFrom(0.3, 2).map((element) => ({ element })),
  fc.constantFrom(0.5, 4).map((globalNorm) => ({ globalNorm })),
  fc.constantFrom(0.5, 4).map((layerNorm) => ({ layerNorm })),
  fc.constantFrom(0.5, 4).map((parameterNorm) => ({ parameterNorm })),
  fc.constantFrom('layer' as const, 'parameter' as const).map((renormalize) => ({ renormalize })),
);
const axis = fc.constantFrom(0 as const, 1 as const, undefined);
const constraint: fc.Arbitrary<Constraint> = fc.oneof(
  axis.map((over) => constraints.maxNorm({ maximum: 0.8, axis: over })),
  axis.map((over) => constraints.unitNorm({ axis: over })),
  axis.map((over) => constraints.minMaxNorm({ minimum: 0.5, maximum: 1.1, rate: 0.7, axis: over })),
  fc.constant(constraints.nonNegative()),
);
const when = { from: fc.integer({ min: 0, max: 2 }), every: fc.integer({ min: 1, max: 2 }) };
const average = fc.oneof(
  none,
  fc.record({ kind: fc.constant('exponential' as const), decay: fc.constantFrom(0.5, 0.9), ...when }),
  fc.record({ kind: fc.constant('stochastic' as const), ...when }),
);
const ofLayer = fc.record({ learningRate: fc.constantFrom(0, 0.5, 1, 3), trainable: fc.boolean() });
const options: fc.Arbitrary<PlainOptions> = fc.record({
  learningRate: fc.constantFrom(0.05, 0.3),
  momentum: fc.constantFrom(0, 0.8),
  regularization: fc.record({
    l1: groupsOf(rate),
    l2: groupsOf(rate),
    decay: groupsOf(rate),
    placement: fc.constantFrom('afterClipping' as const, 'beforeClipping' as const),
  }),
  clip,
  constraints: groupsOf(constraint),
  // One layer always stays: A, whose `trainable` is not drawn.
  layers: fc.record(
    { weightsA: ofLayer.map((own) => ({ ...own, trainable: true })), weightsB: ofLayer, weightsC: ofLayer },
    { requiredKeys: [] },
  ),
  gradientNoise: fc.oneof(none, fc.constant({ variance: 0.04, decay: 0.55 })),
  accumulate: fc.integer({ min: 1, max: 3 }),
  average,
});
const cases = fc.tuple(weights, options, fc.nat());

const steps = 7;
const sizes = [1, 0.01, 3];
/** Gradients of several sizes, zeros among them. */
const gradientsOf = (count: number, seed: number): Float32Array[] =>
  Array.from({ length: steps }, (_, step) =>
    Float32Array.from(normals(count, { seed, purpose: 1, step }), (x, index) =>
      (index + step) % 5 === 0 ? 0 : x * sizes[step % 3]!,
    ),
  );

interface Run {
  readonly parameters: NumericArray[];
  readonly averages: (Float32Array | undefined)[];
  readonly norms: (number | undefined)[];
}

async function run(
  engine: Engine,
  of: Weights,
  settings: PlainOptions,
  start: NumericArray,
  seed: number,
): Promise<Run> {
  const { learningRate, momentum, layers, clip, gradientNoise, average, ...rules } = settings;
  const known = Object.fromEntries(Object.entries(layers).filter(([name]) => name in of));
  const { trainer, ...on } = await probe(engine, of, start, {
    updater: updaters.sgd({ learningRate, momentum }),
    layers: known,
    ...rules,
    ...(clip ? { clip } : {}),
    ...(gradientNoise ? { gradientNoise } : {}),
    ...(average ? { average } : {}),
  });
  const result: Run = { parameters: [], averages: [], norms: [] };
  for (const gradient of gradientsOf(start.length, seed)) {
    const { gradientNorm, updated } = await on.step(gradient);
    result.norms.push(updated ? gradientNorm : undefined);
    result.parameters.push(await on.parameters());
    result.averages.push(await trainer.averagedParameters().catch(() => undefined));
  }
  on.dispose();
  return result;
}

const startOf = (of: Weights, seed: number) => {
  const count = parametersOf(of).reduce((sum, { length }) => sum + length, 0);
  return Float32Array.from(normals(count, { seed, purpose: 2 }));
};

async function expectPlain(
  got: Run,
  of: Weights,
  settings: PlainOptions,
  seed: number,
  roundoff: number,
): Promise<void> {
  const start = startOf(of, seed);
  const noise = { roundoff, seed: 7, purpose: purposeOf('gradient noise') };
  const batches = gradientsOf(start.length, seed).map((gradient) => () => gradient);
  const plain = plainTraining(parametersOf(of), start, batches, settings, noise);
  // What the bounds leave out: products of errors, and numbers too small for single precision.
  const allowed = (error: number) => 1.05 * error + 1e-37;
  let step = 0;
  for await (const { parameters, averages, norm } of plain) {
    for (const [index, { value, error }] of parameters.entries()) {
      const off = Math.abs(got.parameters[step]![index]! - value);
      expect(off, `step ${step + 1}, parameter ${index}: ${value}`).toBeLessThanOrEqual(allowed(error));
    }
    expect(got.averages[step] === undefined, `step ${step + 1}: averages`).toBe(averages === undefined);
    for (const [index, { value, error }] of (averages ?? []).entries()) {
      const trained = got.averages[step]![index]!;
      const frozen = isFrozen(of, settings, index);
      const want = frozen ? parameters[index]!.value : value;
      // They are handed out in single precision.
      const off = Math.abs(trained - want) - Math.abs(want) * 2 ** -24;
      expect(off, `step ${step + 1}, average ${index}: ${want}`).toBeLessThanOrEqual(allowed(frozen ? 0 : error));
    }
    expect(got.norms[step] === undefined, `step ${step + 1}: norm`).toBe(norm === undefined);
    if (norm !== undefined) {
      const off = Math.abs(got.norms[step]! - norm);
      // Of the weights in it only where penalties are: their own error is far below.
      expect(off, `step ${step + 1}, norm ${norm}`).toBeLessThanOrEqual(
        norm * (start.length + 40) * 8 * roundoff + 1e-19,
      );
    }
    step += 1;
  }
}

const isFrozen = (of: Weights, { layers }: PlainOptions, index: number): boolean => {
  const place = parametersOf(of).find(({ offset, length }) => index >= offset && index < offset + length)!;
  return layers[place.layer]?.trainable === false;
};

describe('rules of training against plain loops', () => {
  it('in double precision', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([of, settings, seed]) => {
        const got = await run(exact, of, settings, startOf(of, seed), seed);
        await expectPlain(got, of, settings, seed, 2 ** -53);
      }),
      { numRuns: 150 },
    );
  });

  it.skipIf(!addon)('on the native engine, with the same bits on every one', async () => {
    const one = native(1);
    const others = [native(2), native(3), ...sets.slice(1).map((set) => native(1, set))];
    await fc.assert(
      fc.asyncProperty(cases, async ([of, settings, seed]) => {
        const start = startOf(of, seed);
        const got = await run(one, of, settings, start, seed);
        await expectPlain(got, of, settings, seed, 2 ** -24);
        for (const other of others) expect(await run(other, of, settings, start, seed)).toEqual(got);
      }),
      { numRuns: 60 },
    );
  });
});
