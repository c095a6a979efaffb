/**
 * Kills a training with -9 at random moments, every second time while a checkpoint is being written, and goes on with it
 * on another number of threads and another instruction set each time. However often that was, it must end with the bits
 * of the training that nobody disturbed.
 *
 *   npm run build:typescript && node scripts/kill-test.mjs --kills 100
 */
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadAddon } from '../dist/compute/engine/addon.js';
import { mobyDick } from '../examples/moby-dick.js';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '20' } } });
const kills = Number(values.kills);
assert(Number.isSafeInteger(kills) && kills > 0, '--kills takes a whole number above 0');

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'mneme-kill-test-'));
const text = join(work, 'book.txt');
writeFileSync(text, mobyDick().slice(0, 250_000));
const options =
  '--cell gru --layers 2 --units 40 --embedding 16 --dropout 0.1 --batch 20 --steps 25 --epochs 4 --seed 7 --checkpoint-steps 20';

/** Where training goes on: threads and instruction set, in turn. */
const sets = loadAddon().addon?.machine().instructionSets ?? [];
const machines =
  sets.length > 0 ? sets.flatMap((set) => [1, 2].map((threads) => ({ set, threads }))) : [{ threads: 1 }];

const lineOf = (line) => JSON.parse(line);
const isCheckpoint = (name) => name.startsWith('step-');
const isUnfinished = (name) => name.startsWith('.step-');
const listing = (directory) => (existsSync(directory) ? readdirSync(directory) : []);

/** A process that trains, and what it says. */
function start(args, { set, threads }) {
  const environment = { ...process.env, ...(set ? { MNEME_ISA: set } : {}) };
  const child = spawn(process.execPath, [main, 'train', ...args, '--threads', String(threads), '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      said[name] += chunk;
    });
  }
  const closed = once(child, 'close').then(([code, signal]) => ({ code, signal, ...said }));
  return { child, closed, began: Promise.race([once(child.stdout, 'data'), closed]) };
}

/** What a training ended with: the digest of its parameters, and the losses of its passes. */
function outcome(directory, { code, stdout, stderr }) {
  assert.equal(code, 0, `the training failed: ${stderr}`);
  const passes = stdout
    .trim()
    .split('\n')
    .map(lineOf)
    .filter((line) => 'trainLoss' in line)
    .map(({ epoch, step, trainLoss, validationLoss }) => ({ epoch, step, trainLoss, validationLoss }));
  const { parameters } = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
  return { sha256: parameters.sha256, passes };
}

console.log(`a training that nobody disturbs, ${machines.map(({ set, threads }) => `${set} x ${threads}`).join(', ')}`);
const undisturbed = join(work, 'undisturbed');
const began = performance.now();
const first = start(['--text', text, ...options.split(' '), '--out', undisturbed], machines[0]);
await first.began;
const startup = performance.now() - began;
const expected = outcome(undisturbed, await first.closed);
const whole = performance.now() - began;
console.log(`  ${(whole / 1000).toFixed(1)} s, parameters ${expected.sha256}`);

const figures = { killed: 0, saving: 0, beforeFirstLine: 0, begunAgain: 0, goneOn: 0, ended: 0 };
let turn = 0;
let directory = join(work, 'run 0');
let reached = 0;

/** Waits for the moment at which to kill. */
async function moment(process, checkpoints) {
  if (turn % 2 === 1 && listing(checkpoints).length > 0) {
    await process.began;
    const watching = new AbortController();
    let saves = 1 + Math.floor(Math.random() * 4);
    const seen = new Set();
    const saving = new Promise((resolve) => {
      watch(checkpoints, { signal: watching.signal }, (_, name) => {
        if (!name || !isUnfinished(name) || seen.has(name)) return;
        seen.add(name);
        saves -= 1;
        if (saves === 0) resolve();
      });
    });
    await Promise.race([saving, process.closed]);
    watching.abort();
    // From the first of its files to the removal of older ones.
    await setTimeout(Math.random() * 40);
  } else {
    await Promise.race([setTimeout(Math.random() * (startup + 600)), process.closed]);
  }
}

function verify(result) {
  const { sha256, passes } = outcome(directory, result);
  assert.equal(sha256, expected.sha256, 'the parameters are those of the undisturbed training');
  assert.deepEqual(passes, expected.passes.slice(expected.passes.length - passes.length), 'and so are the losses');
  figures.ended += 1;
  rmSync(directory, { recursive: true });
  directory = join(work, `run ${figures.ended}`);
  reached = 0;
}

function begin() {
  const checkpoints = join(directory, 'checkpoints');
  const going = listing(checkpoints).some(isCheckpoint);
  figures[going ? 'goneOn' : 'begunAgain'] += 1;
  const args = going ? ['--resume', directory] : ['--text', text, ...options.split(' '), '--out', directory];
  return { ...start(args, machines[turn++ % machines.length]), checkpoints };
}

/** Nothing is lost but the steps since the last checkpoint. */
function checkProgress({ stdout }) {
  const line = stdout.split('\n')[0];
  const { step } = line ? lineOf(line) : {};
  if (step === undefined) return;
  assert(step >= reached, `went on from step ${step}, but step ${reached} had been saved`);
}

mkdirSync(directory);
while (figures.killed < kills) {
  const process = begin();
  await moment(process, process.checkpoints);
  process.child.kill('SIGKILL');
  const result = await process.closed;
  checkProgress(result);
  if (result.signal !== 'SIGKILL') {
    verify(result);
    continue;
  }
  const left = listing(process.checkpoints);
  figures.killed += 1;
  if (left.some(isUnfinished)) figures.saving += 1;
  if (result.stdout === '') figures.beforeFirstLine += 1;
  reached = Math.max(0, ...left.filter(isCheckpoint).map((name) => Number.parseInt(name.slice('step-'.length), 10)));
  console.log(
    `  kill ${figures.killed}: at step ${reached} or later${left.some(isUnfinished) ? ', while saving' : ''}`,
  );
}
const last = begin();
verify(await last.closed);
rmSync(work, { recursive: true });

const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(
  `${figures.killed} kills in ${seconds} s: ${figures.saving} left a save half done, ${figures.beforeFirstLine} came before the first line.\n` +
    `Gone on ${figures.goneOn} times, begun ${figures.begunAgain} times; ${figures.ended} trainings ended, all with the same bits:\n` +
    `${expected.sha256}`,
);
