/** A pass over the data in the pieces that steps are made of, from any place in it on. */
import type { Batches } from '../data/batch.js';
import { MnemeError } from '../errors.js';
import { type Chunk, chunkCount, chunksOf, type Truncation } from './chunks.js';
import { checkBatch } from './trainable.js';

/** A place in a pass: batches from 0, and chunks of the batch where truncation cuts it. */
export interface Place {
  readonly batch: number;
  readonly chunk: number;
}

export interface Piece {
  readonly piece: Chunk;
  readonly place: Place;
  /** The place behind it. */
  readonly next: Place;
  /** Batches before it in this pass, with a part of one where it is cut. */
  readonly passed: number;
}

/**
 * @param from the first piece to give; what lies before it is taken from the data and left
 * @throws {MnemeError} `insufficient-data` when the data ends before that, or gives no batch at all
 */
export function* piecesOf(
  batches: Batches,
  epoch: number,
  truncation: Truncation | undefined,
  from: Place,
): Generator<Piece> {
  let number = 0;
  for (const batch of batches.epoch(epoch)) {
    if (number >= from.batch) {
      checkBatch(batch);
      const first = number === from.batch ? from.chunk : 0;
      const chunks = chunkCount(batch, truncation);
      let chunk = 0;
      for (const piece of chunksOf(batch, truncation)) {
        if (chunk >= first) {
          const last = chunk === chunks - 1;
          const next = last ? { batch: number + 1, chunk: 0 } : { batch: number, chunk: chunk + 1 };
          yield { piece, place: { batch: number, chunk }, next, passed: number + chunk / chunks };
        }
        chunk += 1;
      }
    }
    number += 1;
  }
  if (number === 0) throw nothingToLearn();
  if (number < from.batch) throw lessData(number, from.batch);
}

const nothingToLearn = () =>
  new MnemeError('insufficient-data', 'fit: the data gives no batch. Is it shorter than one batch of rows and steps?');

const lessData = (batches: number, before: number) =>
  new MnemeError(
    'insufficient-data',
    `fit: the data ends after ${batches} batches, but ${before} of this pass were taken before the checkpoint was made: it is not the same data.`,
  );
