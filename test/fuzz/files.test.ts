/**
 * Files that are changed at random are read, or refused with `file-invalid` and the file's name: no other error, no hang, no
 * more memory than some times their size, nothing outside of their directory, and no prototype that has changed.
 *
 * `npm run fuzz -- --count N --seed S` tries more.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MnemeError } from '../../src/errors.js';
import { randomOf } from './random.js';
import { targets } from './targets.js';

const count = Number(process.env.MNEME_FUZZ_COUNT ?? 1500);
const seed = Number(process.env.MNEME_FUZZ_SEED ?? 1);

const root = mkdtempSync(join(tmpdir(), 'mneme-fuzz-'));
afterAll(() => rmSync(root, { recursive: true }));

/**
 * Of one attempt, in times of the files' bytes: the file itself, its numbers as f32 or i32 (4 times those of 8 bits), the same in
 * the double precision of the reference engine, and one copy of each on the way.
 */
const memoryFactor = 1 + 2 * (4 + 8);
/** Whatever the file: buffers of Node for reading it. */
const memoryFloor = 2 ** 18;

const prototypes = [Object, Array, Function, String, Number, Map, Promise, Uint8Array].map((each) => each.prototype);
const ownKeys = () => prototypes.map((each) => Reflect.ownKeys(each).length);

for (const target of targets) {
  test(`hostile files: ${target.name}`, { timeout: 3_600_000 }, async () => {
    const keys = ownKeys();
    let read = 0;
    for (let attempt = 0; attempt < count; attempt++) {
      const tried = target.make(randomOf(seed * 1_000_003 + attempt));
      const directory = join(root, 'within', 'model');
      const where = `seed ${seed}, attempt ${attempt}`;
      const before = process.memoryUsage().arrayBuffers;
      try {
        const elements = await tried.read(directory);
        expect(elements * 4, where).toBeLessThanOrEqual(tried.bytes * memoryFactor);
        read++;
      } catch (error) {
        if (!(error instanceof MnemeError)) throw new Error(`${where}: ${error}`, { cause: error });
        expect(`${where}: ${error.code}: ${error.message}`).toContain(`${where}: file-invalid: ${directory}`);
      }
      const grown = process.memoryUsage().arrayBuffers - before;
      expect(grown, where).toBeLessThanOrEqual(tried.bytes * memoryFactor + memoryFloor);
    }
    expect(ownKeys()).toEqual(keys);
    expect(readdirSync(root).filter((name) => name !== 'within')).toEqual([]);
    if (existsSync(join(root, 'within'))) expect(readdirSync(join(root, 'within'))).toEqual(['model']);
    // Some are whole: else nothing but the first check would be tried.
    expect(read).toBeGreaterThan(0);
  });
}
