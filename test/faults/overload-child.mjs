/**
 * Trains several models at once, each on a stream of its own: `node overload-child.mjs PATH-OF-DIST STREAMS THREADS STEPS`.
 * Prints the threads an engine takes of its own accord, the bits the models ended with, how fast they were, how late the event
 * loop was meanwhile (ms), and, with a further argument `large`, what a model of 1.5 GiB and its updater were answered.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';

const [dist, ...given] = process.argv.slice(2);
const [streams, threads, steps] = given.slice(0, 3).map(Number);
const { createTrainer, layers, losses, sequential, tensor, updaters } = await import(
  pathToFileURL(join(dist, 'index.js')).href
);

const ids = (offset) =>
  tensor(
    Int32Array.from({ length: 16 * 20 }, (_, i) => (i * i + offset) % 11),
    [16, 20],
  );
const batch = { inputs: ids(0), targets: ids(1), continues: false };
const models = Array.from({ length: streams }, () =>
  sequential(
    [layers.embedding({ vocabulary: 11, units: 16 }), layers.lstm({ units: 48 }), layers.dense({ units: 11 })],
    {
      seed: 3,
      ...(threads > 0 ? { threads } : {}),
    },
  ),
);

const large = given[3] === 'large' ? await answerToLarge() : undefined;
const trainers = models.map((model) =>
  createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() }),
);
// Compiling is the event loop's own work: it is not what is looked at.
for (const trainer of trainers) await trainer.step(batch);

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const start = performance.now();
const ends = await Promise.all(
  trainers.map(async (trainer, index) => {
    const model = models[index];
    const queued = [];
    for (let step = 0; step < steps; step++) {
      queued.push(trainer.step(batch));
      if (queued.length > 2) await queued.shift();
    }
    await Promise.all(queued);
    const parameters = await model.network.readParameters();
    return createHash('sha256').update(new Uint8Array(parameters.buffer)).digest('hex');
  }),
);
async function answerToLarge() {
  const units = 20_000;
  const model = sequential([layers.dense({ units })], { input: { features: units, sequence: false } });
  try {
    const one = tensor(new Float32Array(units), [1, units]);
    const trainer = createTrainer(model, { loss: losses.meanSquaredError(), updater: updaters.adam() });
    await trainer.step({ inputs: one, targets: one, continues: false });
    return 'ran';
  } catch (error) {
    return error.code;
  } finally {
    model.dispose();
  }
}

const seconds = (performance.now() - start) / 1000;
delay.disable();
console.log(
  JSON.stringify({
    threads: models[0].network.engine.defaultThreads,
    large,
    ends: [...new Set(ends)],
    stepsPerSecond: (streams * steps) / seconds,
    delay: { median: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
  }),
);
