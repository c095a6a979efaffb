/**
 * Trains with checkpoints on a disk that fails and is mended: `node disk-child.mjs PATH-OF-DIST DIRECTORY FAULT`.
 * Prints what the listeners heard, and whether what was saved before was whole all the while.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist, disk, fault] = process.argv.slice(2);
const { arrays, createTrainer, layers, losses, sequential, tensor, updaters } = await import(
  pathToFileURL(join(dist, 'index.js')).href
);
const { checkpointsIn, readCheckpoint } = await import(pathToFileURL(join(dist, 'formats/checkpoint.js')).href);

/** Within the disk, so that there can be something beside it. */
const directory = join(disk, 'run');
const ballast = join(disk, 'ballast');
const aside = join(disk, 'aside');

const faults = {
  full: {
    begin() {
      const file = openSync(ballast, 'w');
      const block = new Uint8Array(4096);
      try {
        for (;;) writeSync(file, block);
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    end: () => rmSync(ballast),
  },
  readOnly: {
    begin: () => execFileSync('mount', ['-o', 'remount,ro', disk]),
    end: () => execFileSync('mount', ['-o', 'remount,rw', disk]),
  },
  replaced: {
    begin() {
      renameSync(directory, aside);
      writeFileSync(directory, 'a file');
    },
    end() {
      rmSync(directory);
      renameSync(aside, directory);
    },
  },
  vanished: { begin: () => rmSync(directory, { recursive: true }), end: () => undefined },
};

const ids = (offset) =>
  tensor(
    Int32Array.from({ length: 400 * 10 }, (_, i) => (i * i + offset) % 7),
    [400, 10],
  );
const batches = arrays({ inputs: ids(0), targets: ids(1), batch: 4, shuffle: { seed: 1 } });
const training = () => {
  const model = sequential(
    [
      layers.embedding({ vocabulary: 7, units: 8 }),
      layers.gru({ units: 16, dropout: 0.1 }),
      layers.dense({ units: 7 }),
    ],
    { seed: 1 },
  );
  return { model, trainer: createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() }) };
};

async function digest(model) {
  const parameters = await model.network.readParameters();
  return createHash('sha256').update(new Uint8Array(parameters.buffer)).digest('hex');
}

/** The steps of the checkpoints, each of which is read and found whole. */
async function whole() {
  const places = await checkpointsIn(fault === 'replaced' && heard.length > 0 && broken ? aside : directory);
  return Promise.all(places.map(async ({ path }) => (await readCheckpoint(path)).description.progress.step));
}

mkdirSync(disk, { recursive: true });
const controller = new AbortController();
const heard = [];
let broken = false;
let survivors = [];
const { model, trainer } = training();
const history = await trainer.fit(batches, {
  epochs: 1_000_000,
  signal: controller.signal,
  // Far enough apart that none is being written when the one before is told of, and its disk taken away.
  checkpoints: { directory, steps: 1000, keep: 2 },
  listeners: [
    {
      async onCheckpoint({ step, error }) {
        heard.push({ step, error: error?.message, code: error?.code });
        const successes = heard.filter((record) => !record.error).length;
        const failures = heard.length - successes;
        if (!broken && failures === 0 && successes === 3) {
          faults[fault].begin();
          broken = true;
          survivors = await whole();
        } else if (broken && error) {
          const still = await whole();
          if (fault !== 'vanished' && String(still) !== String(survivors))
            throw new Error(`${survivors} became ${still}`);
          if (failures === 2 || fault === 'vanished') {
            faults[fault].end();
            broken = false;
          }
        } else if (failures > 0 && !error) controller.abort();
      },
    },
  ],
});

const undisturbed = training();
const stop = new AbortController();
await undisturbed.trainer.fit(batches, {
  epochs: 1_000_000,
  inFlight: 1,
  signal: stop.signal,
  listeners: [{ onStep: ({ step }) => step === history.steps && stop.abort() }],
});
console.log(
  JSON.stringify({
    heard,
    survivors,
    end: await whole(),
    steps: history.steps,
    undisturbed: (await digest(model)) === (await digest(undisturbed.model)),
  }),
);
