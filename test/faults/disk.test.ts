/** Disks that fail while training: it goes on and says so, what was saved stays whole, and the next save is tried. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const child = fileURLToPath(new URL('disk-child.mjs', import.meta.url));
const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mneme-disk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly heard: readonly { readonly step: number; readonly error?: string; readonly code?: string }[];
  readonly survivors: readonly number[];
  readonly end: readonly number[];
  readonly steps: number;
  readonly undisturbed: boolean;
}

/** A disk of a quarter of a MiB, in a namespace of its own: nothing else sees it, and it goes with the process. */
const onSmallDisk = (command: readonly string[], disk: string): string[] => [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"`,
  disk,
  ...command,
];

const probe = join(folder, 'probe');
mkdirSync(probe);
const mounts = spawnSync('unshare', onSmallDisk(['true'], probe)).status === 0;

function run(fault: string, { small }: { readonly small: boolean }): Report {
  const disk = join(folder, fault);
  mkdirSync(disk);
  const command = [process.execPath, child, dist, disk, fault];
  const { stdout, stderr, status } = small
    ? spawnSync('unshare', onSmallDisk(command, disk), { encoding: 'utf8' })
    : spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  // Somebody listens, so the process is not warned.
  expect(stderr).not.toContain('checkpoint');
  return JSON.parse(stdout) as Report;
}

/** Failures with this message after three saves, and a success after them. */
function expectToldAndTriedAgain({ heard, survivors, end, steps, undisturbed }: Report, message: RegExp): void {
  const failures = heard.filter(({ error }) => error);
  expect(failures.length).toBeGreaterThan(0);
  for (const { error, code } of failures) {
    expect(error).toMatch(message);
    expect(code).toBe('file-write');
  }
  expect(heard.slice(0, 3).every(({ error }) => error === undefined)).toBe(true);
  expect(heard.at(-1)!.error).toBeUndefined();
  expect(end).toContain(heard.at(-1)!.step);
  expect(steps).toBeGreaterThan(Math.max(...failures.map(({ step }) => step)));
  expect(survivors.length).toBeLessThanOrEqual(2);
  expect(undisturbed).toBe(true);
}

describe.skipIf(!existsSync(dist))('training goes on', () => {
  it.skipIf(!mounts)('on a full disk', () => {
    expectToldAndTriedAgain(run('full', { small: true }), /Cannot write .*step-\d+: the disk is full/);
  });

  it.skipIf(!mounts)('on a disk that became read-only', () => {
    expectToldAndTriedAgain(run('readOnly', { small: true }), /Cannot write .*: the file system is read-only/);
  });

  it('where the directory became a file', () => {
    expectToldAndTriedAgain(run('replaced', { small: false }), /a file and no directory|a file of that name/);
  });

  it('where the directory vanished; it is told, and then made anew', () => {
    const report = run('vanished', { small: false });
    expectToldAndTriedAgain(report, /its directory does not exist/);
    expect(report.heard.filter(({ error }) => error)).toHaveLength(1);
  });
});
