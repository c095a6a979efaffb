/** What a layer is: options, parameter and state specifications, and a function from values to values. */
import type { Value } from '../../compute/graph.js';
import type { Shape } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import type { Initializer } from '../initializers.js';
import type { Rate } from '../rates.js';

/**
 * What flows between layers, without the batch: ids, or vectors of `features`; a sequence of them or one a row.
 * Inside a network values are time-major: a sequence is `[time, batch, features]` (ids: `[time, batch]`).
 */
export type Signal =
  | { readonly kind: 'ids'; readonly vocabulary: number; readonly sequence: boolean }
  | { readonly kind: 'vectors'; readonly features: number; readonly sequence: boolean };

/** The weight groups that regularisation, clipping and telemetry tell apart. */
export type WeightGroup = 'kernel' | 'recurrent' | 'projection' | 'bias' | 'embedding';

export interface ParameterSpecification {
  readonly shape: Shape;
  readonly group: WeightGroup;
  readonly initializer: Initializer;
}

export interface LayerContext {
  readonly input: Value;
  readonly parameters: Readonly<Record<string, Value>>;
  /** The states this call starts from, `[batch, ...]` each; absent where it starts from zero. */
  readonly states: Readonly<Record<string, Value>>;
  readonly training: boolean;
  /**
   * Steps of each row that are there, `[batch]` i32; absent where all are. What lies behind them is finite, matters to
   * nobody and gets no gradient.
   */
  readonly lengths?: Value | undefined;
  /**
   * 1 in the steps in which a row lives, 0 in holes and behind its end, `[time, batch]`; absent where there are no holes. In a
   * hole recurrent states stay as they are, and the output is the one before it.
   */
  readonly mask?: Value | undefined;
  /** The `last` of the layer before, where it gave one. */
  readonly last?: Value | undefined;
  /**
   * Random numbers, new ones every training step; only while training. `uniform` (default): in [0, 1); `normal`: of mean
   * 0 and deviation 1.
   */
  random(shape: Shape, kind?: 'uniform' | 'normal'): Value;
  /** One of the layer's `rates`: the number it is, or where it is scheduled the value `[1]` that holds it in each step. */
  rate(name: string): number | Value;
}

export interface LayerResult {
  readonly output: Value;
  /** The states after the last step, by the names of `states`. */
  readonly states: Readonly<Record<string, Value>>;
  /**
   * What `lastStep` makes of the output, `[batch, features]`, where the layer has it at hand: the output of each row's own
   * last step.
   */
  readonly last?: Value;
}

/** Immutable; holds no parameters and no state. */
export interface Layer {
  /** As it is called in `layers`: `lstm`. */
  readonly kind: string;
  /** Plain data, defaults filled in: what the model file holds. `layers[kind](options)` makes an equal layer. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Numbers that may be scheduled and matter while training only, such as `{ dropout: 0.2 }`. */
  readonly rates?: Readonly<Record<string, Rate>>;
  /** What a network takes in when this layer is its first and nothing else was said: layers that read ids know it. */
  readonly input?: Signal;
  /** True where what comes out at a step depends on steps behind it: such a layer cannot be run step by step. */
  readonly wholeSequences?: boolean;
  /** @throws {MnemeError} `invalid-shape` when the layer cannot take this signal */
  signal(input: Signal): Signal;
  parameters(input: Signal): Readonly<Record<string, ParameterSpecification>>;
  /** Shape of one row of each state: `{ hidden: [units], cell: [units] }`. */
  states(input: Signal): Readonly<Record<string, Shape>>;
  apply(context: LayerContext, input: Signal): LayerResult;
}

/** A signal as messages say it: `a sequence of vectors of 64 features`. */
export function printSignal(signal: Signal): string {
  const one = signal.kind === 'ids' ? `ids below ${signal.vocabulary}` : `vectors of ${signal.features} features`;
  return signal.sequence ? `a sequence of ${one}` : `${one}, one a row`;
}

/** The features of a signal of vectors. @throws {MnemeError} `invalid-shape` for ids */
export function featuresOf(input: Signal): number {
  if (input.kind === 'vectors') return input.features;
  throw new MnemeError(
    'invalid-shape',
    `expected vectors, got ${printSignal(input)}: put layers.embedding or layers.oneHot before it.`,
  );
}

/** Whether it is an object with what every layer has. */
export const isLayer = (value: unknown): value is Layer =>
  typeof value === 'object' &&
  value !== null &&
  ['signal', 'parameters', 'states', 'apply'].every(
    (name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function',
  );

/** The layers that keep nothing. */
export const none = (): Readonly<Record<string, never>> => ({});
