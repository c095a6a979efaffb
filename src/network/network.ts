/**
 * A network: layers with parameters in an engine's memory. It traces its graph for a shape, lays out parameters and
 * states, and keeps a small cache of programs. Training, inference and files are built on it; users meet it as `Model`.
 */
import * as v from 'valibot';
import type { Engine, LoadedProgram, Memory, Stream } from '../compute/engine/engine.js';
import { defaultEngine } from '../compute/engine/select.js';
import type { Program } from '../compute/program.js';
import { isNumericArray, isTensor, printShape, sameShape, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';
import { nearestName, parseOptions, wholeNumber } from '../options.js';
import type { NetworkContract } from './contract.js';
import { initialParameters } from './initial-parameters.js';
import { isLayer, type Layer, type Signal } from './layers/layer.js';
import {
  nameLayers,
  type ParameterPlace,
  passSignals,
  placeParameters,
  placeStates,
  type StatePlace,
} from './layout.js';
import { ProgramCache } from './program-cache.js';
import type { Scheduled } from './rates.js';
import { scheduledRates, type Trace, type TraceOptions, trace } from './trace.js';

export type { NetworkContract } from './contract.js';
export type { ParameterPlace, StatePlace } from './layout.js';
export type { Trace, TraceOptions } from './trace.js';

const inputSchema = v.strictObject({
  features: v.optional(wholeNumber(1)),
  vocabulary: v.optional(wholeNumber(1)),
  sequence: v.optional(v.boolean(), true),
});
/** What a network reads: vectors of so many features, or ids below `vocabulary`; sequences of them by default. */
export type InputOptions =
  | { readonly features: number; readonly sequence?: boolean | undefined }
  | { readonly vocabulary: number; readonly sequence?: boolean | undefined };

/** The options of a network, for the schema of whatever makes one. */
export const networkEntries = {
  seed: v.optional(wholeNumber(0), 0),
  input: v.optional(v.custom<InputOptions>((value) => typeof value === 'object' && value !== null, 'an object')),
  threads: v.optional(wholeNumber(1)),
  engine: v.optional(
    v.custom<Engine>((value) => typeof value === 'object' && value !== null && 'load' in value, 'an engine'),
  ),
};
const schema = v.strictObject(networkEntries);
export type NetworkOptions = v.InferInput<typeof schema>;

/**
 * Puts layers one after another.
 *
 * @param options
 * - `seed`: of the initial parameters and of dropout; default 0
 * - `input`: `{ features }` for sequences of vectors, `{ vocabulary }` for ids, either with `sequence: false` where a
 *   row is no sequence. Not needed when the first layer is `embedding` or `oneHot`
 * - `engine`: default the native one, or the reference where that cannot be loaded
 * - `threads`: of the network's stream; default the engine's
 * @param where the function that the user called, for messages
 * @throws {MnemeError} `invalid-option`; `invalid-shape`: which layer, expected and got
 * @example
 * const network = createNetwork([layers.lstm({ units: 32 }), layers.dense({ units: 6 })], { input: { features: 8 } });
 */
export function createNetwork(
  layers: readonly Layer[],
  options: NetworkOptions = {},
  where = 'createNetwork',
): Network {
  const { seed, input, threads, engine } = parseOptions(schema, options, where);
  requireArgument(Array.isArray(layers), where, 'a list of layers', layers);
  for (const layer of layers) requireArgument(isLayer(layer), where, 'layers, as layers.lstm() gives them', layer);
  const [first] = layers;
  if (!first) throw new MnemeError('invalid-argument', `${where}: a network needs at least one layer, got none.`);
  const signal = input ? signalOf(input, `${where}: input`) : first.input;
  if (!signal) {
    throw new MnemeError(
      'invalid-option',
      `${where}: the first layer, ${first.kind}, does not tell what it reads: say so with input: { features: N }, or begin with layers.embedding.`,
    );
  }
  return new Network(layers, signal, seed, engine ?? defaultEngine(), threads);
}

export class Network implements NetworkContract {
  readonly layers: readonly Layer[];
  readonly layerNames: readonly string[];
  readonly seed: number;
  readonly signals: readonly Signal[];
  readonly parameterLayout: readonly ParameterPlace[];
  readonly parameterCount: number;
  readonly scheduledRates: Readonly<Record<string, Scheduled>>;
  readonly engine: Engine;
  readonly #threads: number | undefined;
  readonly #programs: ProgramCache;
  readonly #names = new WeakMap<object, string>();
  #stream: Stream | undefined;
  #memory: Memory | undefined;
  #initialized = false;
  #occupant: string | undefined;
  #claimed = 0;
  #revision = 0;
  #disposed = false;

  constructor(layers: readonly Layer[], input: Signal, seed: number, engine: Engine, threads?: number) {
    this.layers = layers;
    this.layerNames = nameLayers(layers);
    this.seed = seed;
    this.signals = passSignals(layers, this.layerNames, input);
    this.parameterLayout = placeParameters(layers, this.layerNames, this.signals);
    this.parameterCount = this.parameterLayout.reduce((sum, { length }) => sum + length, 0);
    this.scheduledRates = scheduledRates(this);
    this.engine = engine;
    this.#threads = threads;
    this.#programs = new ProgramCache(engine, 16);
  }

  get inputSignal(): Signal {
    return this.signals[0]!;
  }

  get outputSignal(): Signal {
    return this.signals.at(-1)!;
  }

  stateLayout(batch: number): readonly StatePlace[] {
    return placeStates(this.layers, this.layerNames, this.signals, batch);
  }

  trace(options: TraceOptions): Trace {
    return trace(this, options);
  }

  get stream(): Stream {
    this.#checkAlive();
    this.#stream ??= this.engine.createStream(this.#threads === undefined ? {} : { threads: this.#threads });
    return this.#stream;
  }

  get memory(): Memory {
    const memory = this.#allocated();
    if (!this.#initialized) {
      const values = initialParameters(this);
      this.#initialized = true;
      // In stream order, so whoever runs or reads next finds the values; it can only fail by disposal.
      this.stream.write(memory, 0, values).catch(() => undefined);
    }
    return memory;
  }

  program(key: string, build: () => Program): LoadedProgram {
    this.#checkAlive();
    return this.#programs.get(key, build);
  }

  claimName(what: string): string {
    this.#claimed += 1;
    return `${what} ${this.#claimed}`;
  }

  nameOf(thing: object): string {
    const name = this.#names.get(thing) ?? this.claimName('thing');
    this.#names.set(thing, name);
    return name;
  }

  get revision(): number {
    return this.#revision;
  }

  touch(): void {
    this.#revision += 1;
  }

  async readParameters(): Promise<Float32Array> {
    const values = await this.stream.read(this.memory, 0, this.parameterCount, 'f32');
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }

  async writeParameters(values: Float32Array): Promise<void> {
    requireArgument(isNumericArray(values), 'writeParameters', 'a Float32Array', values);
    if (values.length !== this.parameterCount) {
      throw new MnemeError(
        'invalid-shape',
        `writeParameters: this network has ${this.parameterCount} parameters, got ${values.length}.`,
      );
    }
    const memory = this.#allocated();
    this.#initialized = true;
    this.touch();
    await this.stream.write(memory, 0, values);
  }

  async parameter(name: string): Promise<Tensor> {
    const { offset, length, shape } = this.#place(name, 'parameter');
    const values = await this.stream.read(this.memory, offset, length, 'f32');
    return tensor(values instanceof Float32Array ? values : Float32Array.from(values), shape);
  }

  async setParameter(name: string, value: Tensor): Promise<void> {
    const { offset, shape } = this.#place(name, 'setParameter');
    requireArgument(isTensor(value), `setParameter: '${name}'`, 'a tensor', value);
    if (!sameShape(value.shape, shape)) {
      throw new MnemeError(
        'invalid-shape',
        `setParameter: '${name}' has the shape ${printShape(shape)}, got ${printShape(value.shape)}.`,
      );
    }
    const wrong = value.data.findIndex((x) => !Number.isFinite(x));
    if (wrong >= 0) {
      throw new MnemeError('not-finite', `setParameter: element ${wrong} for '${name}' is ${value.data[wrong]}.`);
    }
    const { memory } = this;
    this.touch();
    await this.stream.write(memory, offset, Float32Array.from(value.data));
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  occupy(what: string): () => void {
    this.#checkAlive();
    if (this.#occupant !== undefined) {
      throw new MnemeError(
        'busy',
        `${what}: ${this.#occupant} is still running on this model: wait until it has ended.`,
      );
    }
    this.#occupant = what;
    return () => {
      this.#occupant = undefined;
    };
  }

  /** Frees the engine's memory once what was queued has run. What is used afterwards says `disposed`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#programs.clear();
    const free = () => this.#memory?.dispose();
    if (this.#stream) this.#stream.close().then(free, free);
    else free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #allocated(): Memory {
    this.#checkAlive();
    this.#memory ??= this.engine.allocate(this.parameterCount);
    return this.#memory;
  }

  #place(name: string, where: string): ParameterPlace {
    requireArgument(typeof name === 'string', where, 'the name of a parameter', name);
    const place = this.parameterLayout.find((candidate) => candidate.name === name);
    if (place) return place;
    const names = this.parameterLayout.map((candidate) => candidate.name);
    const hint = names.length > 0 ? ` Did you mean '${nearestName(name, names)}'?` : '';
    throw new MnemeError('invalid-argument', `${where}: there is no parameter '${name}'.${hint}`);
  }

  #checkAlive(): void {
    if (this.#disposed) throw new MnemeError('disposed', 'This model was disposed: make or open it anew.');
  }
}

function signalOf(input: InputOptions, where: string): Signal {
  const { features, vocabulary, sequence } = parseOptions(inputSchema, input, where);
  if (features !== undefined && vocabulary === undefined) return { kind: 'vectors', features, sequence };
  if (features === undefined && vocabulary !== undefined) return { kind: 'ids', vocabulary, sequence };
  throw new MnemeError('invalid-option', `${where}: give either 'features' or 'vocabulary'.`);
}
