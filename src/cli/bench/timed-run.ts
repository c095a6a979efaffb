/** A case made ready. */
export interface TimedRun {
  /** Runs it so many times; milliseconds of one. */
  time(runs: number): Promise<number>;
  dispose(): void;
}
