/** Every public function, and every method of every object in each of its states, with arguments that are right. */
import type { Engine, Stream } from '../../src/compute/engine/engine.js';
import * as mneme from '../../src/index.js';
import * as kernels from '../../src/kernels/index.js';
import { product } from '../compute/engine/programs.js';

export interface PublicFunction {
  readonly name: string;
  call(...values: unknown[]): unknown;
  /** Arguments with which it works, where there are known ones; made anew for each call. */
  readonly right?: (() => unknown[]) | undefined;
}

/** What calls are made on. */
export interface World {
  readonly functions: readonly PublicFunction[];
  /** Frees what is in it. */
  end(): Promise<void>;
}

const { layers, losses, updaters } = mneme;
const floats = (...shape: number[]) =>
  mneme.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5), shape);
const ids = (...shape: number[]) => mneme.tensor(new Int32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);

export async function makeWorld(): Promise<World> {
  const text = mneme.textFromString('the sea and the ship '.repeat(20), { validation: 0.2 });
  const size = text.vocabulary.size;
  const batches = text.batches({ batch: 2, steps: 4 });
  const stack = () => [
    layers.embedding({ vocabulary: size, units: 3 }),
    layers.lstm({ units: 4 }),
    layers.dense({ units: size }),
  ];
  const make = () => mneme.sequential(stack(), { seed: 1, vocabulary: text.vocabulary });
  const trainerOf = (model: mneme.Model) =>
    mneme.createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() });

  const models = { fresh: make(), busy: make(), disposed: make() };
  const trainers = {
    fresh: trainerOf(models.fresh),
    busy: trainerOf(models.busy),
    disposed: trainerOf(models.disposed),
  };
  const sessions = {
    fresh: models.fresh.session(),
    disposed: models.fresh.session(),
    ofDisposed: models.disposed.session(),
  };
  const wide = models.fresh.session({ batch: 2 });
  sessions.disposed.dispose();
  trainers.disposed.dispose();
  models.disposed.dispose();

  // A fit that waits in its listener until the world ends.
  let ended: Promise<void> | undefined;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const stop = new AbortController();
  const began = new Promise<void>((resolve) => {
    const onStep = () => {
      resolve();
      return held;
    };
    const fit = trainers.busy.fit(batches, { epochs: 1, listeners: [{ onStep }], signal: stop.signal });
    // Once it has begun nobody waits for it; one that cannot begin is a fault of these tests.
    fit.catch(() => undefined);
    ended = fit.then(() => undefined);
  });
  await Promise.race([began, ended]);

  const engines = { native: mneme.defaultEngine(), reference: mneme.createReferenceEngine({ precision: 'f32' }) };
  const parts = Object.entries(engines).map(([name, engine]) => partsOf(name, engine));
  const step = () => [{ inputs: ids(2, 4), targets: ids(2, 4), continues: false }];
  const fit = () => [batches, { epochs: 1, inFlight: 2, validation: text.validation.batches({ batch: 2, steps: 4 }) }];
  const compile = {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters.sgd({ learningRate: 0.1 }),
    clip: { globalNorm: 1 },
  };

  const right: Record<string, () => unknown[]> = {
    tensor: () => [
      [1, 2, 3, 4],
      [2, 2],
    ],
    arrays: () => [{ inputs: floats(4, 3, 2), targets: floats(4, 2), batch: 2 }],
    'generators.adding': () => [{ examples: 2, time: 4, seed: 1 }],
    'generators.copying': () => [{ examples: 2, delay: 3, symbols: 2, seed: 1 }],
    'generators.embeddedReber': () => [{ examples: 2, seed: 1 }],
    'generators.mackeyGlass': () => [{ examples: 1, time: 3, tau: 2, horizon: 1, seed: 1 }],
    'generators.noisySine': () => [{ examples: 2, time: 3, period: 5, noise: 0.1, seed: 1 }],
    'generators.parity': () => [{ examples: 2, time: 3, seed: 1 }],
    'generators.reber': () => [{ examples: 2, seed: 1 }],
    'generators.temporalOrder': () => [{ examples: 2, time: 10, seed: 1 }],
    textFromString: () => ['a text of some length', { validation: 0.1, unit: 'character' }],
    openText: () => ['no-such-file.txt', { unit: 'byte' }],
    characterVocabulary: () => ['abc'],
    vocabularyFromJson: () => [{ unit: 'character', symbols: 'abc' }],
    parseSafetensors: () => [new Uint8Array(16), 'bytes'],
    readSafetensors: () => ['no-such-file.safetensors'],
    writeSafetensors: () => ['written.safetensors', { a: floats(2) }, { made: 'here' }],
    tensorOfStored: () => [{ dtype: 'F32', shape: [2], bytes: new Uint8Array(8) }, 'a'],
    sequential: () => [stack(), { seed: 2, threads: 1 }],
    createNetwork: () => [stack(), { seed: 2, threads: 1 }],
    createTrainer: () => [models.fresh, compile],
    createReferenceEngine: () => [{ precision: 'f64' }],
    loadModel: () => ['saved', { threads: 1 }],
    evaluate: () => [models.fresh, batches, { loss: losses.softmaxCrossEntropy(), inFlight: 1 }],
    activation: () => ['mine', (x: mneme.Expression) => x.mul(2)],
    lerp: () => [mneme.constant(1), mneme.constant(2), 0.5],
    updater: () => [
      'mine',
      { states: () => ({}), scalars: () => ({ rate: 1 }), step: () => ({ change: mneme.constant(0) }) },
    ],
    scheduled: () => [0.1, mneme.schedules.constant()],
    'layers.dense': () => [{ units: 3, activation: 'tanh' }],
    'layers.lstm': () => [{ units: 3, dropout: 0.1 }],
    'layers.gru': () => [{ units: 3, resetAfter: false }],
    'layers.embedding': () => [{ vocabulary: 4, units: 2 }],
    'layers.dropout': () => [{ rate: 0.5 }],
    'updaters.adam': () => [{ learningRate: 1e-3, beta1: 0.9 }],
    'losses.softmaxCrossEntropy': () => [{ reduction: 'mean' }],
    'model.predict': () => [ids(2, 3), { batch: 1 }],
    'model.session': () => [{ batch: 1 }],
    'model.save': () => ['saved'],
    'model.summary': () => [{ batch: 2, steps: 3, tokens: 100 }],
    'trainer.fit': fit,
    'trainer.step': step,
    'session.step': () => [ids(1, 2)],
    'session.generate': () => ['the ', { length: 3, temperature: 0.5, seed: 1, topK: 2 }],
    'session.setState': () => [{ 'lstm_1/hidden': floats(1, 4), 'lstm_1/cell': floats(1, 4) }],
    'text.batches': () => [{ batch: 2, steps: 3 }],
    'text.validation.ids': () => [1, 3],
    'vocabulary.encode': () => ['the'],
    'vocabulary.decode': () => [[1, 2]],
    'batches.epoch': () => [1],
    'network.readParameters': () => [],
    'network.writeParameters': () => [new Float32Array(models.fresh.parameterCount)],
    'kernels.matmul': () => [
      { a: new Float32Array(6), b: new Float32Array(6), c: new Float32Array(4), m: 2, k: 3, n: 2 },
      { threads: 1 },
    ],
    'kernels.lstmForward': () => [lstm(), { threads: 1 }],
    'kernels.lstmForwardAsync': () => [lstm(), { threads: 1 }],
    'kernels.tapeLength': () => ['lstm', { time: 2, batch: 1, units: 3 }],
  };
  const functions = [
    ...exported('', mneme),
    ...exported('kernels.', kernels),
    ...Object.values(models).flatMap((model) => [...methods('model', model), ...methods('network', model.network)]),
    ...Object.values(trainers).flatMap((trainer) => methods('trainer', trainer)),
    ...[...Object.values(sessions), wide].flatMap((session) => methods('session', session)),
    ...methods('text', text),
    ...methods('text.validation', text.validation),
    ...methods('vocabulary', text.vocabulary),
    ...methods('vocabulary', mneme.byteVocabulary()),
    ...methods('batches', batches),
    ...methods('schedule', { call: mneme.schedules.constant() }),
    ...parts.flatMap((part) => part.functions),
  ].filter(({ name }) => !leftOut.has(name));
  return {
    functions: functions.map((each) => ({ right: right[each.name], ...each })),
    async end() {
      stop.abort();
      release();
      for (const { stream } of parts) await stream.close();
      for (const model of Object.values(models)) model.dispose();
    },
  };

  function lstm() {
    const [time, batch, inputs, units] = [2, 1, 2, 3];
    return {
      x: new Float32Array(time * batch * inputs),
      kernel: new Float32Array(inputs * 4 * units),
      recurrentKernel: new Float32Array(units * 4 * units),
      y: new Float32Array(time * batch * units),
      time,
      batch,
      inputs,
      units,
    };
  }
}

