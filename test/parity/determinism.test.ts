/**
 * A training has the same bits - losses and parameters - for any number of threads and on every instruction set this
 * machine has.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { native } from '../network/engines.js';
import { book, languageModel, lossCurve } from './language-model.js';

const { addon } = loadAddon();
const sets = addon?.machine().instructionSets ?? [];
const variants = sets.flatMap((set) => [1, 2, 3].map((threads) => [set, threads] as const));

async function train(instructionSet: string, threads: number) {
  const engine = createNativeEngine({ addon: addon!, instructionSet, threads });
  const setting = languageModel(book(), engine);
  const losses = await lossCurve(setting, 20);
  const parameters = await setting.network.readParameters();
  const used = { set: engine.instructionSet, threads: setting.network.stream.threads };
  setting.network.dispose();
  return { losses, parameters: createHash('sha256').update(new Uint8Array(parameters.buffer)).digest('hex'), used };
}

describe.skipIf(!native)('the same bits', () => {
  it.each(variants)('%s, threads: %i', async (set, threads) => {
    const { used, ...result } = await train(set, threads);
    expect(used).toEqual({ set, threads });
    const { used: _, ...first } = await train(sets[0]!, 1);
    expect(result).toEqual(first);
  });
});

const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** Runs in a process of its own; prints what it ran on, and what came out. */
const program = `
import { createHash } from 'node:crypto';
import { createTrainer, layers, losses, sequential, tensor, updaters } from ${JSON.stringify(built)};
const ids = (offset) => tensor(Int32Array.from({ length: 8 * 40 }, (_, i) => (i * i + offset) % 11), [8, 40]);
const model = sequential(
  [layers.embedding({ vocabulary: 11, units: 17 }), layers.lstm({ units: 33 }), layers.gru({ units: 31, dropout: 0.2 }), layers.dense({ units: 11 })],
  { seed: 3 },
);
const trainer = createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.rmsprop(), clip: { globalNorm: 1 } });
const batch = { inputs: ids(0), targets: ids(1), continues: false };
const curve = [];
for (let step = 0; step < 10; step++) curve.push((await trainer.step({ ...batch, continues: step > 0 })).loss);
const parameters = await model.network.readParameters();
const hash = createHash('sha256').update(new Uint8Array(parameters.buffer)).digest('hex');
const { engine, stream } = model.network;
console.log(JSON.stringify({ ran: [engine.name, engine.instructionSet, stream.threads], result: { curve, hash } }));
`;

interface Answer {
  readonly ran: readonly [engine: string, instructionSet: string, threads: number];
  readonly result: unknown;
}

function inChild(set: string, threads: number): Answer {
  const environment = { ...process.env, MNEME_ENGINE: 'native', MNEME_ISA: set, MNEME_THREADS: String(threads) };
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: environment,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Answer;
}

describe.skipIf(!native || !existsSync(built))('the same bits in processes of their own', () => {
  it.each(variants)('MNEME_ISA=%s MNEME_THREADS=%i', (set, threads) => {
    const { ran, result } = inChild(set, threads);
    expect(ran).toEqual(['native', set, threads]);
    expect(result).toEqual(inChild(sets[0]!, 1).result);
  });
});
