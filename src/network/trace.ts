/** A network's graph for one shape. */
import { input as inputPort, reshape, stored, type Value } from '../compute/graph.js';
import { concatenate, detach, filled, map, random, slice, transpose } from '../compute/operations/index.js';
import { elementCount, type Shape } from '../compute/tensor.js';
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
  /** Whether rows have lengths, given by the port `lengths`: `[batch]` i32, 0 to `time`; with `parts` one for each. */
  readonly lengths?: boolean | undefined;
  /** Whether rows have holes, given by the port `inputMask`: `[batch, time]`, 0 or 1. */
  readonly inputMask?: boolean | undefined;
  /** Whether the port `reset`, `[batch]`, says with 1 which rows start from zero though states are stored. */
  readonly reset?: boolean | undefined;
  /** The time in parts, one after another, each of which goes on where the one before ended. Default: one part. */
  readonly parts?: readonly TracePart[] | undefined;
  /** After how many of the parts `nextStates` are taken; 0: those that the first one starts from. Default: all. */
  readonly carry?: number | undefined;
  /** Takes the place of the port `input`, with its shape and dtype: generation feeds ids that it keeps in the state arena. */
  readonly input?: Value;
}

export interface TracePart {
  /** Steps. */
  readonly time: number;
  /** Whether no gradient flows through the layers that have states: what comes out of them, and their states after it. */
  readonly detached?: boolean;
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
  const ofLayer = <T>(places: readonly (ParameterPlace | StatePlace)[], values: readonly T[], layer: number) =>
    Object.fromEntries(
      places.flatMap((place, index) => (place.layer === layer ? [[ownName(place.name), values[index]!]] : [])),
    );

  const input = options.input ?? inputPort('input', ...portOf(signals[0]!, options));
  const sequence = signals[0]!.sequence ? swapLeading(input) : input;
  const masks =
    options.inputMask && signals[0]!.sequence
      ? swapLeading(inputPort('inputMask', [options.batch, options.time ?? 1], 'f32'))
      : undefined;
  const parts = options.parts ?? [{ time: options.time ?? 1 }];
  const drawn = new Map<number, number>();
  const made: Value[][] = layers.map(() => []);
  /** Those that the next part starts from: absent where it starts from zero. */
  let carried: readonly (Value | undefined)[] = startingStates(storedStates, options);
  let nextStates = carried;
  let start = 0;
  for (const [number, { time, detached = false }] of parts.entries()) {
    let value = parts.length > 1 ? slice(sequence, { axis: 0, start, length: time }) : sequence;
    const port = parts.length > 1 ? partPort('lengths', number) : 'lengths';
    const lengths =
      options.lengths && signals[0]!.sequence
        ? inputPort(port, [options.batch], 'i32', { limit: time + 1 })
        : undefined;
    const mask = masks && slice(masks, { axis: 0, start, length: time });
    let last: Value | undefined;
    const after: Value[] = [];
    layers.forEach((layer, index) => {
      const name = layerNames[index]!;
      const result = layer.apply(
        {
          input: value,
          parameters: ofLayer(network.parameterLayout, parameters, index),
          states: present(ofLayer(states, carried, index)),
          training: options.training,
          ...(lengths && signals[index]!.sequence ? { lengths } : {}),
          ...(mask && signals[index]!.sequence ? { mask } : {}),
          ...(last ? { last } : {}),
          random: (shape, kind = 'uniform') => {
            if (!options.step) throw new MnemeError('internal', `Layer ${name} draws random numbers without a step.`);
            const draws = drawn.get(index) ?? 0;
            drawn.set(index, draws + 1);
            const purpose = purposeOf(`${name}/random/${draws}`);
            return random(options.step, shape, { seed, purpose, kind });
          },
          rate: (which) => {
            const rate = layer.rates?.[which] ?? 0;
            return isScheduled(rate) ? inputPort(ratePort(name, which), [1], 'f32') : rate;
          },
        },
        signals[index]!,
      );
      const own = states.filter((place) => place.layer === index);
      const cut = detached && own.length > 0 ? detach : (whole: Value) => whole;
      after.push(...own.map((place) => cut(result.states[ownName(place.name)]!)));
      value = cut(result.output);
      last = result.last;
      made[index]!.push(value);
    });
    carried = after;
    start += time;
    if (number + 1 === (options.carry ?? parts.length)) nextStates = after;
  }
  const next = storedStates.map((state, index) => nextStates[index] ?? filled(0, state.shape));
  const activations = made.map((values, index) => ({ layer: layerNames[index]!, value: concatenate(values, 0) }));
  const output = activations.at(-1)!.value;
  return { input, output, activations, states: storedStates, nextStates: next, parameters };
}

/** The port of what each part has one of. */
export const partPort = (name: string, part: number): string => `${name}/${part}`;

function startingStates(
  storedStates: readonly Value[],
  { initialStates, reset, batch }: TraceOptions,
): readonly (Value | undefined)[] {
  if (initialStates === 'zero') return storedStates.map(() => undefined);
  if (!reset) return storedStates;
  const starts = inputPort('reset', [batch], 'f32');
  return storedStates.map((state) => {
    const rows = reshape(state, [batch, elementCount(state.shape) / batch]);
    const kept = map((before, again) => again.equal(0).select(before, 0), rows, reshape(starts, [batch, 1]));
    return reshape(kept, state.shape);
  });
}

const present = (states: Readonly<Record<string, Value | undefined>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(states).flatMap(([name, state]) => (state ? [[name, state]] : [])));

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
