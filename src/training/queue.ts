/** A few steps under way at once, in order, so that the engine never waits for JavaScript and memory stays bounded. */

export class Queue<Result> {
  readonly #depth: number;
  #pending: Promise<Result>[] = [];

  constructor(depth: number) {
    this.#depth = depth;
  }

  /**
   * Adds a step. Waits for the oldest ones while there are more than the depth.
   * @returns results that have come, in order
   */
  async add(step: Promise<Result>): Promise<Result[]> {
    // Whoever waits for it sees its failure; until then it is not an unhandled one.
    step.catch(() => undefined);
    this.#pending.push(step);
    const results: Result[] = [];
    while (this.#pending.length >= this.#depth) results.push(await this.#pending.shift()!);
    return results;
  }

  /** The results of all steps that are still under way, in order. */
  async drain(): Promise<Result[]> {
    const results: Result[] = [];
    while (this.#pending.length > 0) results.push(await this.#pending.shift()!);
    return results;
  }

  /** Waits until nothing is under way, whatever the results. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#pending = [];
  }
}
