/** The recurrent states that go from batch to batch. */
import type { Memory } from '../compute/engine/engine.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/network.js';

/**
 * Memory behind the `state` arena for batches of any number of rows. States lie differently for another number of
 * rows, so they can be carried between equal ones only.
 */
export class CarriedStates {
  readonly #network: NetworkContract;
  /** The last one is in use; smaller ones before it may still be in use by steps in the queue. */
  #memories: Memory[] = [];
  /** Rows of the batch whose final states the memory holds. */
  #rows: number | undefined;

  constructor(network: NetworkContract) {
    this.#network = network;
  }

  /**
   * Prepares for a batch of that many rows.
   *
   * @returns the memory, and whether the batch starts from what it holds
   * @throws {MnemeError} `invalid-shape` if the batch goes on with another number of rows than the one before
   */
  prepare(
    rows: number,
    { continues }: { readonly continues: boolean },
  ): { memory: Memory; initialStates: 'stored' | 'zero' } {
    const carried = continues && this.#rows !== undefined;
    if (carried && this.#rows !== rows) {
      throw new MnemeError(
        'invalid-shape',
        `A batch of ${rows} rows continues one of ${this.#rows} rows: rows that go on must stay the same.`,
      );
    }
    const layout = this.#network.stateLayout(rows);
    const last = layout.at(-1);
    const length = last ? last.offset + last.length : 1;
    let memory = this.#memories.at(-1);
    if (!memory || memory.length < length) {
      memory = this.#network.engine.allocate(length);
      this.#memories.push(memory);
    }
    this.#rows = rows;
    return { memory, initialStates: carried && last ? 'stored' : 'zero' };
  }

  /** The next batch starts from zero, whatever it says. */
  forget(): void {
    this.#rows = undefined;
  }

  dispose(): void {
    for (const memory of this.#memories) memory.dispose();
    this.#memories = [];
    this.#rows = undefined;
  }
}
