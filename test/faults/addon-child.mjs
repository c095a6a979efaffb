// A process of its own for the tests of addon.test.ts: loads the addon as it is and does one thing with it.
//   node addon-child.mjs SCENARIO, with { heavy, programs } on standard input: programs as words
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { CallersError, hostileValue } from './hostile-values.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const addon = createRequire(import.meta.url)('node-gyp-build')(root);
const given = isMainThread ? JSON.parse(readFileSync(0, 'utf8')) : workerData.given;
const scenario = isMainThread ? process.argv[2] : workerData.scenario;
const instructionSet = addon.selectInstructionSet('');
const size = 512; // of the heavy program

/** Queues `steps` heavy steps; calls `settled` with each count. */
function start(steps, settled) {
  const program = addon.loadProgram(instructionSet, Int32Array.from(given.heavy));
  const parameters = addon.allocateMemory(size * size);
  const state = addon.allocateMemory(1);
  const stream = addon.createStream(2, (finished) => {
    for (let index = 0; index < finished; index++) {
      const count = new Int32Array(1);
      addon.collect(stream, [count]);
      settled(count[0]);
    }
  });
  for (let step = 0; step < steps; step++) addon.submit(stream, program, parameters, 0, state, 1, []);
  return stream;
}

const scenarios = {
  idle: () => void start(0, () => {}),
  busy: () => void start(3, (count) => console.log(count)),
  exit: async () => {
    start(1000, () => {});
    await sleep(20);
    process.exit(7);
  },
  throw: async () => {
    start(1000, () => {});
    await sleep(20);
    throw new Error('on purpose');
  },
  throwFromSettle: () =>
    void start(1, () => {
      throw new Error('on purpose');
    }),
  disposed: async () => {
    const stream = start(1000, () => {});
    await sleep(20);
    console.log(addon.disposeStream(stream), addon.disposeStream(stream));
  },
  workers: async () => {
    for (let round = 0; round < 8; round++) {
      const workers = Array.from({ length: 4 }, () => worker('workerWorks'));
      await Promise.all(workers.map((each) => once(each, 'message')));
      await sleep(round);
      await Promise.all(workers.map((each) => each.terminate()));
    }
    console.log('survived');
  },
  workerWorks: () => {
    start(1000, () => parentPort.postMessage('step'));
    start(1000, () => {});
    parentPort.postMessage('started');
  },
  workerExits: async () => {
    for (let round = 0; round < 10; round++) await once(worker('exitsInStep'), 'exit');
    console.log('survived');
  },
  exitsInStep: () => {
    start(1000, () => {});
    process.exit(0);
  },
  workerEnds: async () => {
    const steps = [];
    const finishing = worker('workerFinishes').on('message', (count) => steps.push(count));
    await once(finishing, 'exit');
    console.log(steps.join(' '));
  },
  workerFinishes: () => void start(3, (count) => parentPort.postMessage(count)),
  hostileCalls: () => hostileCalls(Number(process.argv[3])),
  hostileWords: () => hostileWords(Number(process.argv[3])),
};

const worker = (name) => new Worker(fileURLToPath(import.meta.url), { workerData: { scenario: name, given } });

