/** What a layer is: options, parameter and state specifications, and a function from values to values. */
import type { Value } from '../../compute/graph.js';
import type { Shape } from '../../compute/tensor.js';
import type { Initializer } from '../initializers.js';

/**
 * What flows between layers, without the batch: ids, or vectors of `features`; a sequence of them or one a row.
 * Inside a network values are time-major: a sequence is `[time, batch, features]` (ids: `[time, batch]`).
 */
export type Signal =
  | { readonly kind: 'ids'; readonly vocabulary: number; readonly sequence: boolean }
  | { readonly kind: 'vectors'; readonly features: number; readonly sequence: boolean };

/** The weight groups that regularisation, clipping and telemetry tell apart. */
export type WeightGroup = 'kernel' | 'recurrent' | 'bias' | 'embedding';

export interface ParameterSpecification {
  readonly shape: Shape;
  readonly group: WeightGroup;
  readonly initializer: Initializer;
}

export interface LayerContext {
  readonly input: Value;
  readonly parameters: Readonly<Record<string, Value>>;
  /** The states this call starts from, `[batch, ...]` each. */
  readonly states: Readonly<Record<string, Value>>;
  readonly training: boolean;
  /** Uniform numbers in [0, 1), new ones every training step; only while training. */
  random(shape: Shape): Value;
}

export interface LayerResult {
  readonly output: Value;
  /** The states after the last step, by the names of `states`. */
  readonly states: Readonly<Record<string, Value>>;
}

/** Immutable; holds no parameters and no state. */
export interface Layer {
  /** As it is called in `layers`: `lstm`. */
  readonly kind: string;
  /** Plain data, defaults filled in: what the model file holds. `layers[kind](options)` makes an equal layer. */
  readonly options: Readonly<Record<string, unknown>>;
  /** @throws {MnemeError} `invalid-shape` when the layer cannot take this signal */
  signal(input: Signal): Signal;
  parameters(input: Signal): Readonly<Record<string, ParameterSpecification>>;
  /** Shape of one row of each state: `{ hidden: [units], cell: [units] }`. */
  states(input: Signal): Readonly<Record<string, Shape>>;
  apply(context: LayerContext, input: Signal): LayerResult;
}
