/** What `scan` is given and what it gives back. */
import type { Value } from '../graph.js';

export interface ScanOptions {
  /** `[T, ...]` each; a step is given the part `[...]` of its own. */
  readonly sequences: readonly Value[];
  /** What the states are before the first step. */
  readonly initial: readonly Value[];
  /**
   * `[T, B]`, 1 where a row of the batch lives and 0 where it does not; all live by default. Where a row does not, its states
   * stay what they were, and so does what the step gives out of them; all else that it gives out is 0. What the sequences hold
   * there is not looked at. Sequences, outputs and states are then `[T, B, n]` and `[B, n]`.
   */
  readonly mask?: Value | undefined;
  /**
   * One step, called once, to be looked at: from its parts of the sequences and the states before it to what it gives out and
   * the states after it. It may use any other values, and these have gradients too.
   */
  readonly step: (
    parts: readonly Value[],
    states: readonly Value[],
  ) => { readonly outputs: readonly Value[]; readonly states: readonly Value[] };
}

export interface ScanResult {
  /** `[T, ...]` each. */
  readonly outputs: readonly Value[];
  /** After the last step. */
  readonly states: readonly Value[];
}
