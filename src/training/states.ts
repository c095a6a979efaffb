/** The recurrent states that go from batch to batch. */
import type { Memory } from '../compute/engine/engine.js';
import type { NumericArray } from '../compute/tensor.js';
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
    const length = this.#elements(rows);
    const memory = this.#memory(Math.max(1, length));
    this.#rows = rows;
    return { memory, initialStates: carried && length > 0 ? 'stored' : 'zero' };
  }

  /** Queues a read of the states that the next batch may start from; undefined where there are none. */
  capture(): { readonly rows: number; readonly read: Promise<NumericArray> } | undefined {
    const rows = this.#rows;
    const length = rows === undefined ? 0 : this.#elements(rows);
    if (rows === undefined || length === 0) return undefined;
    return { rows, read: this.#network.stream.read(this.#memory(length), 0, length, 'f32') };
  }

  /** Puts back what was captured; `values` gives so many elements. */
  async restore(rows: number, values: (length: number) => NumericArray): Promise<void> {
    const length = this.#elements(rows);
    // First, because it refuses a length that is not there, whatever it is.
    const given = values(length);
    await this.#network.stream.write(this.#memory(length), 0, given);
    this.#rows = rows;
  }

  /** The next batch starts from zero, whatever it says. */
  forget(): void {
    this.#rows = undefined;
  }

  #elements(rows: number): number {
    const last = this.#network.stateLayout(rows).at(-1);
    return last ? last.offset + last.length : 0;
  }

  #memory(length: number): Memory {
    let memory = this.#memories.at(-1);
    if (!memory || memory.length < length) {
      memory = this.#network.engine.allocate(length);
      this.#memories.push(memory);
    }
    return memory;
  }

  dispose(): void {
    for (const memory of this.#memories) memory.dispose();
    this.#memories = [];
    this.#rows = undefined;
  }
}
