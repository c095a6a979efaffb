/**
 * Updaters and clipping agree with PyTorch and Keras over 25 steps, gradients from 0.001 to 10 and zeros among them.
 * Their weight decay is the trainer's `regularization`, but where the updater has it itself.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { type NumericArray, type Tensor, tensor } from '../../src/compute/tensor.js';
import { scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { Updater } from '../../src/network/updaters/updater.js';
import type { TrainerOptions } from '../../src/training/trainer.js';
import { exact, native } from '../network/engines.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors } from '../network/fixtures.js';
import { partOf } from '../network/pytorch-parameters.js';
import { trajectory } from './gradient-probe.js';

type Options = Readonly<Record<string, number | boolean | string | readonly number[] | undefined>>;
type Made = Omit<TrainerOptions, 'loss'>;

/** Ours for a case of PyTorch. */
function fromPytorch({ algorithm, lr, betas, ...rest }: Options): Made {
  const learningRate = lr as number;
  const [beta1, beta2] = (betas as [number, number] | undefined) ?? [0.9, 0.999];
  const epsilon = (rest.eps as number | undefined) ?? 1e-8;
  const momentum = (rest.momentum as number | undefined) ?? 0;
  const weightDecay = (rest.weight_decay as number | undefined) ?? 0.01;
  const ratePlacement = 'outside';
  const made = (updater: Updater): Made => {
    if (!rest.weight_decay || algorithm === 'AdamW') return { updater };
    return { updater, regularization: { [rest.decoupled_weight_decay ? 'decay' : 'l2']: weightDecay } };
  };
  switch (algorithm) {
    case 'SGD': {
      if (rest.nesterov) return made(updaters.nesterovs({ learningRate, momentum, ratePlacement }));
      const dampening = (rest.dampening as number | undefined) ?? 0;
      return made(updaters.sgd({ learningRate, momentum, dampening, ratePlacement }));
    }
    case 'Adagrad': {
      const decay = (rest.lr_decay as number | undefined) ?? 0;
      return made(
        updaters.adagrad({
          learningRate: scheduled(learningRate, schedules.inverse({ decay })),
          epsilon: (rest.eps as number | undefined) ?? 1e-10,
          initialSum: (rest.initial_accumulator_value as number | undefined) ?? 0,
        }),
      );
    }
    case 'Adadelta':
      return made(
        updaters.adadelta({
          learningRate,
          decay: (rest.rho as number | undefined) ?? 0.9,
          epsilon: (rest.eps as number | undefined) ?? 1e-6,
        }),
      );
    case 'RMSprop':
      return made(
        updaters.rmsprop({
          learningRate,
          decay: (rest.alpha as number | undefined) ?? 0.99,
          epsilon,
          epsilonPlacement: 'outside',
          centered: rest.centered === true,
          momentum,
          ratePlacement,
        }),
      );
    case 'Adam':
      return made((rest.amsgrad ? updaters.amsgrad : updaters.adam)({ learningRate, beta1, beta2, epsilon }));
    case 'AdamW':
      return made(
        (rest.amsgrad ? updaters.amsgrad : updaters.adamw)({ learningRate, beta1, beta2, epsilon, weightDecay }),
      );
    case 'NAdam': {
      const momentumDecay = (rest.momentum_decay as number | undefined) ?? 0.004;
      return made(updaters.nadam({ learningRate, beta1, beta2, epsilon, momentumDecay }));
    }
    case 'Adamax':
      return made(updaters.adamax({ learningRate, beta1, beta2, epsilon, epsilonPlacement: 'maximum' }));
    case 'RAdam':
      return made(updaters.radam({ learningRate, beta1, beta2, epsilon }));
    default:
      throw new Error(`Nothing of ours for ${algorithm}.`);
  }
}