/** The same numbers in every run. */
function generator(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Every function with arguments of every kind, and `this` of every kind, among calls that are right. */
async function hostileCalls(count) {
  const random = generator(1);
  const words = given.programs.map((program) => Int32Array.from(program));
  const trap = [new Float32Array(4)];
  Object.defineProperty(trap, 0, {
    get: () => {
      for (let id = 0; id < 400; id++) {
        addon.disposeStream(id);
        addon.disposeProgram(id);
        addon.disposeMemory(id);
      }
      return new Float32Array(4);
    },
  });
  // Of streams, programs and memories that are, or were, or will be.
  let latest = 1;
  const handle = () => Math.max(0, latest + 2 - random(random(8) ? 12 : 400));
  const right = [handle, handle, handle, () => instructionSet, () => words[random(words.length)], () => [], () => trap];
  const settle = (stream) => (finished) => {
    for (let item = 0; item < finished; item++)
      attempt('collect', [stream(), random(2) ? [new Int32Array(1)] : hostileValue(random)]);
  };
  const names = Object.keys(addon).filter((name) => name !== 'calibrate');
  const outcomes = new Map();
  const note = (name, outcome) => outcomes.set(`${name}: ${outcome}`, (outcomes.get(`${name}: ${outcome}`) ?? 0) + 1);
  function attempt(name, values, receiver = addon) {
    try {
      const result = addon[name].apply(receiver, values);
      note(name, 'done');
      return result;
    } catch (error) {
      const own = error instanceof CallersError || /revoked/.test(error.message);
      if (!own && !codes.includes(error.code)) throw error;
      note(name, own ? 'passed on' : error.code);
    }
  }
  // Calls that are right as long as nobody disposes of what they name.
  let own = {};
  const renew = () => {
    for (const id of Object.values(own))
      for (const kind of ['Stream', 'Program', 'Memory']) addon[`dispose${kind}`](id);
    const [counter, , product] = words.map((program) => addon.loadProgram(instructionSet, program));
    own = {
      counter,
      product,
      memory: addon.allocateMemory(64),
      stream: addon.createStream(
        2,
        settle(() => own.stream),
      ),
    };
  };
  const floats = (length) => new Float32Array(length);
  const rightCalls = {
    execute: () => [own.product, 1 + random(3), [floats(12), floats(20), null], [floats(15)]],
    submit: () =>
      random(2)
        ? [own.stream, own.counter, 0, 0, own.memory, 1 + random(3), []]
        : [own.stream, own.product, own.memory, 0, 0, 1, [floats(12)]],
    write: () => [own.stream, own.memory, random(64), floats(random(8))],
    read: () => [own.stream, own.memory, random(64), random(8)],
    collect: () => [own.stream, [new Int32Array(1)]],
    loadProgram: () => [instructionSet, words[random(words.length)]],
  };
  for (let call = 0; call < count; call++) {
    if (call % 100 === 0) {
      await nextTurn(); // in which streams settle
      renew();
    }
    const name = names[random(names.length)];
    let values = Array.from({ length: random(9) }, () =>
      random(2) ? right[random(right.length)]() : hostileValue(random),
    );
    if (rightCalls[name] && random(2)) {
      values = rightCalls[name]();
      if (random(3)) values[random(values.length)] = hostileValue(random);
    }
    // Memory and threads are not what this is about.
    if (name === 'allocateMemory' && random(4)) values[0] = random(3000);
    if (name === 'createStream') values[0] = random(4);
    if (name === 'createStream' && random(4)) values[1] = settle(() => latest);
    const result = attempt(name, values, random(4) ? addon : values[0]);
    if (typeof result === 'number') latest = result;
    if (random(50) === 0) for (let id = 0; id < 20; id++) addon.disposeStream(handle());
  }
  const total = (outcome) =>
    [...outcomes].reduce((sum, [key, times]) => (key.endsWith(outcome) ? sum + times : sum), 0);
  for (const name of names)
    if (!outcomes.has(`${name}: done`)) throw new Error(`${name} was never called as it should be`);
  console.log(`survived, ${total('done')} of ${count} calls were right`);
  process.exit(0); // with work in flight
}

/** What the addon's own errors say. */
const codes = ['invalid-program', 'invalid-argument', 'out-of-range', 'out-of-memory', 'disposed'];

/** Programs changed at random: each is refused, or runs. */
function hostileWords(count) {
  const random = generator(2);
  const tempting = [0, 1, -1, 2, 3, 4, 5, 16, 64, 255, 1 << 16, 1 << 30, 2 ** 31 - 1, -(2 ** 31)];
  const largest = 1 << 16;
  let ran = 0;
  let submitted = 0;
  const stream = addon.createStream(2, (finished) => {
    for (let index = 0; index < finished; index++) {
      try {
        addon.collect(stream, []);
      } catch {} // outputs were not asked for
      ran++;
    }
  });
  for (let round = 0; round < count; round++) {
    const words = Int32Array.from(given.programs[round % given.programs.length]);
    for (let change = random(3); change >= 0; change--) {
      words[random(words.length)] = random(4) ? tempting[random(tempting.length)] : random(2 ** 32) | 0;
    }
    let program;
    try {
      program = addon.loadProgram(instructionSet, random(10) ? words : words.subarray(0, random(words.length)));
    } catch (error) {
      if (!['invalid-program', 'out-of-memory'].includes(error.code)) throw error;
      continue;
    }
    const sizes = words.subarray(8, 14);
    if (sizes.every((size) => size <= largest)) {
      const memories = Array.from(sizes.subarray(0, 3), (size) => addon.allocateMemory(size));
      const buffers = bufferShapes(words);
      const inputs = Array.from(
        words.subarray(words.length - words[6] - words[7], words.length - words[7]),
        (buffer) => {
          const { dtype, count: elements } = buffers[buffer];
          return dtype === 0
            ? new Float32Array(elements).fill(0.5)
            : Int32Array.from({ length: elements }, () => random(5) - 1);
        },
      );
      addon.submit(stream, program, ...memories, 1, inputs);
      submitted++;
      for (const memory of memories) addon.disposeMemory(memory);
    }
    addon.disposeProgram(program);
  }
  process.on('exit', () => console.log(`survived, ${ran} of ${submitted} ran of ${count}`));
}

function bufferShapes(words) {
  const buffers = [];
  let position = 14 + 16 * words[2];
  for (let buffer = 0; buffer < words[3]; buffer++) {
    const rank = words[position + 3];
    const shape = words.subarray(position + 5, position + 5 + rank);
    buffers.push({ dtype: words[position + 2], count: shape.reduce((product, extent) => product * extent, 1) });
    position += 5 + rank + 2 * words[position + 4];
  }
  return buffers;
}

await scenarios[scenario]();
