/** A disk that takes its time, and one that nobody hears about. */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { createReferenceEngine } from '../../src/index.js';
import { data, language, trainerFor } from './language.js';
import { batchesOf } from './sequences.js';

/** What a save waits for before it makes its directory. */
const disk = { ready: Promise.resolve() };

vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  const mkdir = async (path: string, options: object) => {
    if (String(path).includes('.step-')) await disk.ready;
    return real.mkdir(path, options);
  };
  return { ...real, mkdir: mkdir as unknown as typeof real.mkdir };
});

const folder = mkdtempSync(join(tmpdir(), 'mneme-slow-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const engine = createReferenceEngine({ precision: 'f32' });

it('training does not wait for the disk, and no more than one checkpoint is on its way', async () => {
  let release = () => undefined as unknown;
  disk.ready = new Promise<void>((resolve) => {
    release = resolve;
  });
  const directory = join(folder, 'slow');
  const network = language(engine);
  const heard: number[] = [];
  const steps: number[] = [];
  const reads = vi.spyOn(network.stream, 'read');
  await trainerFor(network).fit(batchesOf(data(6)), {
    epochs: 5,
    checkpoints: { directory, steps: 1 },
    listeners: [
      {
        onStep: ({ step }) => {
          steps.push(step);
          if (step === 29) expect(readdirSync(directory)).toEqual([]);
          if (step === 30) release();
        },
        onCheckpoint: ({ step }) => heard.push(step),
      },
    ],
  });
  expect(steps).toHaveLength(30);
  expect(heard).toEqual([0, 30]);
  // Parameters, the updater's arena and its counter, for each; recurrent states for the last one.
  expect(reads).toHaveBeenCalledTimes(7);
});

it('where no listener hears of a checkpoint that was not written, the process is warned', async () => {
  disk.ready = Promise.resolve();
  const directory = join(folder, 'unheard');
  const warned = once(process, 'warning');
  await trainerFor(language(engine)).fit(batchesOf(data(2)), {
    checkpoints: { directory },
    listeners: [
      {
        onStep: ({ step }) => {
          if (step !== 2) return;
          renameSync(directory, `${directory} elsewhere`);
          writeFileSync(directory, '');
        },
      },
    ],
  });
  const [warning] = await warned;
  expect(warning).toMatchObject({
    name: 'MnemeWarning',
    message: expect.stringMatching(/^The checkpoint of step \d was not written\. Cannot write .*no directory/),
  });
});
