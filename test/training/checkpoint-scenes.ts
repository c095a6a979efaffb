/** Trainings that are taken up again, each a way in which something could be forgotten. */
import { uniforms } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { arrays } from '../../src/data/arrays.js';
import {
  type Batches,
  createTrainer,
  type Engine,
  type FitOptions,
  losses,
  scheduled,
  schedules,
} from '../../src/index.js';
import { layers } from '../../src/network/layers/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { Trainer } from '../../src/training/trainer.js';
import { data, language, trainerFor, vocabulary } from './language.js';
import { batchesOf, echo } from './sequences.js';

export interface Scene {
  readonly network: Network;
  readonly trainer: Trainer;
  readonly batches: Batches;
  readonly options: FitOptions;
}

const examples = () => {
  const [whole] = echo({ vocabulary, rows: 22, steps: 8, count: 1 });
  return { inputs: whole!.inputs, targets: whole!.targets };
};

const scene = (network: Network, trainer: Trainer, batches: Batches, options: FitOptions): Scene => ({
  network,
  trainer,
  batches,
  options,
});

export const scenes: Readonly<Record<string, (engine: Engine) => Scene>> = {
  'adam, dropout and shuffled examples'(engine) {
    const network = language(engine, { dropout: 0.3 });
    const batches = arrays({ ...examples(), batch: 4, shuffle: { seed: 5 } });
    return scene(network, trainerFor(network), batches, { epochs: 3 });
  },
  'rmsprop, states carried on and sequences cut'(engine) {
    const network = language(engine, { dropout: 0.1 });
    const updater = updaters.rmsprop({ learningRate: 0.01, centered: true, momentum: 0.5 });
    const trainer = trainerFor(network, { updater, truncation: 3, clip: { globalNorm: 0.5 } });
    return scene(network, trainer, batchesOf(data(3, true)), { epochs: 2 });
  },
  'a best pass that is not the last'(engine) {
    const network = language(engine);
    const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 30 }) });
    const validation = batchesOf(echo({ vocabulary, rows: 4, steps: 8, count: 1 }, 5));
    return scene(network, trainer, batchesOf(data(2)), { epochs: 5, validation });
  },
  'pieces that overlap, rows of unequal lengths with holes, and steps that are computed again'(engine) {
    const network = createNetwork(
      [
        layers.embedding({ vocabulary, units: 4 }),
        layers.lstm({ units: 5, recompute: true, recurrentDropout: 0.2 }),
        layers.gru({ units: 4 }),
        layers.dense({ units: vocabulary }),
      ],
      { seed: 4, engine },
    );
    const trainer = trainerFor(network, { truncation: { forward: 3, backward: 5 } });
    const uneven = data(3, true).map((batch, number) => {
      const [rows, time] = batch.inputs.shape as [number, number];
      return {
        ...batch,
        lengths: tensor(
          Int32Array.from({ length: rows }, (_, row) => (row * 3 + number * 2) % (time + 1)),
          [rows],
        ),
        inputMask: tensor(
          Float32Array.from({ length: rows * time }, (_, place) => Number(place % 7 !== 3)),
          [rows, time],
        ),
        ...(number === 2
          ? {
              reset: tensor(
                Int32Array.from({ length: rows }, (_, row) => row % 2),
                [rows],
              ),
            }
          : {}),
      };
    });
    return scene(network, trainer, batchesOf(uneven), { epochs: 2 });
  },
  'rates that rise and fall'(engine) {
    const network = language(engine);
    const schedule = schedules.warmUp({ steps: 4, schedule: schedules.cosine() });
    const trainer = trainerFor(network, { schedule, updater: updaters.nesterovs({ learningRate: 0.3 }) });
    return scene(network, trainer, batchesOf(data(5)), { epochs: 2 });
  },
  'rates that follow the losses, and dropout that follows a schedule'(engine) {
    const rate = scheduled(0.4, schedules.exponential({ factor: 0.5, unit: 'epoch' }));
    const network = createNetwork(
      [
        layers.embedding({ vocabulary, units: 6 }),
        layers.lstm({ units: 6 }),
        layers.dropout({ rate }),
        layers.dense({ units: vocabulary }),
      ],
      { seed: 4, engine },
    );
    const schedule = schedules.plateau({ factor: 0.5, patience: 0, threshold: 0.2 });
    const trainer = trainerFor(network, { schedule, updater: updaters.amsgrad({ learningRate: 0.05 }) });
    return scene(network, trainer, batchesOf(data(2)), { epochs: 5 });
  },
  'gradients gathered, weights averaged, noise and a frozen layer'(engine) {
    const network = language(engine);
    const trainer = trainerFor(network, {
      accumulate: 2,
      average: { kind: 'exponential', decay: 0.9 },
      gradientNoise: { variance: 0.1 },
      layers: { dense: { trainable: false } },
    });
    return scene(network, trainer, batchesOf(data(5)), { epochs: 2 });
  },
  'nothing recurrent'(engine) {
    const network = createNetwork(
      [layers.dense({ units: 6, activation: 'tanh' }), layers.dropout({ rate: 0.2 }), layers.dense({ units: 2 })],
      { seed: 2, engine, input: { features: 3, sequence: false } },
    );
    const trainer = createTrainer(network, { loss: losses.meanSquaredError(), updater: updaters.adagrad() });
    const numbers = (count: number, purpose: number) => uniforms(count, { seed: 1, purpose });
    const batches = arrays({
      inputs: tensor(numbers(60, 1), [20, 3]),
      targets: tensor(numbers(40, 2), [20, 2]),
      batch: 4,
      shuffle: { seed: 1 },
    });
    return scene(network, trainer, batches, { epochs: 2 });
  },
};

