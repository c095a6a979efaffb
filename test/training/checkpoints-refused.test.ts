/** What a training does not go on from, and what it does not begin over. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  activation,
  type CheckpointOptions,
  createNetwork,
  createReferenceEngine,
  layers,
  losses,
} from '../../src/index.js';
import { otherTrainers, type Scene, scenes } from './checkpoint-scenes.js';
import { trainerFor } from './language.js';

const folder = mkdtempSync(join(tmpdir(), 'mneme-refused-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const original = join(folder, 'original');
let copies = 0;
const engine = createReferenceEngine({ precision: 'f32' });
const training = () => scenes['adam, dropout and shuffled examples']!(engine);

async function train({ network, trainer, batches, options }: Scene, checkpoints: CheckpointOptions, stopAt?: number) {
  const controller = new AbortController();
  const listener = { onStep: ({ step }: { readonly step: number }) => void (step === stopAt && controller.abort()) };
  try {
    const { signal } = controller;
    return await trainer.fit(batches, { ...options, checkpoints, signal, inFlight: 1, listeners: [listener] });
  } finally {
    network.dispose();
  }
}

/** A run of its own with checkpoints of steps 0, 5 and 8, the last of which is the newest. */
function copy(): { readonly directory: string; readonly newest: string } {
  const directory = join(folder, `copy ${copies++}`);
  cpSync(original, directory, { recursive: true });
  return { directory, newest: join(directory, 'step-000000008') };
}

beforeAll(async () => {
  await train(training(), { directory: original }, 5);
  await train(training(), { directory: original, resume: 'latest' }, 8);
  expect(readdirSync(original)).toEqual(['step-000000000', 'step-000000005', 'step-000000008']);
});

const flipped = (file: string, position: number): void => {
  const bytes = readFileSync(file);
  bytes[position < 0 ? bytes.length + position : position]! ^= 1;
  writeFileSync(file, bytes);
};

const parametersFile = (checkpoint: string): string =>
  readdirSync(checkpoint).find((name) => name.startsWith('parameters.'))!;

const damages: readonly (readonly [what: string, damage: (checkpoint: string) => void, message: RegExp])[] = [
  [
    'a bit of the state',
    (at) => flipped(join(at, 'state.safetensors'), -5),
    /state\.safetensors is not what was saved/,
  ],
  ['a bit of the parameters', (at) => flipped(join(at, parametersFile(at)), -5), /parameters\..*is not what was saved/],
  [
    'a digit of the position',
    (at) => flipped(join(at, 'checkpoint.json'), 120),
    /checkpoint\.json is not what was saved/,
  ],
  ['a letter of the model', (at) => flipped(join(at, 'model.json'), 30), /model\.json is not what was saved/],
  ['a truncated state', (at) => truncateSync(join(at, 'state.safetensors'), 100), /was truncated or changed/i],
  ['an empty file', (at) => truncateSync(join(at, 'checkpoint.json'), 0), /checkpoint\.json is not what was saved/],
  ['a missing state', (at) => rmSync(join(at, 'state.safetensors')), /state\.safetensors is missing/],
  ['missing digests', (at) => rmSync(join(at, 'SHA256SUMS')), /SHA256SUMS is missing/],
  ['truncated digests', (at) => truncateSync(join(at, 'SHA256SUMS'), 100), /SHA256SUMS is truncated/],
  ['a digest that is none', (at) => flipped(join(at, 'SHA256SUMS'), 64), /SHA256SUMS holds a line that is no digest/],
  ['a changed digest', (at) => writeFileSync(join(at, 'SHA256SUMS'), sums(at).replace(/^./, '!')), /no digest/],
  [
    'a name that leads out',
    (at) => writeFileSync(join(at, 'SHA256SUMS'), sums(at).replace('model.json', '../m')),
    /no digest/,
  ],
  [
    'one file fewer',
    (at) => writeFileSync(join(at, 'SHA256SUMS'), sums(at).replace(/.*model\.json\n/, '')),
    /model\.json is not among its files/,
  ],
];
const sums = (at: string): string => readFileSync(join(at, 'SHA256SUMS'), 'utf8');

