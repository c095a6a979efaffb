/** What training, inference and files know of a network. */
import type { Engine, LoadedProgram, Memory, Stream } from '../compute/engine/engine.js';
import type { Program } from '../compute/program.js';
import type { Tensor } from '../compute/tensor.js';
import type { Layer, Signal } from './layers/layer.js';
import type { ParameterPlace, StatePlace } from './layout.js';
import type { Scheduled } from './rates.js';
import type { Trace, TraceOptions } from './trace.js';

export interface NetworkContract {
  readonly layers: readonly Layer[];
  /** `lstm_1` and so on, one a layer. */
  readonly layerNames: readonly string[];
  readonly seed: number;
  readonly inputSignal: Signal;
  readonly outputSignal: Signal;
  /** In front of each layer, and after the last. */
  readonly signals: readonly Signal[];
  readonly parameterCount: number;
  readonly parameterLayout: readonly ParameterPlace[];
  /** The layers' scheduled rates, by the port that a traced training graph reads each from: `dropout_1/rate`. */
  readonly scheduledRates: Readonly<Record<string, Scheduled>>;
  stateLayout(batch: number): readonly StatePlace[];

  trace(options: TraceOptions): Trace;

  readonly engine: Engine;
  /** Grows with every write to the parameters: whoever knows what they are must look again when it has changed. */
  readonly revision: number;
  /** To be called by whoever writes to `memory` other than through this network. */
  touch(): void;
  /** Memory behind the `parameters` arena; filled by the initializers when first asked for. */
  readonly memory: Memory;
  /** The stream on which this network trains and reads its parameters. */
  readonly stream: Stream;
  /** The program of that name from the cache (16 at most, the least recently used goes), or a new one. */
  program(key: string, build: () => Program): LoadedProgram;
  /** A name that nobody else gets from this network, to begin the keys of one's programs with: `trainer 2`. */
  claimName(what: string): string;
  /** A name for what programs are made of, for their keys: always the same for one thing, and another for another. */
  nameOf(thing: object): string;

  /** All parameters, one flat copy in the order of `parameterLayout`. */
  readParameters(): Promise<Float32Array>;
  writeParameters(values: Float32Array): Promise<void>;
  /** @throws {MnemeError} `invalid-argument` with the nearest right name */
  parameter(name: string): Promise<Tensor>;
  setParameter(name: string, value: Tensor): Promise<void>;

  /** Why nothing may start now: `disposed` or `busy` (a `fit` is running). */
  readonly disposed: boolean;
  /** Marks the network as in use by `what`; the returned function ends it. @throws {MnemeError} `busy`, `disposed` */
  occupy(what: string): () => void;
  dispose(): void;
}
