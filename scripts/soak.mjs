/**
 * Trains a model on a book for a long time, with a checkpoint every few seconds, while the same model writes text without
 * a pause; prints memory, speed and the delay of the event loop over time, and for each promise whether it was kept:
 *
 *   npm run soak -- --minutes 30
 *
 * `--smoke` is for short runs on busy machines: only memory decides about the exit code.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTrainer, layers, losses, sequential, textFromString, updaters } from '../dist/index.js';
import { mobyDick } from '../examples/moby-dick.js';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, smoke: { type: 'boolean' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error('--minutes takes a number above 0');

/** Samples of the run; the first quarter is for caches to fill and code to be compiled. */
const samples = 40;
const milliseconds = (minutes * 60_000) / samples;

const text = textFromString(mobyDick(), { validation: 0.01 });
const vocabulary = text.vocabulary.size;
const model = sequential(
  [
    layers.embedding({ vocabulary, units: 64 }),
    layers.lstm({ units: 128 }),
    layers.lstm({ units: 128, dropout: 0.1 }),
    layers.dense({ units: vocabulary }),
  ],
  { seed: 1 },
);
const trainer = createTrainer(model, {
  loss: losses.softmaxCrossEntropy(),
  updater: updaters.adam({ learningRate: 1e-3 }),
  clip: { globalNorm: 1 },
});
const directory = mkdtempSync(join(tmpdir(), 'mneme-soak-'));
/** Timers are looked at so often; what a sample adds to it is delay. */
const resolution = 1;

const counts = { tokens: 0, characters: 0, checkpoints: 0, failures: 0 };
const start = performance.now();
const taken = [{ at: start, ...counts }];
const delay = monitorEventLoopDelay({ resolution });
/** Of all samples behind the first quarter together. */
const whole = monitorEventLoopDelay({ resolution });
const stop = new AbortController();
delay.enable();
try {
  console.log(
    `${minutes} minutes, a sample every ${(milliseconds / 1000).toFixed(0)} s, ${model.network.stream.threads} threads`,
  );
  console.log(
    row('minute', 'RSS MiB', 'heap MiB', 'tokens/s', 'letters/s', 'checkpoints', 'delay p50', 'p99', 'max ms'),
  );
  const sampling = setInterval(sample, milliseconds);
  await Promise.all([training(), writing()]);
  clearInterval(sampling);
  verdicts();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function training() {
  const every = Math.min(1 / 3, minutes / 10);
  await trainer.fit(text.training.batches({ batch: 50, steps: 50 }), {
    seconds: minutes * 60,
    checkpoints: { directory: join(directory, 'run'), minutes: every },
    listeners: [
      {
        onStep({ tokens }) {
          counts.tokens = tokens;
        },
        onCheckpoint({ error }) {
          counts[error ? 'failures' : 'checkpoints']++;
        },
      },
    ],
  });
  stop.abort();
}

/** One page after another, each by a session of its own. */
async function writing() {
  while (!stop.signal.aborted) {
    const session = model.session();
    for await (const letter of session.generate('The whale ', { length: 500, temperature: 0.8 })) {
      counts.characters += letter.length;
      if (stop.signal.aborted) break;
    }
    session.dispose();
    await setImmediate();
  }
}

function sample() {
  const { rss, heapUsed } = process.memoryUsage();
  const last = taken.at(-1);
  const now = { at: performance.now(), ...counts };
  const rate = (name) => ((now[name] - last[name]) / (now.at - last.at)) * 1000;
  const measured = { ...now, rss, speed: rate('tokens') };
  taken.push(measured);
  if (taken.length > samples / 4) whole.enable();
  const times = [late(delay, 50), late(delay, 99), late(delay, 100)].map((time) => time.toFixed(1));
  const sizes = [rss, heapUsed].map((bytes) => (bytes / 2 ** 20).toFixed(1));
  const speeds = [measured.speed, rate('characters')].map((speed) => speed.toFixed(0));
  console.log(row(((now.at - start) / 60_000).toFixed(1), ...sizes, ...speeds, counts.checkpoints, ...times));
  delay.reset();
}

/** Milliseconds by which timers were late, at a percentile. */
function late(histogram, percentile) {
  return Math.max(0, histogram.percentile(percentile) / 1e6 - resolution);
}

function row(...cells) {
  return cells.map((cell) => String(cell).padStart(12)).join('');
}

/** Each promise, the figures behind it, and whether it was kept. */
function verdicts() {
  const measured = taken.slice(1);
  const quarter = (from) =>
    measured.slice(Math.floor(measured.length * from), Math.ceil(measured.length * (from + 0.25)));
  const [second, last] = [quarter(0.25), quarter(0.75)];
  const median = (list, name) => list.map((one) => one[name]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const [before, after] = [second, last].map((list) => median(list, 'rss'));
  const sizes = second.map(({ rss }) => rss);
  // What comes and goes: the spread in the second quarter, and the arrays of two checkpoints (parameters and two states of Adam).
  const bound = Math.max(...sizes) - Math.min(...sizes) + 2 * 3 * 4 * model.network.parameterCount;
  const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const drift = median(last, 'speed') / median(second, 'speed') - 1;
  const p99 = late(whole, 99);
  const promises = [
    [
      after - before <= bound,
      `memory is flat: ${mebibytes(before)} in the second quarter, ${mebibytes(after)} in the last; ${mebibytes(bound)} may come and go`,
    ],
    [
      counts.failures === 0 && counts.checkpoints > 1 && counts.characters > 0,
      `training, ${counts.checkpoints} checkpoints (${counts.failures} failed) and ${counts.characters} letters at the same time`,
    ],
    [Math.abs(drift) < 0.05, `no drift in tokens/s: ${(100 * drift).toFixed(1)} % from the second quarter to the last`],
    [p99 < 10, `the event loop is late by less than 10 ms at the 99th percentile: ${p99.toFixed(1)} ms`],
  ];
  for (const [kept, promise] of promises) console.log(`${kept ? 'kept  ' : 'BROKEN'}  ${promise}`);
  const decisive = values.smoke ? promises.slice(0, 2) : promises;
  if (!decisive.every(([kept]) => kept)) process.exitCode = 1;
}
