/** What can be trained, and on what: networks, models that hold one, and batches. */
import { isTensor } from '../compute/tensor.js';
import type { Batch, Batches } from '../data/batch.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { MnemeError, printKind } from '../errors.js';
import type { NetworkContract } from '../network/network.js';

/** A model that holds a network and may still lack its vocabulary. */
export interface Trainable {
  readonly network: NetworkContract;
  /** Set by `fit` from its batches, where it is missing. */
  vocabulary?: Vocabulary | undefined;
}

/**
 * The network in question.
 * @throws {MnemeError} `invalid-argument` for anything else
 */
export function networkOf(subject: NetworkContract | Trainable, where: string): NetworkContract {
  const network = typeof subject === 'object' && subject !== null && 'network' in subject ? subject.network : subject;
  if (typeof network === 'object' && network !== null && 'trace' in network) return network;
  throw new MnemeError('invalid-argument', `${where}: expected a model or a network, got ${printKind(network)}.`);
}

/** @throws {MnemeError} `invalid-argument` unless it can be iterated as batches are */
export function checkBatches(batches: Batches, where: string): void {
  if (typeof batches === 'object' && batches !== null && typeof batches.epoch === 'function') return;
  throw new MnemeError(
    'invalid-argument',
    `${where}: expected batches, as text.batches() or arrays() give them, got ${printKind(batches)}.`,
  );
}

const optional = ['mask', 'lengths', 'inputMask', 'reset'] as const;

/** @throws {MnemeError} `invalid-argument` unless inputs and targets are tensors, and masks, lengths and reset where there are such */
export function checkBatch(batch: Batch): void {
  for (const name of ['inputs', 'targets', ...optional] as const) {
    const value = batch?.[name];
    if (value === undefined && optional.some((other) => other === name)) continue;
    if (isTensor(value)) continue;
    throw new MnemeError(
      'invalid-argument',
      `A batch has tensors as inputs and targets; its ${name === 'mask' ? 'mask is' : `${name} are`} ${printKind(value)}. tensor(data, shape) makes one.`,
    );
  }
}
