/** What shows only over many steps: whether memory grows, and how long training keeps the event loop waiting. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cases, flops, type StepCase } from './cases.js';
import type { CaseResult } from './result.js';
import { trainingRun } from './training-run.js';

const steps = 10_000;

/** Ten thousand steps of the small network with classes. */
export async function memoryOverSteps(threads: number, peakGflops: number): Promise<CaseResult> {
  const what = cases.find(isSmall)!;
  const run = trainingRun(what, threads);
  try {
    await run.time(1000);
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    const milliseconds = await run.time(steps);
    globalThis.gc?.();
    const growth = (process.memoryUsage().rss - before) / 2 ** 20;
    return {
      name: `resident memory over ${steps.toLocaleString('en-US')} steps`,
      threads,
      medianMs: milliseconds,
      shareOfPeak: flops(what) / (milliseconds * 1e6) / (peakGflops * threads),
      residentGrowthMiB: growth,
    };
  } finally {
    run.dispose();
  }
}

/** Some seconds of the two-layer LSTM. */
export async function eventLoopDelay(threads: number, peakGflops: number): Promise<CaseResult> {
  const what = cases.find(isTwoLayer)!;
  const run = trainingRun(what, threads);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  try {
    const estimate = await run.time(10);
    delays.enable();
    const milliseconds = await run.time(Math.max(10, Math.ceil(3000 / estimate)));
    delays.disable();
    return {
      name: 'event-loop delay while training, 99th percentile',
      threads,
      medianMs: milliseconds,
      shareOfPeak: flops(what) / (milliseconds * 1e6) / (peakGflops * threads),
      eventLoopDelayMs: delays.percentile(99) / 1e6,
    };
  } finally {
    run.dispose();
  }
}

const isSmall = (what: (typeof cases)[number]): what is StepCase => what.kind === 'step' && what.units === 32;
const isTwoLayer = (what: (typeof cases)[number]): what is StepCase =>
  what.kind === 'step' && what.cell === 'lstm' && what.layers === 2 && what.units === 128;
