import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadModel } from '../../src/model/sequential.js';
import type { Disk } from '../formats/failing-disk.js';
import { reference } from './engines.js';
import { small, valuesOf } from './small-model.js';

const disk = vi.hoisted<Disk>(() => ({ operations: 0, failAt: 0, powerLost: false }));
vi.mock('node:fs/promises', async (original) => {
  const { failingDisk } = await import('../formats/failing-disk.js');
  return failingDisk(await original(), disk);
});

const root = mkdtempSync(join(tmpdir(), 'mneme-save-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = '';
beforeEach(() => {
  Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
  directory = join(mkdtempSync(join(root, 'case-')), 'small.mneme');
});
const load = () => loadModel(directory, { engine: reference() });

describe('a save that fails', () => {
  /** How many operations that change the disk a save over another model takes. */
  async function countOperations(): Promise<number> {
    await small(1).save(directory);
    disk.operations = 0;
    await small(2).save(directory);
    const count = disk.operations;
    rmSync(directory, { recursive: true });
    return count;
  }

  it.each([false, true])(
    'leaves the old model or the new, whichever step it was (everything ends there: %s)',
    async (powerLost) => {
      const count = await countOperations();
      expect(count).toBeGreaterThan(10);
      const [old, next] = [await valuesOf(small(1)), await valuesOf(small(2))];
      const outcomes = new Set<string>();
      for (let failAt = 1; failAt <= count; failAt++) {
        Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
        await small(1).save(directory);
        Object.assign(disk, { operations: 0, failAt, powerLost });
        const failure = await small(2)
          .save(directory)
          .then(
            () => undefined,
            (error) => error,
          );
        Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
        if (failure) expect(failure).toMatchObject({ name: 'MnemeError', code: 'file-write' });
        const found = await valuesOf(await load());
        const isOld = found.every((value, index) => value === old[index]);
        expect(found).toEqual(isOld ? old : next);
        // Told that it was saved, it is the new one.
        if (!failure) expect(isOld).toBe(false);
        outcomes.add(isOld ? 'old' : 'new');
        // The disk works again: nothing is left that a save does not clean up, but for what a loss of power left.
        if (!powerLost && failure) expect(readdirSync(directory)).toHaveLength(2);
        rmSync(directory, { recursive: true });
      }
      expect(outcomes).toEqual(new Set(['old', 'new']));
    },
  );

  it('leaves no directory where there was none', async () => {
    for (let failAt = 1; failAt <= 6; failAt++) {
      Object.assign(disk, { operations: 0, failAt, powerLost: false });
      await expect(small(1).save(directory)).rejects.toMatchObject({ code: 'file-write' });
      expect(() => readdirSync(directory)).toThrow();
    }
  });

  it('says where it could not write', async () => {
    writeFileSync(directory, 'a file');
    await expect(small(1).save(directory)).rejects.toMatchObject({
      code: 'file-write',
      message: `Cannot write ${directory}: a file of that name is in the way.`,
    });
    await expect(small(1).save(join(directory, 'below'))).rejects.toThrow(/a part of the path is a file/);
  });
});

it('a model that is replaced between the reading of its two files is loaded as the new one', async () => {
  const second = small(2);
  await small(1).save(directory);
  disk.beforeRead = async (path) => {
    if (!path.endsWith('.safetensors')) return;
    disk.beforeRead = undefined;
    await second.save(directory);
  };
  expect(await valuesOf(await load())).toEqual(await valuesOf(second));
});