/** Another one to be told from: the same shapes, other rules. */
export const otherTrainers: readonly (readonly [what: string, make: (engine: Engine) => Scene, message: RegExp])[] = [
  [
    'another learning rate',
    (engine) => {
      const network = language(engine, { dropout: 0.3 });
      const trainer = trainerFor(network, { updater: updaters.adam({ learningRate: 0.01 }) });
      return { ...scenes['adam, dropout and shuffled examples']!(engine), network, trainer };
    },
    /'trainer\.updater\.options\.learningRate' is 0\.01, but was 0\.02/,
  ],
  [
    'another updater',
    (engine) => {
      const network = language(engine, { dropout: 0.3 });
      const trainer = trainerFor(network, { updater: updaters.sgd({ learningRate: 0.02 }) });
      return { ...scenes['adam, dropout and shuffled examples']!(engine), network, trainer };
    },
    /'trainer\.updater\.name' is "sgd", but was "adam"/,
  ],
  [
    'clipping',
    (engine) => {
      const network = language(engine, { dropout: 0.3 });
      const trainer = trainerFor(network, { clip: { globalNorm: 1 } });
      return { ...scenes['adam, dropout and shuffled examples']!(engine), network, trainer };
    },
    /'trainer\.clip' is \{"globalNorm":1\}, but was not given/,
  ],
  [
    'another model',
    (engine) => {
      const network = language(engine, { dropout: 0.2 });
      return { ...scenes['adam, dropout and shuffled examples']!(engine), network, trainer: trainerFor(network) };
    },
    /'model\.layers\.1\.options\.dropout' is 0\.2, but was 0\.3/,
  ],
  [
    'other data',
    (engine) => ({
      ...scenes['adam, dropout and shuffled examples']!(engine),
      batches: arrays({ ...examples(), batch: 5 }),
    }),
    /'data\.batches' is 5, but was 6/,
  ],
  [
    'another reduction',
    (engine) => {
      const network = language(engine, { dropout: 0.3 });
      const trainer = trainerFor(network, { loss: losses.softmaxCrossEntropy({ reduction: 'sumOverTime' }) });
      return { ...scenes['adam, dropout and shuffled examples']!(engine), network, trainer };
    },
    /'trainer\.loss\.options\.reduction' is "sumOverTime", but was "mean"/,
  ],
];

/** A batch to take one more step on: what comes of it depends on everything that training keeps. */
export const probe = (which: string) =>
  which === 'nothing recurrent'
    ? {
        inputs: tensor(uniforms(12, { seed: 4, purpose: 1 }), [4, 3]),
        targets: tensor(uniforms(8, { seed: 4, purpose: 2 }), [4, 2]),
        continues: false,
      }
    : { ...data(1)[0]!, continues: which.includes('carried') };
