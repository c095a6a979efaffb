/** A training that goes on from a checkpoint ends with the same bits as one that was never interrupted. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import {
  type CheckpointOptions,
  createReferenceEngine,
  type Engine,
  loadModel,
  type NumericArray,
  updaters,
} from '../../src/index.js';
import type { Listener } from '../../src/training/listener.js';
import { trainingRule } from '../../src/training/rule.js';
import { Stepper } from '../../src/training/stepper.js';
import { probe, type Scene, scenes } from './checkpoint-scenes.js';
import { language, loss } from './language.js';

vi.mock(import('node:fs/promises'), async (original) => {
  const { instantDisk } = await import('./instant-disk.js');
  return instantDisk(await original());
});

const folder = mkdtempSync(join(tmpdir(), 'mneme-checkpoints-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const place = (): string => join(folder, String(made++));

/** Time stands still, so that records can be compared. */
const clock = () => 0;

interface Outcome {
  readonly history: unknown;
  readonly parameters: Float32Array;
  readonly next: unknown;
  readonly heard: readonly unknown[];
}

async function run(
  name: string,
  { network, trainer, batches, options }: Scene,
  checkpoints?: CheckpointOptions,
  more: { readonly signal?: AbortSignal; readonly listener?: Listener } = {},
): Promise<Outcome> {
  const heard: unknown[] = [];
  const listener = {
    onStep: (record: unknown) => void heard.push(record),
    onEpoch: (record: unknown) => void heard.push(record),
  };
  const history = await trainer.fit(batches, {
    ...options,
    ...(checkpoints ? { checkpoints } : {}),
    ...(more.signal ? { signal: more.signal } : {}),
    listeners: [listener, ...(more.listener ? [more.listener] : [])],
    clock,
  });
  const parameters = await network.readParameters();
  const averages = name.includes('averaged') ? await trainer.averagedParameters() : undefined;
  const next = [averages, await trainer.step(probe(name)), await network.readParameters(), trainer.iteration];
  network.dispose();
  return { history, parameters, next, heard };
}

/** What training hears of steps from `step` on. */
const after = (heard: readonly unknown[], step: number) =>
  heard.filter((record) => !('epoch' in (record as object)) || (record as { step: number }).step > step);

const { addon } = loadAddon();
const sets = addon?.machine().instructionSets ?? [];
const native = (instructionSet: string | undefined, threads: number) =>
  addon && instructionSet ? createNativeEngine({ addon, instructionSet, threads }) : undefined;

/** Who writes, and who goes on. */
const pairs: readonly (readonly [string, Engine | undefined, Engine | undefined])[] = [
  ['reference, f32', createReferenceEngine({ precision: 'f32' }), createReferenceEngine({ precision: 'f32' })],
  ['reference, f64', createReferenceEngine({ precision: 'f64' }), createReferenceEngine({ precision: 'f64' })],
  ['native, 1 thread, then 2', native(sets[0], 1), native(sets[0], 2)],
  ['native, 2 threads, then 1 and another instruction set', native(sets[0], 2), native(sets.at(-1), 1)],
];

for (const [pair, first, second] of pairs) {
  describe.skipIf(!first)(`going on: ${pair}`, () => {
    it.each(Object.keys(scenes))('%s', async (name) => {
      const undisturbed = await run(name, scenes[name]!(first!));
      const directory = place();
      const watched = await run(name, scenes[name]!(first!), { directory, steps: 1, keep: 1000 });
      expect(watched).toEqual(undisturbed);

      const names = readdirSync(directory).filter((entry) => entry.startsWith('step-'));
      expect(names.length).toBeGreaterThan(2);
      for (const checkpoint of names) {
        const alone = place();
        cpSync(join(directory, checkpoint), join(alone, checkpoint), { recursive: true });
        const resumed = await run(name, scenes[name]!(second!), { directory: alone, steps: 3, resume: 'latest' });
        const step = Number(checkpoint.slice(5, 14));
        expect({ ...resumed, heard: after(resumed.heard, step) }, checkpoint).toEqual({
          ...undisturbed,
          heard: after(undisturbed.heard, step),
        });
      }
    });

    it.each(Object.keys(scenes))('%s, stopped by a signal after every step', async (name) => {
      const undisturbed = await run(name, scenes[name]!(first!));
      const directory = place();
      const total = (undisturbed.history as { steps: number }).steps;
      let last: Outcome | undefined;
      for (let rounds = 0; rounds <= total; rounds++) {
        const controller = new AbortController();
        const engine = rounds % 2 === 0 ? first! : second!;
        const stop = { onStep: () => controller.abort() };
        const more = { signal: controller.signal, listener: stop };
        last = await run(name, scenes[name]!(engine), { directory, resume: 'latest' }, more);
        if ((last.history as { stopped: string }).stopped === 'epochs') break;
      }
      expect({ ...last, heard: [] }).toEqual({ ...undisturbed, heard: [] });
      expect(readdirSync(directory).at(-1)).toMatch(/-end$/);
    });
  });
}

describe('the counter of random numbers', () => {
  it.each(pairs.slice(0, 3))('is kept beyond what floats can count: %s', async (_, engine) => {
    if (!engine) return;
    const network = language(engine);
    const stepper = new Stepper(network, trainingRule(network, { loss, updater: updaters.sgd() }), () => 1);
    const many = 2 ** 25 + 1;
    const given: Readonly<Record<string, NumericArray>> = {
      updater: engine.precision === 'f64' ? new Float64Array(2) : new Float32Array(2),
      draws: Int32Array.of(many),
    };
    await stepper.restore({ iteration: many, rows: undefined, array: (name) => given[name]! });
    const { iteration, reads } = stepper.capture();
    expect(iteration).toBe(many);
    expect(await reads.get('draws')).toEqual(Int32Array.of(many));
    stepper.dispose();
    network.dispose();
  });
});

