/** One case, ours and the peer's in turns, so that a change of the machine's mood meets both. */
import { type Case, flops } from './cases.js';
import { layerRun } from './layer-run.js';
import type { Peer } from './pytorch.js';
import type { CaseResult } from './result.js';
import { median } from './statistics.js';
import { trainingRun } from './training-run.js';

export interface MeasureOptions {
  readonly threads: number;
  /** Of one thread. */
  readonly peakGflops: number;
  readonly rounds: number;
  readonly peer: Peer | undefined;
}

/** Milliseconds of one repetition: long against the clock, short against the patience. */
const repetition = 60;

export async function measure(what: Case, { threads, peakGflops, rounds, peer }: MeasureOptions): Promise<CaseResult> {
  const run = what.kind === 'layer' ? layerRun(what, threads) : trainingRun(what, threads);
  try {
    await run.time(3);
    const estimate = await run.time(5);
    const steps = Math.max(3, Math.ceil(repetition / estimate));
    await peer?.prepare(what, threads);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await run.time(steps));
      theirs.push(...((await peer?.measure(1)) ?? []));
    }
    const medianMs = median(ours);
    const shareOfPeak = flops(what) / (medianMs * 1e6) / (peakGflops * threads);
    const result = { name: what.name, threads, medianMs, shareOfPeak };
    if (!peer) return result;
    const peerMs = median(theirs);
    return { ...result, peers: { pytorch: { medianMs: peerMs, ratio: peerMs / medianMs } } };
  } finally {
    run.dispose();
  }
}
