/** The tasks that made the LSTM's name, at their thresholds, as `npm run bench:tasks` runs them. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { finished } from '../cli/mneme.js';

interface Run {
  readonly solved: boolean;
  readonly sequences: number;
  readonly score: number;
}

const script = fileURLToPath(new URL('../../bench/tasks.mjs', import.meta.url));

/** The runs of each cell on a task. */
async function runsOf(task: string, seeds: number, ...more: string[]): Promise<Record<string, readonly Run[]>> {
  const words = [script, '--json', '--seeds', String(seeds), ...more, task];
  const { code, stdout, stderr } = await finished(spawn(process.execPath, words));
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(
    lines.map((line): [string, Run[]] => {
      const { cell, runs } = JSON.parse(line);
      return [cell, runs];
    }),
  );
}
const solved = (runs: readonly Run[] = []): boolean[] => runs.map((run) => run.solved);

it('an LSTM understands all of 256 strings of the embedded Reber grammar; a simple RNN does not within the same budget', async () => {
  const runs = await runsOf('embedded-reber', 2);
  expect(solved(runs.lstm)).toEqual([true, true]);
  for (const { score, sequences } of runs.lstm!) {
    expect(score).toBe(1);
    expect(sequences).toBeLessThanOrEqual(20_000);
  }
  expect(solved(runs['simple RNN'])).toEqual([false, false]);
});

it('an LSTM and a GRU add two numbers out of 100 with a squared error below 0.01; a simple RNN stays where guessing is', async () => {
  const runs = await runsOf('adding', 1);
  for (const { score } of [...runs.lstm!, ...runs.gru!]) expect(score).toBeLessThan(0.01);
  // Half of the baseline of 1/6: it has not learned to remember.
  for (const { score } of runs['simple RNN']!) expect(score).toBeGreaterThan(1 / 12);
});

it('a GRU adds two numbers out of 400', async () => {
  const { gru } = await runsOf('adding-400', 1, '--cell', 'gru');
  expect(gru![0]!.score).toBeLessThan(0.01);
});

it('an LSTM tells in which order two symbols came 40 to 99 steps ago, for all but one of 2,560 sequences', async () => {
  const { lstm } = await runsOf('temporal-order', 1, '--cell', 'lstm');
  expect(solved(lstm)).toEqual([true]);
  expect(lstm![0]!.score).toBeGreaterThanOrEqual(2559 / 2560);
});

it('an LSTM says three symbols again after a pause of 20 steps', async () => {
  const { lstm } = await runsOf('copying', 1, '--cell', 'lstm');
  expect(lstm!.map(({ score }) => score)).toEqual([1]);
});

it('an LSTM tells the Mackey-Glass series six steps ahead with a twenty-fifth of its variance', async () => {
  const { lstm } = await runsOf('mackey-glass', 1, '--cell', 'lstm');
  expect(lstm![0]!.score).toBeLessThan(0.002);
});

it('every cell learns parity, bit for bit', async () => {
  for (const runs of Object.values(await runsOf('parity', 1))) expect(solved(runs)).toEqual([true]);
});

it('every cell tells a sine better than the noise on it', async () => {
  for (const runs of Object.values(await runsOf('noisy-sine', 1))) {
    for (const { score } of runs) expect(score).toBeLessThan(0.03);
  }
});
