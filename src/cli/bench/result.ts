/** What a benchmark says of one case on so many threads: the stable form of `mneme bench --json`. */
export interface CaseResult {
  readonly name: string;
  readonly threads: number;
  /** One run of the case. */
  readonly medianMs: number;
  /** Of the fused multiply-add peak of so many threads, from 0 to 1. */
  readonly shareOfPeak: number;
  /** Only where the peer is at hand. `ratio`: its time by ours, so above 1 mneme is faster. */
  readonly peers?: Readonly<Record<'pytorch', { readonly medianMs: number; readonly ratio: number }>>;
  /** A GRU of the same size in the same run. `ratio`: its time by that of the case. */
  readonly besideGru?: { readonly medianMs: number; readonly ratio: number };
  readonly residentGrowthMiB?: number;
  readonly eventLoopDelayMs?: number;
}
