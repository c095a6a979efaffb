/**
 * Threads and lifetimes of whole models, in processes of their own: training that is ended in any way leaves nothing behind and
 * never hangs. The figures are printed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const child = fileURLToPath(new URL('lifetimes-child.mjs', import.meta.url));
const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

interface Figures {
  readonly threads: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly handles: Readonly<Record<string, number>>;
}

/** Exit status, signal and what was printed; a process that hangs is killed, which is a signal. */
function run(scenario: string, count = 1) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', child, built, scenario, String(count)],
    { encoding: 'utf8', timeout: 600_000, killSignal: 'SIGKILL' },
  );
  return { status, signal, output: stdout.trim(), error: stderr };
}

function figuresOf<Result>(scenario: string, count = 1): Result {
  const { status, signal, output, error } = run(scenario, count);
  expect({ status, signal, error }).toMatchObject({ status: 0, signal: null, error: '' });
  console.log(`${scenario}: ${output}`);
  return JSON.parse(output) as Result;
}

/** The sanitizers keep what was freed for a while, and take longer for everything. */
const sanitized = /[at]san/.test(process.env.LD_PRELOAD ?? '');

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** That no thread, no handle and no memory of models is left: `leaked` bytes would be there if one in two models were. */
function expectNothingLeft(before: Figures, after: Figures, leaked: number): void {
  expect(after.threads).toBeLessThanOrEqual(before.threads);
  expect(after.handles).toEqual(before.handles);
  const grown = after.residentBytes - before.residentBytes;
  console.log(`resident memory grew by ${mebibytes(grown)}; a leak would be at least ${mebibytes(leaked)}`);
  if (!sanitized) expect(grown).toBeLessThan(leaked / 2);
}

describe.skipIf(!existsSync(built))('while a model is trained and writes text', { timeout: 900_000 }, () => {
  test('process.exit ends the process with its status', () => {
    expect(run('exit')).toMatchObject({ status: 7, signal: null });
    expect(run('exitFromListener')).toMatchObject({ status: 8, signal: null });
  });

  test('an uncaught exception ends the process as it always does', () => {
    const asAlways = { status: 1, signal: null, error: expect.stringContaining('on purpose') };
    expect(run('throw')).toMatchObject(asAlways);
    expect(run('throwFromTimer')).toMatchObject(asAlways);
  });

  test('two hundred workers are terminated at any moment, and nothing of them is left', () => {
    const workers = sanitized ? 40 : 200;
    const { ended, trained, modelBytes, before, after } = figuresOf<{
      readonly ended: number;
      readonly trained: number;
      readonly modelBytes: number;
      readonly before: Figures;
      readonly after: Figures;
    }>('terminated', workers);
    expect(ended).toBe(workers);
    expect(trained).toBeGreaterThan(workers / 2);
    // Parameters and the two states of Adam.
    expectNothingLeft(before, after, (trained / 2) * modelBytes * 3);
  });

  test('eight workers train at once, each with the same result', () => {
    const { losses } = figuresOf<{ readonly losses: readonly number[] }>('eightWorkers');
    expect(new Set(losses).size).toBe(1);
    expect(losses).toHaveLength(8);
  });
});

describe.skipIf(!existsSync(built))('in one process', { timeout: 900_000 }, () => {
  test('models that are made, trained and disposed of, or forgotten, leave nothing behind', () => {
    const { modelBytes, cycles, before, after } = figuresOf<{
      readonly modelBytes: number;
      readonly cycles: number;
      readonly before: Figures;
      readonly after: Figures;
    }>('cycles', sanitized ? 12 : 120);
    // Even if it were only the parameters of those that were disposed of.
    expectNothingLeft(before, after, (cycles / 2) * modelBytes);
  });

  test('steps of several streams on one memory never mix', () => {
    expect(figuresOf('severalStreams')).toEqual({ expected: 2400, wrong: 0 });
  });
});