describe('a damaged checkpoint is refused, with what is wrong and the remedy', () => {
  it.each(damages)('%s', async (_, damage, message) => {
    const { directory, newest } = copy();
    damage(newest);
    const refused = expect(train(training(), { directory, resume: 'latest' })).rejects;
    await refused.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(
        new RegExp(`^${newest} is damaged: .*${message.source}.*resume: 'previous'.*step-000000005`, 'i'),
      ),
    });
  });

  it('and where it is the only one, the remedy is to begin anew', async () => {
    const { directory, newest } = copy();
    for (const step of [0, 5]) rmSync(join(directory, `step-00000000${step}`), { recursive: true });
    flipped(join(newest, 'model.json'), 30);
    await expect(train(training(), { directory, resume: 'latest' })).rejects.toThrow(/none before it: begin anew/);
  });

  it('and the one before it used on request, whereupon the damaged one goes', async () => {
    const { directory, newest } = copy();
    flipped(join(newest, 'state.safetensors'), -1);
    const history = await train(training(), { directory, resume: 'previous' }, 6);
    expect(history.steps).toBe(6);
    expect(readdirSync(directory)).toEqual(['step-000000000', 'step-000000005', 'step-000000006']);
    expect((await train(training(), { directory, resume: 'latest' })).stopped).toBe('epochs');
  });

  it('or replaced, where training comes by the same step again', async () => {
    const { directory, newest } = copy();
    flipped(join(newest, 'state.safetensors'), -1);
    await train(training(), { directory, resume: 'previous' }, 8);
    expect((await train(training(), { directory, resume: 'latest' }, 9)).steps).toBe(9);
  });

  it('and where no whole one is before it, it says so', async () => {
    const { directory } = copy();
    for (const step of [0, 5]) flipped(join(directory, `step-00000000${step}`, 'model.json'), 30);
    await expect(train(training(), { directory, resume: 'previous' })).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('no whole checkpoint before step-000000008'),
    });
  });

  /** As somebody would who knows how to write digests. */
  function forge(checkpoint: string, from: string | RegExp, to: string): void {
    const file = join(checkpoint, 'checkpoint.json');
    const digest = () => createHash('sha256').update(readFileSync(file)).digest('hex');
    const before = digest();
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
    writeFileSync(join(checkpoint, 'SHA256SUMS'), sums(checkpoint).replace(before, digest()));
  }

  it.each([
    ['a newer format', /"version": 1/, '"version": 2', /format version 2, and this mneme .* reads up to 1/],
    ['a step that is none', /"step": 8/, '"step": -8', /'progress\.step' must be/],
    ['a name that nobody knows', /"finished"/, '"__proto__": 1, "finished"', /__proto__/],
    ['more rows than there are', /"rows": \d+/, '"rows": 1099511627776', /'states' has \d+ elements/],
    ['a place beyond the data', /"batch": \d+/, '"batch": 1000', /ends after 6 batches, but 1000/],
  ])('forged, it is refused too: %s', async (_, from, to, message) => {
    const { directory, newest } = copy();
    forge(newest, from, to);
    await expect(train(training(), { directory, resume: 'latest' })).rejects.toThrow(message);
  });
});

describe('a run goes on as it was, so it is refused', () => {
  it.each(otherTrainers)('%s', async (_, other, message) => {
    const { directory } = copy();
    await expect(train(other(engine), { directory, resume: 'latest' })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message),
    });
  });

  it('another precision', async () => {
    const { directory } = copy();
    const other = scenes['adam, dropout and shuffled examples']!(createReferenceEngine({ precision: 'f64' }));
    await expect(train(other, { directory, resume: 'latest' })).rejects.toThrow(/'precision' is "f64", but was "f32"/);
  });
});

describe('what is in the way of a new run', () => {
  it('a run that was not finished is not begun over', async () => {
    const { directory } = copy();
    await expect(train(training(), { directory })).rejects.toMatchObject({
      code: 'file-write',
      message: expect.stringMatching(/not finished, up to step 8\. resume: 'latest' goes on/),
    });
    expect(readdirSync(directory)).toHaveLength(3);
    expect((await train(training(), { directory, overwrite: true }, 1)).steps).toBe(1);
    expect(readdirSync(directory)).toEqual(['step-000000000', 'step-000000001']);
  });

  it('one that was finished is replaced, and one that did no step', async () => {
    const { directory } = copy();
    await train(training(), { directory, resume: 'latest' });
    expect(readdirSync(directory).at(-1)).toMatch(/-end$/);
    await train(training(), { directory }, 1);
    rmSync(join(directory, 'step-000000001'), { recursive: true });
    expect((await train(training(), { directory }, 2)).steps).toBe(2);
  });

  it('what a killed save left behind is removed', async () => {
    const { directory } = copy();
    cpSync(join(directory, 'step-000000005'), join(directory, '.step-000000009.0a1b2c3d4e5f.tmp'), { recursive: true });
    await train(training(), { directory, resume: 'latest' }, 9);
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('a model that could not be loaded again is refused at once, not at every checkpoint', async () => {
    const network = createNetwork([layers.dense({ units: 2, activation: activation('tanh', (x) => x) })], {
      engine,
      input: { features: 2 },
    });
    const scene = { ...training(), network, trainer: trainerFor(network, { loss: losses.meanSquaredError() }) };
    await expect(train(scene, { directory: join(folder, 'unnamed') })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining("is called 'tanh'"),
    });
  });

  it('a file where the directory should be', async () => {
    const file = join(folder, 'a file');
    writeFileSync(file, '');
    await expect(train(training(), { directory: file })).rejects.toThrow(/a file and no directory/);
    await expect(train(training(), { directory: join(file, 'run') })).rejects.toThrow(/is a file and no directory/);
  });

  it.each([
    [{ directory: '' }, /'checkpoints\.directory' must be/],
    [{ directory: 'run', step: 5 }, /unknown option 'checkpoints\.step'/],
    [{ directory: 'run', keep: 0 }, /'checkpoints\.keep' must be a whole number of at least 1/],
    [{ directory: 'run', extras: 1n }, /'checkpoints\.extras' must be plain data/],
    [{ directory: 'run', resume: true }, /'checkpoints\.resume' must be/],
  ])('options that make no sense: %o', async (checkpoints, message) => {
    await expect(train(training(), checkpoints as CheckpointOptions)).rejects.toThrow(message);
  });
});
