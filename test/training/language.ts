/** A small language model that learns to remember the id before, and its data. */
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer, type Trainer, type TrainerOptions } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';
import { echo } from './sequences.js';

/** The engines that training is tested on. */
export const engines: readonly (readonly [name: string, engine: Engine | undefined])[] = [
  ['reference', createReferenceEngine({ precision: 'f32' })],
  ['native', native],
];

export const vocabulary = 4;
export const language = (engine: Engine, options: { dropout?: number } = {}): Network =>
  createNetwork(
    [
      layers.embedding({ vocabulary, units: 6 }),
      layers.gru({ units: 8, dropout: options.dropout ?? 0 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 1, engine },
  );
export const loss = losses.softmaxCrossEntropy();
export const trainerFor = (network: Network, options: Partial<TrainerOptions> = {}): Trainer =>
  createTrainer(network, { loss, updater: updaters.adam({ learningRate: 0.02 }), ...options });
export const data = (count = 6, continues = false) => echo({ vocabulary, rows: 4, steps: 8, count, continues });
