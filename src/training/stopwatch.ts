/** How long a fit has run, and how much of that was training. */

export class Stopwatch {
  readonly #clock: () => number;
  #start: number;
  /** In what does not count as training. */
  #paused = 0;

  /** @param clock milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#start = clock();
  }

  /** Milliseconds of training so far. */
  get trained(): number {
    return this.elapsed - this.#paused;
  }

  /** Milliseconds since the start. */
  get elapsed(): number {
    return this.#clock() - this.#start;
  }

  /** Starts anew, behind what ran before. */
  restart({ trained, elapsed }: { readonly trained: number; readonly elapsed: number }): void {
    this.#start = this.#clock() - elapsed;
    this.#paused = elapsed - trained;
  }

  /** What passed since `elapsed` was that much was no training. */
  discount(elapsed: number): void {
    this.#paused += this.elapsed - elapsed;
  }

  /** Does what does not count as training: validation, listeners. */
  async pause<Result>(action: () => Promise<Result>): Promise<Result> {
    const before = this.elapsed;
    const result = await action();
    this.discount(before);
    return result;
  }
}