describe('a training that was finished', () => {
  it('goes on where it is to have more passes', async () => {
    const name = 'rmsprop, states carried on and sequences cut';
    const engine = createReferenceEngine({ precision: 'f32' });
    const directory = place();
    const short = scenes[name]!(engine);
    await run(name, { ...short, options: { ...short.options, epochs: 1 } }, { directory });
    const undisturbed = await run(name, scenes[name]!(engine));
    const resumed = await run(name, scenes[name]!(engine), { directory, resume: 'latest' });
    // How far it has come is another share of the whole.
    expect({ ...resumed, heard: [] }).toEqual({ ...undisturbed, heard: [] });
  });
});

describe('a training of so many seconds', () => {
  const engine = createReferenceEngine({ precision: 'f32' });

  /** Each batch takes a tenth of a second. */
  const timed = async (checkpoints?: CheckpointOptions, stopAt?: number) => {
    let now = 0;
    const { network, trainer, batches, options } = scenes['a best pass that is not the last']!(engine);
    const controller = new AbortController();
    const rates: number[] = [];
    const history = await trainer.fit(
      {
        ...batches,
        *epoch(epoch) {
          for (const batch of batches.epoch(epoch)) {
            yield batch;
            now += 100;
          }
        },
      },
      {
        seconds: 1.5,
        validation: options.validation,
        inFlight: 1,
        clock: () => now,
        signal: controller.signal,
        listeners: [
          {
            onStep: ({ step, fraction }) => {
              rates.push(fraction);
              if (step === stopAt) controller.abort();
            },
          },
        ],
        ...(checkpoints ? { checkpoints } : {}),
      },
    );
    const parameters = await network.readParameters();
    network.dispose();
    return { history: { ...history, epochs: history.epochs.length }, rates, parameters };
  };

  it('ends when they have been trained, however often it was interrupted', async () => {
    const undisturbed = await timed();
    expect(undisturbed.history).toMatchObject({ stopped: 'seconds', steps: 15 });
    const directory = place();
    const first = await timed({ directory }, 7);
    const second = await timed({ directory, resume: 'latest' }, 12);
    const third = await timed({ directory, resume: 'latest' });
    expect([...first.rates, ...second.rates, ...third.rates]).toEqual(undisturbed.rates);
    expect(third.history.steps).toBe(15);
    expect(third.parameters).toEqual(undisturbed.parameters);
    const again = await timed({ directory, resume: 'latest' });
    expect(again.rates).toEqual([]);
    expect(again.history).toMatchObject({ stopped: 'seconds', steps: 15, epochs: undisturbed.history.epochs });
    expect(again.parameters).toEqual(undisturbed.parameters);
  });
});

describe('what lies in the directory', () => {
  const name = 'a best pass that is not the last';
  const engine = createReferenceEngine({ precision: 'f32' });

  it('is the newest three and the best pass, models all of them', async () => {
    const directory = place();
    const outcome = await run(name, scenes[name]!(engine), { directory, steps: 1 });
    const names = readdirSync(directory).sort();
    expect(names).toHaveLength(4);
    expect(names[0]).toBe('best');
    expect(names[3]).toBe('step-000000010-end');
    const best = await loadModel(join(directory, 'best'), { engine });
    expect(await best.network.readParameters()).toEqual(outcome.parameters);
    const end = await loadModel(join(directory, names[3]!), { engine });
    expect(await end.network.readParameters()).not.toEqual(outcome.parameters);
  });

  it('can be checked without mneme, by its digests', async () => {
    const directory = place();
    await run(name, scenes[name]!(engine), { directory, steps: 1 });
    const checkpoint = join(directory, 'step-000000010-end');
    const lines = readFileSync(join(checkpoint, 'SHA256SUMS'), 'utf8').trimEnd().split('\n');
    const names = lines.map((line) => {
      const [digest, file] = line.split('  ') as [string, string];
      const bytes = readFileSync(join(checkpoint, file));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
      return file;
    });
    expect([...names, 'SHA256SUMS'].sort()).toEqual(readdirSync(checkpoint).sort());
  });

  it('is of one run only: what a finished one left goes when another begins', async () => {
    const directory = place();
    await run(name, scenes[name]!(engine), { directory, steps: 1 });
    const { network, trainer, batches } = scenes[name]!(engine);
    await trainer.fit(batches, { checkpoints: { directory } });
    network.dispose();
    expect(readdirSync(directory)).toEqual(['step-000000000', 'step-000000002-end']);
  });

  it('is there from before the first step, and every so often by the clock', async () => {
    const directory = place();
    const { network, trainer, batches } = scenes[name]!(engine);
    let now = 0;
    const heard: unknown[] = [];
    await trainer.fit(batches, {
      epochs: 4,
      inFlight: 1,
      clock: () => now,
      checkpoints: { directory, minutes: 2, keep: 100 },
      listeners: [
        {
          onStep: () => {
            now += 60_000;
          },
          onCheckpoint: ({ step, error }) => heard.push([step, error]),
        },
      ],
    });
    network.dispose();
    expect(heard).toEqual([0, 3, 5, 7, 8].map((step) => [step, undefined]));
  });
});