/**
 * An error of the language; what draws on the terminal of these tests; what would end the states of the world; and what the
 * parts of mneme ask of a network among themselves.
 */
const leftOut = new Set([
  'MnemeError',
  'showProgress',
  'model.dispose',
  'network.dispose',
  'trainer.dispose',
  'session.dispose',
  ...['trace', 'program', 'claimName', 'nameOf', 'occupy', 'stateLayout'].map((each) => `network.${each}`),
]);

/** An engine with a program, a memory and a stream that are alive, and others that are not. */
function partsOf(name: string, engine: Engine): { readonly functions: PublicFunction[]; readonly stream: Stream } {
  const program = engine.load(product(2, 3, 2));
  const memory = engine.allocate(6);
  const gone = {
    program: engine.load(product(2, 3, 2)),
    memory: engine.allocate(6),
    stream: engine.createStream({ threads: 1 }),
  };
  const stream = engine.createStream({ threads: 2 });
  gone.program.dispose();
  gone.memory.dispose();
  void gone.stream.close();
  const submission = { program, memories: { parameters: memory }, inputs: { x: new Float32Array(6) }, repeat: 2 };
  const right: Record<string, () => unknown[]> = {
    load: () => [product(1, 2, 3)],
    allocate: () => [16],
    createStream: () => [{ threads: 1 }],
    submit: () => [submission],
    'submit of a disposed program': () => [{ ...submission, program: gone.program }],
    'submit of a disposed memory': () => [{ ...submission, memories: { parameters: gone.memory } }],
    write: () => [memory, 1, new Float32Array(2)],
    read: () => [memory, 1, 2, 'f32'],
    execute: () => [program, 1, [new Float32Array(6), new Float32Array(6), null], [new Float32Array(4)]],
  };
  const named = (what: string, object: object) =>
    methods(`${name} ${what}`, object).map((each) => ({ right: right[each.name.split('.').at(-1)!], ...each }));
  const submits = Object.keys(right).filter((each) => each.startsWith('submit '));
  return {
    stream,
    functions: [
      ...named('engine', engine),
      ...[stream, gone.stream].flatMap((each) => named('stream', each)).filter((each) => !each.name.endsWith('.close')),
      ...submits.map(
        (each) => ({ name: each, call: (value: never) => stream.submit(value), right: right[each] }) as PublicFunction,
      ),
    ],
  };
}

/** The functions of a module, and those of the tables in it. */
function exported(prefix: string, module: object): PublicFunction[] {
  return Object.entries(module).flatMap(([name, value]) => {
    // What comes after the parameters that are documented is mneme's own.
    const call = (...values: unknown[]) => value(...values.slice(0, name === 'createNetwork' ? 2 : undefined));
    // A class is called by `new`, which its own documentation leaves to mneme.
    if (/^class\b/.test(String(value))) return [];
    if (typeof value === 'function') return [{ name: prefix + name, call }];
    return methods(prefix + name, value);
  });
}

/** The functions of an object, its own and those of its class. */
function methods(prefix: string, object: object): PublicFunction[] {
  const names = new Set<string | symbol>();
  for (let at = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Reflect.ownKeys(at)) names.add(name);
  }
  names.delete('constructor');
  return [...names].flatMap((name) => {
    // A getter may refuse: an object of a disposed model has nothing there.
    const call = (...values: unknown[]) => {
      const value: unknown = Reflect.get(object, name);
      return typeof value === 'function' ? value.apply(object, values) : value;
    };
    return typeof name === 'symbol' ? [] : [{ name: `${prefix}.${name}`, call }];
  });
}
