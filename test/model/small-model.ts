/** A model that has several kinds of layers and few parameters. */
import { characterVocabulary } from '../../src/data/vocabulary.js';
import type { Model } from '../../src/model/model.js';
import { sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import { reference } from './engines.js';

export const vocabulary = characterVocabulary('abc d\n');
export const small = (seed: number, engine = reference()): Model =>
  sequential(
    [
      layers.embedding({ vocabulary: vocabulary.size, units: 3 }),
      layers.lstm({ units: 4, forgetBias: 2 }),
      layers.gru({ units: 4, dropout: 0.25 }),
      layers.dense({ units: vocabulary.size }),
    ],
    { seed, engine, vocabulary },
  );

export const valuesOf = async (model: Model): Promise<number[]> => [...(await model.network.readParameters())];