/** Ours for a case of Keras. */
function fromKeras({ algorithm, learning_rate, ...rest }: Options): Made {
  const learningRate = learning_rate as number;
  const momentum = (rest.momentum as number | undefined) ?? 0;
  const epsilon = (rest.epsilon as number | undefined) ?? 1e-7;
  const beta1 = (rest.beta_1 as number | undefined) ?? 0.9;
  const beta2 = (rest.beta_2 as number | undefined) ?? (algorithm === 'Lion' ? 0.99 : 0.999);
  const moments = { learningRate, beta1, beta2, epsilon };
  const epsilonPlacement = 'uncorrected';
  const decay = rest.weight_decay as number | undefined;
  const made = (updater: Updater): Made => ({
    updater,
    ...(rest.clipnorm ? { clip: { globalNorm: rest.clipnorm as number } } : {}),
    ...(rest.clipvalue ? { clip: { element: rest.clipvalue as number } } : {}),
    ...(decay && algorithm !== 'Lion' ? { regularization: { decay } } : {}),
  });
  switch (algorithm) {
    case 'SGD':
      return made((rest.nesterov ? updaters.nesterovs : updaters.sgd)({ learningRate, momentum }));
    case 'Adagrad': {
      const initialSum = (rest.initial_accumulator_value as number | undefined) ?? 0.1;
      return made(updaters.adagrad({ learningRate, epsilon, epsilonPlacement: 'inside', initialSum }));
    }
    case 'Adadelta':
      return made(updaters.adadelta({ learningRate, decay: (rest.rho as number | undefined) ?? 0.95, epsilon }));
    case 'RMSprop': {
      const decay = (rest.rho as number | undefined) ?? 0.9;
      return made(updaters.rmsprop({ learningRate, decay, epsilon, centered: rest.centered === true, momentum }));
    }
    case 'Adam':
      if (rest.amsgrad) return made(updaters.amsgrad({ ...moments, epsilonPlacement }));
      return made(updaters.adam({ ...moments, epsilonPlacement }));
    case 'AdamW':
      return made(updaters.adamw({ ...moments, epsilonPlacement, weightDecay: 0.004 }));
    case 'Nadam':
      return made(updaters.nadam({ ...moments, momentumDecay: 1 }));
    case 'Adamax':
      return made(updaters.adamax(moments));
    case 'Lion':
      return made(updaters.lion({ learningRate, beta1, beta2, weightDecay: decay ?? 0 }));
    default:
      throw new Error(`Nothing of ours for ${algorithm}.`);
  }
}

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
const libraries = [
  ['pytorch', fromPytorch, 30],
  ['keras', fromKeras, 26],
] as const;

for (const [library, make, count] of libraries) {
  const cases = fixtureCases(library, 'optimizer');

  describe.skipIf(fixturesAbsent(library))(`updaters as ${library} computes them`, () => {
    it('leaves none of its cases out', () => {
      expect(cases).toHaveLength(count);
    });

    for (const [engineName, engine] of engines) {
      describe.skipIf(!engine)(engineName, () => {
        it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
          const tensors = fixtureTensors(library, fixture);
          const steps = tensors.gradients!.shape[0]!;
          const gradients = Array.from({ length: steps }, (_, step) => partOf(tensors.gradients!, step).data);
          const got = await trajectory(engine!, tensors.param!.data, gradients, make(fixture.options as Options));
          checker(fixture, engine!)('trajectory', 'output', joined(got.parameters), tensors.trajectory!);
        });
      });
    }
  });
}

interface ClipCase {
  readonly max_norm?: number;
  readonly clip?: number;
  readonly norm_type?: 1 | 2 | 'inf';
}
const clipCases = fixtureCases('pytorch', 'clip');

describe.skipIf(fixturesAbsent('pytorch'))('clipping as PyTorch computes it', () => {
  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(clipCases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const tensors = fixtureTensors('pytorch', fixture);
        const check = checker(fixture, engine!);
        const all = (prefix: string): Tensor =>
          joined(['0', '1', '2'].flatMap((number) => tensors[`${prefix}${number}`]?.data ?? []));
        const gradient = all('g').data;
        const { max_norm, clip, norm_type = 2 } = fixture.options as ClipCase;
        const order = norm_type === 'inf' ? 'maximum' : norm_type;
        const got = await trajectory(engine!, new Float64Array(gradient.length), [gradient], {
          updater: updaters.sgd({ learningRate: 1 }),
          clip: max_norm === undefined ? { element: clip! } : { globalNorm: max_norm, order, epsilon: 1e-6 },
        });
        check('clipped', 'output', joined([got.parameters[0]!.map((value) => -value)]), all('clipped'));
        // What a step reports is the Euclidean norm.
        if (tensors.total_norm && order === 2)
          check('total_norm', 'output', tensor(Float64Array.from(got.norms)), tensors.total_norm);
      });
    });
  }
});

const joined = (parts: readonly NumericArray[]): Tensor =>
  tensor(Float64Array.from(parts.flatMap((part) => [...part])));
