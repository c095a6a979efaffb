/** One case, ours and the peer's in turns, so that a change of the machine's mood meets both. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Case, flops } from './cases.js';
import { layerRun } from './layer-run.js';
import { measurePeak } from './machine.js';
import type { Peer } from './pytorch.js';
import { raggedRun } from './ragged-run.js';
import type { CaseResult } from './result.js';
import { scanRun } from './scan-run.js';
import { median } from './statistics.js';
import type { TimedRun } from './timed-run.js';
import { trainingRun } from './training-run.js';

export interface MeasureOptions {
  readonly threads: number;
  readonly rounds: number;
  readonly peer: Peer | undefined;
}

/** Milliseconds of one repetition: long against the clock, short against the patience. */
const repetition = 60;

/**
 * Milliseconds between two turns, and one run of each that is not counted: the threads of the side before look for work for
 * a while and then sleep, and the caches are its own. Without them our two threads lost up to a tenth.
 */
const between = 50;

function makeReady(what: Case, threads: number): TimedRun {
  if (what.kind === 'step') return trainingRun(what, threads);
  if (what.kind === 'ragged') return raggedRun(what, threads);
  return what.kind === 'scan' ? scanRun(what, threads) : layerRun(what, threads);
}

export async function measure(what: Case, { threads, rounds, peer }: MeasureOptions): Promise<CaseResult> {
  const run = makeReady(what, threads);
  try {
    await run.time(3);
    const estimate = await run.time(5);
    const steps = Math.max(3, Math.ceil(repetition / estimate));
    await peer?.prepare(what, threads);
    const ours: number[] = [];
    const theirs: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await pause(between);
      peaks.push(measurePeak(0.02));
      await run.time(1);
      ours.push(await run.time(steps));
      theirs.push(...((await peer?.measure(1)) ?? []));
    }
    const medianMs = median(ours);
    const shareOfPeak = flops(what) / (medianMs * 1e6) / (median(peaks) * threads);
    const result = { name: what.name, threads, medianMs, shareOfPeak };
    if (!peer) return result;
    const peerMs = median(theirs);
    return { ...result, peers: { pytorch: { medianMs: peerMs, ratio: peerMs / medianMs } } };
  } finally {
    run.dispose();
  }
}
