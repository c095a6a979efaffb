/** The network that `mneme train` trains: symbols in, recurrent layers, a score for every symbol that may come next. */
import { layers, type Model, sequential, type Vocabulary } from '../index.js';

export interface LanguageModelOptions {
  readonly cell: keyof typeof cells;
  readonly layers: number;
  readonly units: number;
  /** 0: one-hot. */
  readonly embedding: number;
  /** Behind each recurrent layer. */
  readonly dropout: number;
  readonly seed: number;
  readonly threads?: number;
}

/** By what they are called on the command line. */
export const cells = {
  lstm: layers.lstm,
  graves: layers.gravesLstm,
  gru: layers.gru,
  mingru: layers.minGru,
  minlstm: layers.minLstm,
  rnn: layers.simpleRnn,
} as const;

export function languageModel(vocabulary: Vocabulary, options: LanguageModelOptions): Model {
  const { cell, units, embedding, dropout, seed, threads } = options;
  const symbols = { vocabulary: vocabulary.size };
  const recurrent = Array.from({ length: options.layers }, () => [
    cells[cell]({ units }),
    ...(dropout > 0 ? [layers.dropout({ rate: dropout })] : []),
  ]);
  return sequential(
    [
      embedding > 0 ? layers.embedding({ ...symbols, units: embedding }) : layers.oneHot(symbols),
      ...recurrent.flat(),
      layers.dense({ units: vocabulary.size }),
    ],
    { seed, vocabulary, ...(threads === undefined ? {} : { threads }) },
  );
}
