/** More work than cores, one core, half a core, little memory: slower, never stuck, and with the same bits. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runOnHalfCore } from './half-core.js';

const child = fileURLToPath(new URL('overload-child.mjs', import.meta.url));
const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const steps = 40;

interface Report {
  readonly threads: number;
  readonly ends: readonly string[];
  readonly large?: string;
}

/** `threads` 0: as many as the engine takes of its own accord. */
const training = (streams: number, threads: number, ...more: string[]): string[] => [
  ...[process.execPath, child, dist],
  ...[streams, threads, steps].map(String),
  ...more,
];

function run([file, ...args]: readonly string[]): Report {
  const { stdout, stderr, status } = spawnSync(file!, args, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Report;
}

const has = (command: string) => spawnSync(command, ['--version']).error === undefined;

describe.skipIf(!existsSync(dist))('overload', () => {
  const undisturbed = existsSync(dist) ? run(training(1, 1)).ends : [];

  it('sixteen streams at once all come to the end, on any number of threads', () => {
    for (const threads of [1, 2, 4]) expect(run(training(16, threads)).ends).toEqual(undisturbed);
  });

  it('many more threads than cores in one stream', () => {
    expect(run(training(2, 32)).ends).toEqual(undisturbed);
  });

  it.skipIf(!has('taskset'))('a process that may use one core takes one thread, and comes to the end with more', () => {
    const pinned = (command: readonly string[]) => run(['taskset', '-c', '0', ...command]);
    const own = pinned(training(4, 0));
    expect(own.threads).toBe(1);
    expect(own.ends).toEqual(undisturbed);
    expect(pinned(training(4, 3)).ends).toEqual(undisturbed);
  });

  it('half a core: one thread where the limit can be seen, and the end is reached with more', async () => {
    for (const threads of [0, 3]) {
      const { status, stdout, stderr, quota } = await runOnHalfCore(training(4, threads));
      expect(status, stderr).toBe(0);
      const report = JSON.parse(stdout) as Report;
      expect(report.ends).toEqual(undisturbed);
      if (quota) expect(report.threads).toBe(1);
    }
  });

  it.skipIf(process.platform === 'win32')(
    'what a limit on memory does not hold is refused, and the rest goes on',
    () => {
      // 2.5 GB of addresses, of which Node itself takes half.
      const limited = run(['sh', '-c', 'ulimit -v 2500000 && exec "$@"', 'sh', ...training(2, 2, 'large')]);
      expect(limited.large).toBe('out-of-memory');
      expect(limited.ends).toEqual(undisturbed);
    },
  );
});
