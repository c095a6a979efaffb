/**
 * A network: layers with parameters in an engine's memory. It traces its graph for a shape, lays out parameters and
 * states, and keeps a small cache of programs. Training, inference and files are built on it; users meet it as `Model`.
 */
import type { Engine, LoadedProgram, Memory, Stream } from '../compute/engine/engine.js';
import type { Value } from '../compute/graph.js';
import type { Program } from '../compute/program.js';
import type { Shape, Tensor } from '../compute/tensor.js';
import type { Layer, Signal, WeightGroup } from './layers/layer.js';

/** One parameter's or state's place. `offset` and `length` count elements in its arena. */
export interface ParameterPlace {
  /** `lstm_1/kernel`: layers are numbered by kind where a kind occurs twice. */
  readonly name: string;
  readonly layer: number;
  readonly group: WeightGroup;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}
export interface StatePlace {
  /** `lstm_1/hidden` */
  readonly name: string;
  readonly layer: number;
  /** With the batch: `[batch, units]`. */
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

export interface TraceOptions {
  readonly batch: number;
  /** Steps; undefined for a network whose input is no sequence. */
  readonly time: number;
  readonly training: boolean;
  /** The step counter behind dropout's random numbers; needed when training with dropout. */
  readonly step?: Value;
  /** Takes the place of the port `input`, with its shape and dtype: generation feeds ids that it keeps in the state arena. */
  readonly input?: Value;
}

/** A network's graph for one shape. */
export interface Trace {
  /** Port `input`: `[batch, time]` i32 or `[batch, time, features]` f32. */
  readonly input: Value;
  /** Time-major: `[time, batch, features]`, or `[batch, features]` after `lastStep`. Logits: no softmax is added. */
  readonly output: Value;
  /** Every layer's output, for telemetry and for finding what was first not finite. */
  readonly activations: readonly { readonly layer: string; readonly value: Value }[];
  /** Stored in the `state` arena, and their values after the last step, in the order of `stateLayout`. */
  readonly states: readonly Value[];
  readonly nextStates: readonly Value[];
  /** Stored in the `parameters` arena, in the order of `parameterLayout`. */
  readonly parameters: readonly Value[];
}

export interface NetworkContract {
  readonly layers: readonly Layer[];
  /** `lstm_1` and so on, one a layer. */
  readonly layerNames: readonly string[];
  readonly seed: number;
  readonly inputSignal: Signal;
  readonly outputSignal: Signal;
  readonly parameterCount: number;
  readonly parameterLayout: readonly ParameterPlace[];
  stateLayout(batch: number): readonly StatePlace[];

  trace(options: TraceOptions): Trace;

  readonly engine: Engine;
  /** Memory behind the `parameters` arena; filled by the initializers when first asked for. */
  readonly memory: Memory;
  /** The stream on which this network trains and reads its parameters. */
  readonly stream: Stream;
  /** The program of that name from the cache (16 at most, the least recently used goes), or a new one. */
  program(key: string, build: () => Program): LoadedProgram;

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
