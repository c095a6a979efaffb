/** What can be trained: a network, or a model that holds one and may still lack its vocabulary. */
import type { Vocabulary } from '../data/vocabulary.js';
import type { NetworkContract } from '../network/network.js';

export interface Trainable {
  readonly network: NetworkContract;
  /** Set by `fit` from its batches, where it is missing. */
  vocabulary?: Vocabulary | undefined;
}

/** The network in question. */
export const networkOf = (subject: NetworkContract | Trainable): NetworkContract =>
  'network' in subject ? subject.network : subject;
