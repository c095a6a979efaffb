/** What a trainer eats: batches of rows. */
import type { Tensor } from '../compute/tensor.js';
import type { Vocabulary } from './vocabulary.js';

export interface Batch {
  /** `[batch, time]` i32 ids, or `[batch, time, features]` f32. */
  readonly inputs: Tensor;
  /** `[batch, time]` ids, `[batch, time, features]`, or `[batch]` / `[batch, features]` for one target a row. */
  readonly targets: Tensor;
  /**
   * Weights of the targets, `[batch, time]` or `[batch]` f32, at least 0: a target with 0 does not count and may hold
   * anything. Absent: all count alike.
   */
  readonly mask?: Tensor | undefined;
  /** True when each row goes on where the same row of the batch before ended: recurrent state is carried over. */
  readonly continues: boolean;
}

/** A pass over data: can be iterated again and again, each time anew. */
export interface Batches {
  /** Batches in one pass. */
  readonly length: number;
  /** Targets in one pass: what losses are averaged over and speeds are counted in. */
  readonly tokens: number;
  /** Of the text the ids came from. A trainer hands it to the model it fits, if that has none yet. */
  readonly vocabulary?: Vocabulary;
  /** `epoch` (from 0) selects the shuffling, where there is any. */
  epoch(epoch: number): Iterable<Batch>;
}
