/** The rules of training in a recurrent network: what plain loops do with the gradients of the reference engine. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import type { NumericArray } from '../../src/compute/tensor.js';
import type { Batch } from '../../src/data/batch.js';
import { constraints } from '../../src/network/constraints.js';
import type { Network } from '../../src/network/network.js';
import { purposeOf } from '../../src/network/purpose.js';
import { updaters } from '../../src/network/updaters/index.js';
import { batchShape } from '../../src/training/batch-shape.js';
import { inputsFor, portsOf } from '../../src/training/engine-numbers.js';
import { trainingRule } from '../../src/training/rule.js';
import { differentiated } from '../../src/training/train-step.js';
import { exact } from '../network/engines.js';
import { data, language, loss, trainerFor } from './language.js';
import { type PlainOptions, plainTraining } from './plain-training.js';
import type { ProbeParameter } from './weights-probe.js';

const settings: Readonly<Record<string, Partial<PlainOptions>>> = {
  'penalties, decay and clipping by layer': {
    regularization: {
      l1: { kernel: 1e-3 },
      l2: { kernel: 0.01, recurrent: 0.02, embedding: 0.005 },
      decay: { recurrent: 0.05, bias: 0.01 },
      placement: 'beforeClipping',
    },
    clip: { layerNorm: 0.3 },
  },
  'constraints, averages and momentum': {
    constraints: {
      kernel: constraints.maxNorm({ maximum: 0.9 }),
      recurrent: constraints.unitNorm(),
      embedding: constraints.minMaxNorm({ minimum: 2, maximum: 2.5, rate: 0.5 }),
    },
    momentum: 0.9,
    average: { kind: 'exponential', decay: 0.8, from: 1, every: 1 },
  },
  'a frozen layer, learning rates, noise and accumulation': {
    layers: { gru: { learningRate: 1, trainable: false }, dense: { learningRate: 0.3, trainable: true } },
    gradientNoise: { variance: 0.001, decay: 0.55 },
    accumulate: 2,
    clip: { parameterNorm: 0.2 },
  },
};
const neutral: PlainOptions = {
  learningRate: 0.5,
  momentum: 0,
  regularization: { l1: {}, l2: {}, decay: {}, placement: 'afterClipping' },
  clip: undefined,
  constraints: {},
  layers: {},
  gradientNoise: undefined,
  accumulate: 1,
  average: undefined,
};

/** Gives the gradient of a batch for all parameters at given weights. */
function gradientOf(network: Network, batch: Batch): (weights: readonly number[]) => Promise<NumericArray> {
  const rule = trainingRule(network, { loss, updater: updaters.sgd() });
  const shape = { ...batchShape(network, loss, batch), initialStates: 'zero' as const };
  const { gradients } = differentiated(network, rule, shape);
  const outputs = Object.fromEntries(gradients.map((value, index) => [String(index), value]));
  const program = exact.load(compile({ name: 'gradients', outputs, assignments: [] }));
  const stream = exact.createStream();
  return async (weights) => {
    const parameters = exact.allocate(weights.length);
    await stream.write(parameters, 0, Float64Array.from(weights));
    const inputs = inputsFor(exact, program, portsOf(batch, loss));
    const got = await stream.submit({ program, memories: { parameters }, inputs });
    return Float64Array.from(gradients.flatMap((_, index) => [...got[String(index)]!.data]));
  };
}

const placesOf = ({ parameterLayout, layerNames }: Network): ProbeParameter[] =>
  parameterLayout.map(({ layer, ...place }) => ({ ...place, layer: layerNames[layer]! }));

/** Parameters after each step, and the averages at the end. */
async function trained(
  engine: Engine,
  { learningRate, momentum, clip, gradientNoise, average, ...rest }: PlainOptions,
) {
  const network = language(engine);
  const trainer = trainerFor(network, {
    updater: updaters.sgd({ learningRate, momentum }),
    ...rest,
    ...(clip ? { clip } : {}),
    ...(gradientNoise ? { gradientNoise } : {}),
    ...(average ? { average } : {}),
  });
  const parameters: NumericArray[] = [];
  for (const batch of data()) {
    await trainer.step(batch);
    parameters.push(await network.stream.read(network.memory, 0, network.parameterCount, 'f32'));
  }
  const averages = average && (await trainer.averagedParameters());
  return { parameters, averages };
}

/** The plain loops, with every gradient as far off as `off` times its norm. */
async function* plain(options: PlainOptions, { roundoff, off = 0 }: { roundoff: number; off?: number }) {
  const network = language(exact);
  const start = await network.stream.read(network.memory, 0, network.parameterCount, 'f32');
  const batches = data().map((batch) => {
    const gradient = gradientOf(network, batch);
    return async (weights: readonly number[]) => {
      const values = await gradient(weights);
      const size = off * Math.hypot(...values);
      return values.map((value, index) => value + (index % 2 ? size : -size));
    };
  });
  const noise = { roundoff, seed: network.seed, purpose: purposeOf('gradient noise') };
  yield* plainTraining(placesOf(network), start, batches, options, noise);
}

/**
 * How far a gradient may be off, as a share of its norm: it is a sum over 32 rows, through 8 steps of a dozen roundings of
 * sums of up to 14 terms.
 */
const gradientError = 8 * (32 + 12 * 14);

const { addon } = loadAddon();

describe.each(Object.keys(settings))('%s', (name) => {
  const options = { ...neutral, ...settings[name] };

  /** Expects weights within what such errors in every step make of them. */
  async function expectNear(got: Awaited<ReturnType<typeof trained>>, roundoff: number): Promise<void> {
    const disturbed = plain(options, { roundoff, off: gradientError * roundoff });
    let step = 0;
    for await (const { parameters, averages } of plain(options, { roundoff })) {
      const other = (await disturbed.next()).value!;
      const bound = (values: typeof parameters, off: typeof parameters) =>
        Math.max(...values.map(({ value, error }, index) => error + Math.abs(value - off[index]!.value)));
      const allowed = bound(parameters, other.parameters);
      for (const [index, { value }] of parameters.entries()) {
        expect(Math.abs(got.parameters[step]![index]! - value), `step ${step + 1}, ${index}`).toBeLessThanOrEqual(
          allowed,
        );
      }
      step += 1;
      if (step < got.parameters.length || !averages) continue;
      // They are handed out in single precision.
      const single =
        bound(averages, other.averages!) + 2 ** -24 * Math.max(...averages.map(({ value }) => Math.abs(value)));
      for (const [index, { value }] of averages.entries()) {
        expect(Math.abs(got.averages![index]! - value), `average ${index}`).toBeLessThanOrEqual(single);
      }
    }
    expect(step).toBe(data().length);
  }

  it('as plain loops, in double precision', async () => expectNear(await trained(exact, options), 2 ** -53));

  it.skipIf(!addon)('as plain loops, and the same bits on 1, 2 and 3 threads, on the native engine', async () => {
    const native = (threads: number) => trained(createNativeEngine({ addon: addon!, threads }), options);
    const one = await native(1);
    await expectNear(one, 2 ** -24);
    expect(await native(2)).toEqual(one);
    expect(await native(3)).toEqual(one);
  });
});
