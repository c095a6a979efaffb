/** `mneme bench`: how fast this machine trains, as a share of what it could, and beside PyTorch. */
import type { Command } from 'commander';
import { longSequences, measureBesideGru } from './bench/beside-gru.js';
import { cases } from './bench/cases.js';
import { eventLoopDelay, memoryOverSteps } from './bench/long-runs.js';
import { type BenchMachine, measureMachine } from './bench/machine.js';
import { measure } from './bench/measure.js';
import { type Peer, pytorchPython, startPytorch } from './bench/pytorch.js';
import type { CaseResult } from './bench/result.js';
import { wholeNumber } from './numbers.js';
import { table } from './table.js';

interface BenchOptions {
  readonly only?: string;
  readonly threads?: number;
  readonly rounds: number;
  readonly peers: boolean;
  readonly json?: true;
}

export function benchCommand(program: Command): void {
  program
    .command('bench')
    .description('Measure layers and training steps as a share of the peak, and beside PyTorch where it is at hand.')
    .option('--only <text>', 'only cases whose name contains this')
    .option('--threads <n>', 'only with so many threads (default: 1, then 2)', wholeNumber(1, 256))
    .option('--rounds <n>', 'repetitions of each case, of which the median counts', wholeNumber(1), 7)
    .option('--no-peers', 'leave PyTorch out')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Layers are named by their shape T,B,I,H: steps, rows, inputs, units. Keep the machine quiet meanwhile.
PyTorch is at hand in a clone of the repository after \`npm run bench:peers\`, or where MNEME_PYTORCH_PYTHON
names a Python that has it.

Example:
  mneme bench --only 'lstm 128' --threads 1`,
    )
    .action(bench);
}

async function bench(options: BenchOptions): Promise<void> {
  const say = (line: string): void => {
    (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const machine = measureMachine();
  say(machineLines(machine));
  const python = options.peers ? pytorchPython() : undefined;
  const peer = python === undefined ? undefined : await startPytorch(python);
  if (peer) say(`beside PyTorch ${peer.version}`);
  try {
    const results: CaseResult[] = [];
    for (const threads of threadCounts(options, machine)) {
      for (const run of runs(options, { threads, peakGflops: machine.peakGflops, peer })) {
        const result = await run();
        results.push(result);
        say(resultLine(result));
      }
    }
    if (options.json) process.stdout.write(`${JSON.stringify({ machine, cases: results })}\n`);
    else say(`\n${summary(results)}`);
  } finally {
    peer?.close();
  }
}

type Runs = { readonly threads: number; readonly peakGflops: number; readonly peer: Peer | undefined };

function runs(options: BenchOptions, { threads, peakGflops, peer }: Runs): (() => Promise<CaseResult>)[] {
  const { only = '', rounds } = options;
  const named: (readonly [string, () => Promise<CaseResult>])[] = [
    ...cases.map((what) => [what.name, () => measure(what, { threads, rounds, peer })] as const),
    ...longSequences.map((what) => [what.name, () => measureBesideGru(what, { threads, rounds })] as const),
    ['resident memory', () => memoryOverSteps(threads, peakGflops)],
    ['event-loop delay', () => eventLoopDelay(threads, peakGflops)],
  ];
  return named.filter(([name]) => name.includes(only)).map(([, run]) => run);
}

function threadCounts({ threads }: BenchOptions, { cores }: BenchMachine): number[] {
  if (threads !== undefined) return [threads];
  return cores > 1 ? [1, 2] : [1];
}

function machineLines({ cpu, cores, isa, peakGflops, bandwidth }: BenchMachine): string {
  const reads = Object.entries(bandwidth).map(([place, rate]) => `${place.replace('level', 'L')} ${rate.toFixed(0)}`);
  return `${cpu}, ${cores} cores, ${isa}\none thread: ${peakGflops.toFixed(0)} GFLOP/s f32; reads ${reads.join(', ')} GB/s`;
}

function resultLine(result: CaseResult): string {
  const threads = `${result.threads} thread${result.threads === 1 ? '' : 's'}`;
  const [ms, share, peer, ratio, more] = cells(result);
  const beside = peer ? `, PyTorch ${peer} ms: ${ratio} times as fast` : '';
  return `${result.name}, ${threads}: ${ms} ms, ${share} of the peak${beside}${more ? `, ${more}` : ''}`;
}

function summary(results: readonly CaseResult[]): string {
  const rows = results.map((result) => [result.name, String(result.threads), ...cells(result)]);
  return table(rows, ['case', 'threads', 'ms', 'of peak', 'PyTorch ms', 'times as fast', '']);
}

function cells(result: CaseResult): string[] {
  const { medianMs, shareOfPeak, peers, besideGru } = result;
  return [
    milliseconds(medianMs),
    `${(100 * shareOfPeak).toFixed(0)} %`,
    peers ? milliseconds(peers.pytorch.medianMs) : '',
    peers ? peers.pytorch.ratio.toFixed(2) : '',
    besideGru
      ? `GRU ${milliseconds(besideGru.medianMs)} ms: ${besideGru.ratio.toFixed(2)} times as fast`
      : remark(result),
  ];
}

function remark({ residentGrowthMiB, eventLoopDelayMs }: CaseResult): string {
  if (residentGrowthMiB !== undefined) return `grew by ${residentGrowthMiB.toFixed(1)} MiB`;
  return eventLoopDelayMs === undefined ? '' : `delay ${eventLoopDelayMs.toFixed(1)} ms`;
}

const milliseconds = (value: number): string => value.toPrecision(3);
