/** A network's graph for one shape. */
import { input as inputPort, reshape, stored, type Value } from '../compute/graph.js';
import { random, transpose } from '../compute/operations/index.js';
import type { Shape } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import type { Layer, Signal } from './layers/layer.js';
import type { ParameterPlace, StatePlace } from './layout.js';
import { purposeOf } from './purpose.js';
import { isScheduled, type Scheduled } from './rates.js';

export interface TraceOptions {
  readonly batch: number;
  /** Steps; undefined for a network whose input is no sequence. */
  readonly time?: number | undefined;
  readonly training: boolean;
  /** Whether recurrent layers start from the states in the `state` arena, or from zero. Default 'stored'. */
  readonly initialStates?: 'stored' | 'zero';
  /** The step counter behind dropout's random numbers; needed when training with dropout. */
  readonly step?: Value | undefined;
  /** Whether rows have lengths, given by the port `lengths`: `[batch]` i32, 0 to `time`. */
  readonly lengths?: boolean | undefined;
  /** Takes the place of the port `input`, with its shape and dtype: generation feeds ids that it keeps in the state arena. */
  readonly input?: Value;
}

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

/** What of a network its graph depends on. */
export interface Traceable {
  readonly layers: readonly Layer[];
  readonly layerNames: readonly string[];
  /** In front of each layer, and after the last. */
  readonly signals: readonly Signal[];
  readonly parameterLayout: readonly ParameterPlace[];
  stateLayout(batch: number): readonly StatePlace[];
  readonly seed: number;
}

/** Builds the graph. */
export function trace(network: Traceable, options: TraceOptions): Trace {
  const { layers, layerNames, signals, seed } = network;
  const states = network.stateLayout(options.batch);
  const storedStates = states.map(({ offset, shape, name }) => stored('state', offset, shape, 'f32', name));
  const parameters = network.parameterLayout.map(({ offset, shape, name }) =>
    stored('parameters', offset, shape, 'f32', name),
  );
  const ofLayer = (places: readonly (ParameterPlace | StatePlace)[], values: readonly Value[], layer: number) =>
    Object.fromEntries(
      places.flatMap((place, index) => (place.layer === layer ? [[ownName(place.name), values[index]!]] : [])),
    );

  const input = options.input ?? inputPort('input', ...portOf(signals[0]!, options));
  const lengths =
    options.lengths && signals[0]!.sequence
      ? inputPort('lengths', [options.batch], 'i32', { limit: (options.time ?? 1) + 1 })
      : undefined;
  const nextStates: Value[] = [];
  const activations: { layer: string; value: Value }[] = [];
  let value = signals[0]!.sequence ? swapLeading(input) : input;
  let last: Value | undefined;
  layers.forEach((layer, index) => {
    const name = layerNames[index]!;
    let draws = 0;
    const result = layer.apply(
      {
        input: value,
        parameters: ofLayer(network.parameterLayout, parameters, index),
        states: options.initialStates === 'zero' ? {} : ofLayer(states, storedStates, index),
        training: options.training,
        ...(lengths && signals[index]!.sequence ? { lengths } : {}),
        ...(last ? { last } : {}),
        random: (shape, kind = 'uniform') => {
          if (!options.step) throw new MnemeError('internal', `Layer ${name} draws random numbers without a step.`);
          const purpose = purposeOf(`${name}/random/${draws++}`);
          return random(options.step, shape, { seed, purpose, kind });
        },
        rate: (which) => {
          const rate = layer.rates?.[which] ?? 0;
          return isScheduled(rate) ? inputPort(ratePort(name, which), [1], 'f32') : rate;
        },
      },
      signals[index]!,
    );
    for (const place of states) if (place.layer === index) nextStates.push(result.states[ownName(place.name)]!);
    value = result.output;
    last = result.last;
    activations.push({ layer: name, value });
  });
  return { input, output: value, activations, states: storedStates, nextStates, parameters };
}

/** The port of a scheduled rate. */
const ratePort = (layer: string, rate: string): string => `${layer}/${rate}`;

/** All scheduled rates of a network by port. */
export function scheduledRates({
  layers,
  layerNames,
}: Pick<Traceable, 'layers' | 'layerNames'>): Record<string, Scheduled> {
  return Object.fromEntries(
    layers.flatMap(({ rates = {} }, index) =>
      Object.entries(rates).flatMap(([name, rate]) =>
        isScheduled(rate) ? [[ratePort(layerNames[index]!, name), rate] as const] : [],
      ),
    ),
  );
}

/** `[a, b, ...]` with the first two axes exchanged. */
export function swapLeading(value: Value): Value {
  const [first, second, ...rest] = value.shape as [number, number, ...number[]];
  return first === 1 || second === 1 ? reshape(value, [second, first, ...rest]) : transpose(value);
}

function portOf(
  signal: Signal,
  { batch, time }: TraceOptions,
): [shape: Shape, dtype: 'i32' | 'f32', { limit?: number }] {
  const leading = signal.sequence ? [batch, time ?? 1] : [batch];
  return signal.kind === 'ids'
    ? [leading, 'i32', { limit: signal.vocabulary }]
    : [[...leading, signal.features], 'f32', {}];
}

const ownName = (name: string): string => name.slice(name.indexOf('/') + 1);
