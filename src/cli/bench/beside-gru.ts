/** minGRU and minLSTM beside a GRU of the same size over a long sequence, in turns: what it gains that gates do not look back. */
import { setTimeout as pause } from 'node:timers/promises';
import { layers } from '../../index.js';
import { layerProgramRun } from './layer-program.js';
import { measurePeak } from './machine.js';
import type { CaseResult } from './result.js';
import { median } from './statistics.js';

export interface LongSequence {
  readonly name: string;
  readonly cell: 'minGru' | 'minLstm';
  readonly batch: number;
  readonly inputGradient: boolean;
}

const [time, size] = [4096, 256];
const gates = { minGru: 2, minLstm: 3 } as const;

/** All gradients, or those of a network's first layer, which has no gradient of its input. */
export const longSequences: readonly LongSequence[] = [32, 1].flatMap((batch) =>
  (['minGru', 'minLstm'] as const).flatMap((cell) =>
    [true, false].map((inputGradient) => ({
      name: `${cell} ${inputGradient ? '' : 'as first layer '}forward+backward ${time},${batch},${size},${size}`,
      cell,
      batch,
      inputGradient,
    })),
  ),
);

export async function measureBesideGru(
  { name, cell, batch, inputGradient }: LongSequence,
  { threads, rounds }: { readonly threads: number; readonly rounds: number },
): Promise<CaseResult> {
  const run = (kind: 'gru' | LongSequence['cell']) =>
    layerProgramRun({ layer: layers[kind]({ units: size }), time, batch, input: size, inputGradient }, threads);
  const [ours, gru] = [run(cell), run('gru')];
  try {
    const [oursMs, gruMs, peaks]: [number[], number[], number[]] = [[], [], []];
    const runs = batch > 8 ? 1 : 5;
    for (let round = 0; round < rounds; round++) {
      await pause(50);
      peaks.push(measurePeak(0.02));
      for (const [side, results] of [[ours, oursMs] as const, [gru, gruMs] as const]) {
        await side.time(1);
        results.push(await side.time(runs));
      }
    }
    const products = inputGradient ? 3 : 2;
    const flops = products * 2 * time * batch * size * gates[cell] * size;
    const medianMs = median(oursMs);
    return {
      name,
      threads,
      medianMs,
      shareOfPeak: flops / (medianMs * 1e6) / (median(peaks) * threads),
      besideGru: { medianMs: median(gruMs), ratio: median(gruMs) / medianMs },
    };
  } finally {
    ours.dispose();
    gru.dispose();
  }
}
