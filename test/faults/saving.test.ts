/** A process that is killed while it saves leaves a model that loads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createReferenceEngine, loadModel } from '../../src/index.js';

const child = fileURLToPath(new URL('saving-child.mjs', import.meta.url));
const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

test.skipIf(!existsSync(built))('a model survives kill -9 at any moment of its replacement', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mneme-killed-'));
  const seen = new Set<number>();
  for (let round = 0; round < 12; round++) {
    const saver = spawn(process.execPath, [child, built, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(saver, 'exit');
    const [first] = await Promise.race([once(saver.stdout, 'data'), exit]);
    expect(String(first)).toBe('saved\n');
    // Spread over several saves, each of which takes a few milliseconds.
    await setTimeout(2 + 3.7 * round);
    saver.kill('SIGKILL');
    await exit;
    const model = await loadModel(directory, { engine: createReferenceEngine({ precision: 'f32' }) });
    seen.add(model.network.seed);
  }
  rmSync(directory, { recursive: true });
  expect([...seen].every((seed) => seed === 1 || seed === 2)).toBe(true);
});
