// A process of its own for lifetimes.test.ts: trains, and ends in every way there is.
//   node --expose-gc lifetimes-child.mjs PATH-OF-MNEME SCENARIO [N]
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const { path, scenario, count } = isMainThread
  ? { path: process.argv[2], scenario: process.argv[3], count: Number(process.argv[4] ?? 1) }
  : workerData;
const { createTrainer, layers, losses, sequential, textFromString, updaters } = await import(pathToFileURL(path));

const text = textFromString('the sea and the ship and the whale '.repeat(40));
const batches = text.batches({ batch: 4, steps: 16 });

function makeModel(units, threads = 2) {
  return sequential(
    [
      layers.embedding({ vocabulary: text.vocabulary.size, units: 16 }),
      layers.lstm({ units, recurrentInitializer: 'xavierUniform' }),
      layers.dense({ units: text.vocabulary.size }),
    ],
    { seed: 1, threads },
  );
}

const makeTrainer = (model) => createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() });

/** Trains without end, and writes text at the same time. */
async function trainForEver(listeners = []) {
  const model = makeModel(128);
  model.vocabulary = text.vocabulary;
  const fit = makeTrainer(model).fit(batches, { epochs: 1_000_000, listeners });
  const write = async () => {
    for (;;) for await (const _ of model.session().generate('the ', { length: 20 }));
  };
  await Promise.race([fit, write()]);
}

const scenarios = {
  exit: async () => {
    void trainForEver();
    await sleep(100);
    process.exit(7);
  },
  exitFromListener: () => trainForEver([{ onStep: ({ step }) => step === 3 && process.exit(8) }]),
  throw: async () => {
    void trainForEver();
    await sleep(100);
    throw new Error('on purpose');
  },
  throwFromTimer: async () => {
    setTimeout(() => {
      throw new Error('on purpose');
    }, 100);
    await trainForEver();
  },
  terminated: () => terminated(count),
  train: () => trainForEver([{ onStep: ({ step }) => step === 1 && parentPort.postMessage('step') }]),
  eightWorkers: async () => {
    const workers = Array.from({ length: 8 }, () => worker('trainOnce'));
    const told = Promise.all(workers.map((each) => once(each, 'message')));
    await Promise.all(workers.map((each) => once(each, 'exit')));
    print({ losses: (await told).map(([loss]) => loss) });
  },
  trainOnce: async () => {
    const model = makeModel(24);
    const { epochs } = await makeTrainer(model).fit(batches, { epochs: 2 });
    parentPort.postMessage(epochs.at(-1).trainLoss);
  },
  cycles: () => cycles(count),
  severalStreams: () => severalStreams(),
};

const worker = (name) => new Worker(fileURLToPath(import.meta.url), { workerData: { path, scenario: name, count: 1 } });
// Made at their first use: worker threads write to them.
void [process.stdout, process.stderr];
const print = (value) => console.log(JSON.stringify(value));

/** Workers that train, ended at any moment from before their first line to the middle of a step. */
async function terminated(workers) {
  const before = await figures();
  let ended = 0;
  let trained = 0;
  const one = async (number) => {
    const training = worker('train');
    training.on('error', (error) => {
      throw error;
    });
    // Every fourth at a moment of its start; the others once they train, up to some twenty steps later.
    if (number % 4 === 0) await sleep((number * 7) % 90);
    else {
      const [what] = await Promise.race([once(training, 'message'), once(training, 'exit')]);
      if (what === 'step') trained++;
      await sleep((number * 3) % 20);
    }
    await training.terminate();
    ended++;
  };
  for (let first = 0; first < workers; first += 4) {
    await Promise.all(Array.from({ length: Math.min(4, workers - first) }, (_, each) => one(first + each)));
  }
  print({ ended, trained, modelBytes: makeModel(128).parameterCount * 4, before, after: await figures() });
}

/** Makes, trains and disposes of models; every other one is left to the garbage collector. */
async function cycles(times) {
  const few = textFromString('the sea and the ship '.repeat(12), { vocabulary: text.vocabulary }).batches({
    batch: 4,
    steps: 16,
  });
  const cycle = async (number) => {
    const model = makeModel(512, 1 + (number % 3));
    const trainer = makeTrainer(model);
    await trainer.fit(few, { epochs: 1, inFlight: 2 });
    const session = model.session();
    await session.step(Int32Array.of(1));
    if (number % 2 === 0) for (const each of [session, trainer, model]) each.dispose();
    return model.parameterCount * 4;
  };
  let bytes = 0;
  for (let number = 0; number < 12; number++) bytes = await cycle(number);
  const before = await figures();
  for (let number = 0; number < times; number++) await cycle(number);
  print({ modelBytes: bytes, cycles: times, before, after: await figures() });
}

/** Steps of several streams on one memory: each adds one to every number of it, so that any that mix would lose some. */
async function severalStreams() {
  const { defaultEngine } = await import(pathToFileURL(path));
  const engine = defaultEngine();
  const elements = 10_000;
  const memory = engine.allocate(elements);
  const buffers = [{ arena: 'state', offset: 0, shape: [elements], dtype: 'f32' }];
  // x = x + 1 in place: one input, one output, one constant, one temporary, one instruction; then the add, then the result.
  const words = [0, 1, 1, 1, 1, 1, 0x3f800000, 10, 2, 0, 1, 0, 0, 2];
  const instruction = { operation: 'map', inputs: [0], outputs: [0], attributes: {}, words };
  const sizes = { parameters: 0, updater: 0, state: elements, scratch: 0, input: 0, output: 0 };
  const program = engine.load({
    name: 'add one',
    buffers,
    instructions: [instruction],
    inputs: [],
    outputs: [],
    sizes,
  });
  const streams = [1, 2, 1, 3, 1, 2].map((threads) => engine.createStream({ threads }));
  const steps = 200;
  await Promise.all(
    streams.flatMap((stream) =>
      Array.from({ length: steps }, () =>
        stream.submit({ program, memories: { state: memory }, inputs: {}, repeat: 2 }),
      ),
    ),
  );
  const values = await streams[0].read(memory, 0, elements, 'f32');
  const expected = streams.length * steps * 2;
  print({ expected, wrong: values.filter((value) => value !== expected).length });
}

/** What a process holds, when all that was left has been collected. */
async function figures() {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await nextTurn();
    await sleep(20);
  }
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  return {
    threads: field('Threads'),
    residentBytes: field('VmRSS') * 1024,
    heapBytes: process.memoryUsage().heapUsed,
    handles,
  };
}

await scenarios[scenario]();
