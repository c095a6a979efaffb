/**
 * Updaters and clipping agree with PyTorch and Keras over 25 steps, gradients from 0.001 to 10 and zeros among them.
 *
 * Not among the cases, because mneme does not have it yet: weight decay, dampening, AMSGrad, AdaDelta, AdamW, NAdam,
 * AdaMax, RAdam, Lion, and clipping by other norms than the Euclidean.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { type NumericArray, type Tensor, tensor } from '../../src/compute/tensor.js';
import type { ClipOptions } from '../../src/network/clipping.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { Updater } from '../../src/network/updaters/updater.js';
import { exact, native } from '../network/engines.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors } from '../network/fixtures.js';
import { partOf } from '../network/pytorch-parameters.js';
import { trajectory } from './gradient-probe.js';

type Options = Readonly<Record<string, number | boolean | string | readonly number[] | undefined>>;
interface Made {
  readonly updater: Updater;
  readonly clip?: ClipOptions;
}

/** Ours for a case of PyTorch; undefined where there is none. */
function fromPytorch({ algorithm, lr, ...rest }: Options): Made | undefined {
  if (rest.weight_decay || rest.dampening || rest.amsgrad) return undefined;
  const learningRate = lr as number;
  const momentum = rest.momentum as number | undefined;
  const epsilon = rest.eps as number | undefined;
  switch (algorithm) {
    case 'SGD':
      if (rest.nesterov) return { updater: updaters.nesterovs({ learningRate, momentum: momentum! }) };
      return { updater: updaters.sgd({ learningRate, momentum: momentum ?? 0 }) };
    case 'Adagrad':
      return { updater: updaters.adagrad({ learningRate, epsilon: epsilon ?? 1e-10 }) };
    case 'RMSprop':
      return {
        updater: updaters.rmsprop({
          learningRate,
          decay: (rest.alpha as number | undefined) ?? 0.99,
          epsilon: epsilon ?? 1e-8,
          epsilonPlacement: 'outside',
          centered: rest.centered === true,
          momentum: momentum ?? 0,
        }),
      };
    case 'Adam': {
      const [beta1, beta2] = (rest.betas as [number, number] | undefined) ?? [0.9, 0.999];
      return { updater: updaters.adam({ learningRate, beta1, beta2, epsilon: epsilon ?? 1e-8 }) };
    }
    default:
      return undefined;
  }
}

/** Ours for a case of Keras. */
function fromKeras({ algorithm, learning_rate, ...rest }: Options): Made | undefined {
  if (rest.weight_decay || rest.amsgrad) return undefined;
  const learningRate = learning_rate as number;
  const momentum = (rest.momentum as number | undefined) ?? 0;
  const epsilon = (rest.epsilon as number | undefined) ?? 1e-7;
  const clip: { clip?: ClipOptions } = {};
  if (rest.clipnorm) clip.clip = { globalNorm: rest.clipnorm as number };
  if (rest.clipvalue) clip.clip = { element: rest.clipvalue as number };
  switch (algorithm) {
    case 'SGD':
      if (rest.nesterov) return { updater: updaters.nesterovs({ learningRate, momentum }), ...clip };
      return { updater: updaters.sgd({ learningRate, momentum }), ...clip };
    case 'Adagrad': {
      const initialSum = (rest.initial_accumulator_value as number | undefined) ?? 0.1;
      const updater = updaters.adagrad({ learningRate, epsilon, epsilonPlacement: 'inside', initialSum });
      return { updater, ...clip };
    }
    case 'RMSprop': {
      const decay = (rest.rho as number | undefined) ?? 0.9;
      const centered = rest.centered === true;
      return { updater: updaters.rmsprop({ learningRate, decay, epsilon, centered, momentum }), ...clip };
    }
    case 'Adam':
      return {
        updater: updaters.adam({
          learningRate,
          beta1: (rest.beta_1 as number | undefined) ?? 0.9,
          beta2: (rest.beta_2 as number | undefined) ?? 0.999,
          epsilon,
          epsilonPlacement: 'uncorrected',
        }),
        ...clip,
      };
    default:
      return undefined;
  }
}

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
const libraries = [
  ['pytorch', fromPytorch, 10],
  ['keras', fromKeras, 14],
] as const;

for (const [library, make, count] of libraries) {
  const cases = fixtureCases(library, 'optimizer').filter(({ options }) => make(options as Options));

  describe.skipIf(fixturesAbsent(library))(`updaters as ${library} computes them`, () => {
    it('leaves out only what is not built', () => {
      expect(cases).toHaveLength(count);
    });

    for (const [engineName, engine] of engines) {
      describe.skipIf(!engine)(engineName, () => {
        it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
          const tensors = fixtureTensors(library, fixture);
          const steps = tensors.gradients!.shape[0]!;
          const gradients = Array.from({ length: steps }, (_, step) => partOf(tensors.gradients!, step).data);
          const got = await trajectory(engine!, tensors.param!.data, gradients, make(fixture.options as Options)!);
          checker(fixture, engine!)('trajectory', 'output', joined(got.parameters), tensors.trajectory!);
        });
      });
    }
  });
}

const clipCases = fixtureCases('pytorch', 'clip').filter(({ options }) => (options.norm_type ?? 2) === 2);

describe.skipIf(fixturesAbsent('pytorch'))('clipping as PyTorch computes it', () => {
  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(clipCases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const tensors = fixtureTensors('pytorch', fixture);
        const check = checker(fixture, engine!);
        const all = (prefix: string): Tensor =>
          joined(['0', '1', '2'].flatMap((number) => tensors[`${prefix}${number}`]?.data ?? []));
        const gradient = all('g').data;
        const { max_norm, clip } = fixture.options as { max_norm?: number; clip?: number };
        const got = await trajectory(engine!, new Float64Array(gradient.length), [gradient], {
          updater: updaters.sgd({ learningRate: 1 }),
          clip: max_norm === undefined ? { element: clip! } : { globalNorm: max_norm, epsilon: 1e-6 },
        });
        check('clipped', 'output', joined([got.parameters[0]!.map((value) => -value)]), all('clipped'));
        if (tensors.total_norm) check('total_norm', 'output', tensor(Float64Array.from(got.norms)), tensors.total_norm);
      });
    });
  }
});

const joined = (parts: readonly NumericArray[]): Tensor =>
  tensor(Float64Array.from(parts.flatMap((part) => [...part])));
