import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeAtomically } from '../../src/formats/atomic.js';
import type { Disk } from './failing-disk.js';

const disk = vi.hoisted<Disk>(() => ({ operations: 0, failAt: 0, powerLost: false }));
vi.mock('node:fs/promises', async (original) => {
  const { failingDisk } = await import('./failing-disk.js');
  return failingDisk(await original(), disk);
});

const root = mkdtempSync(join(tmpdir(), 'mneme-atomic-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = '';
beforeEach(() => {
  Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
  directory = mkdtempSync(join(root, 'case-'));
});

const pieces = (text: string) => [Buffer.from(text.slice(0, 3)), Buffer.from(text.slice(3))];

/** Steps of one undisturbed write: open, two pieces, sync, rename, sync of the directory. */
const steps = 6;

describe('writeAtomically', () => {
  it('puts the content in place and leaves nothing else', async () => {
    const path = join(directory, 'file');
    await writeAtomically(path, pieces('first content'));
    expect(disk.operations).toBe(steps);
    await writeAtomically(path, pieces('second content'));
    expect(readFileSync(path, 'utf8')).toBe('second content');
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it.each(Array.from({ length: steps }, (_, i) => i + 1))(
    'keeps the old content or the new when step %i fails',
    async (failAt) => {
      const path = join(directory, 'file');
      writeFileSync(path, 'old');
      disk.failAt = failAt;
      await expect(writeAtomically(path, pieces('new content'))).rejects.toMatchObject({
        name: 'MnemeError',
        code: 'file-write',
        message: `Cannot write ${path}: the disk is full.`,
      });
      // The last step makes the new name durable: it is there already.
      expect(readFileSync(path, 'utf8')).toBe(failAt < steps ? 'old' : 'new content');
      expect(readdirSync(directory)).toEqual(['file']);
    },
  );

  it.each(Array.from({ length: steps }, (_, i) => i + 1))(
    'does so too when everything ends at step %i',
    async (failAt) => {
      const path = join(directory, 'file');
      writeFileSync(path, 'old');
      Object.assign(disk, { failAt, powerLost: true });
      await expect(writeAtomically(path, pieces('new content'))).rejects.toThrow();
      expect(readFileSync(path, 'utf8')).toBe(failAt < steps ? 'old' : 'new content');
    },
  );

  it('says why a place cannot be written to', async () => {
    const cases: readonly [string, RegExp][] = [
      [join(directory, 'none', 'file'), /its directory does not exist/],
      [join(directory, 'plain', 'file'), /a part of the path is a file/],
      [join(directory, 'folder'), /it is a directory|a file of that name is in the way/],
    ];
    writeFileSync(join(directory, 'plain'), '');
    mkdirSync(join(directory, 'folder', 'full'), { recursive: true });
    for (const [path, message] of cases) {
      await expect(writeAtomically(path, pieces('content'))).rejects.toThrow(message);
      await expect(writeAtomically(path, pieces('content'))).rejects.toMatchObject({ code: 'file-write' });
    }
    expect(readdirSync(directory).sort()).toEqual(['folder', 'plain']);
  });
});
