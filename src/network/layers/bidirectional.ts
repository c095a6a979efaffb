/** A recurrent layer in both directions. */
import * as v from 'valibot';
import type { Value } from '../../compute/graph.js';
import { concatenate, map } from '../../compute/operations/index.js';
import { MnemeError, requireArgument } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { isLayer, type Layer, type LayerContext, printSignal, type Signal } from './layer.js';
import { backwards } from './living-rows.js';

const merges = ['concat', 'sum', 'multiply', 'average'] as const;
type Merge = (typeof merges)[number];

const schema = v.strictObject({
  merge: v.optional(v.picklist(merges), 'concat'),
  backward: v.optional(v.custom<Layer>(isLayer, 'a layer, as layers.lstm() gives one')),
});
export type BidirectionalOptions = v.InferInput<typeof schema>;

/**
 * A recurrent layer and a second one with parameters of its own that reads the sequence backwards (Schuster and Paliwal
 * 1997), each row from its own end: `[batch, time, features]` becomes `[batch, time, 2·units]`, or `[batch, time, units]`
 * where the outputs are not put side by side. What is told of a step is what the forward layer knows of it and all steps
 * before, and the backward layer of it and all steps behind.
 *
 * `lastStep` directly after it gives the final states of both directions. Parameters: those of the two layers, as
 * `forward/kernel` and `backward/kernel`. Where batches go on or long sequences are cut, the forward layer goes on, and the
 * backward layer starts anew at the end of each piece. No session can run it, as it needs what has not come yet.
 *
 * @param layer the forward layer, such as `layers.lstm({ units: 32 })`
 * @param options
 * - `merge`: what becomes of both outputs: 'concat' (default) puts forward and backward side by side, so it is the one to
 *   choose where both are wanted by themselves; 'sum', 'multiply' and 'average' (Keras' `sum`, `mul`, `ave`; DL4J's `ADD`,
 *   `MUL`, `AVERAGE`) join them number by number
 * - `backward`: the backward layer where it is to be another one than `layer`: another kind, other units with 'concat'
 * @throws {MnemeError} `invalid-option`; `invalid-argument` unless the layers are recurrent ones of one direction
 * @example
 * sequential([layers.bidirectional(layers.lstm({ units: 32 })), layers.dense({ units: 5 })], { input: { features: 8 } });
 */
export function bidirectional(layer: Layer, options: BidirectionalOptions = {}): Layer {
  const where = 'layers.bidirectional';
  requireArgument(isLayer(layer), where, 'a layer, as layers.lstm() gives one', layer);
  const { merge, backward = layer } = parseOptions(schema, options, where);
  const directions = { forward: layer, backward };
  for (const inner of Object.values(directions)) requireRecurrent(inner, where);
  const own = backward === layer ? {} : { backward };
  const { input } = layer;
  return {
    kind: 'bidirectional',
    options: { layer, merge, ...own },
    wholeSequences: true,
    ...(input ? { input } : {}),
    rates: { ...named('forward', layer.rates ?? {}), ...named('backward', backward.rates ?? {}) },
    signal: (input) => merged(merge, layer.signal(input), backward.signal(input)),
    parameters: (input) => ({
      ...named('forward', layer.parameters(input)),
      ...named('backward', backward.parameters(input)),
    }),
    // What the backward layer ends with is of the first step: nothing goes on from there.
    states: (input) => named('forward', layer.states(input)),
    apply: (context, input) => {
      const first = layer.apply(part(context, 'forward', context.input), input);
      const second = backward.apply(part(context, 'backward', backwards(context.input, context.lengths)), input);
      const last = first.last && second.last && join(merge, first.last, second.last);
      return {
        output: join(merge, first.output, backwards(second.output, context.lengths)),
        states: { ...named('forward', first.states), ...named('backward', second.states) },
        ...(last ? { last } : {}),
      };
    },
  };
}

/** What a direction is given: its own parameters, states and rates. */
function part({ last: _, ...context }: LayerContext, direction: 'forward' | 'backward', input: Value): LayerContext {
  const { mask, lengths } = context;
  return {
    ...context,
    input,
    ...(mask && direction === 'backward' ? { mask: backwards(mask, lengths) } : {}),
    parameters: ownOf(direction, context.parameters),
    states: ownOf(direction, context.states),
    rate: (name) => context.rate(`${direction}/${name}`),
  };
}

function join(merge: Merge, forward: Value, backward: Value): Value {
  if (merge === 'concat') return concatenate([forward, backward], forward.shape.length - 1);
  return map(
    (a, b) => ({ sum: () => a.add(b), multiply: () => a.mul(b), average: () => a.add(b).mul(0.5) })[merge](),
    forward,
    backward,
  );
}

function merged(merge: Merge, forward: Signal, backward: Signal): Signal {
  const widths = [forward, backward].map((signal) => (signal.kind === 'vectors' ? signal.features : 0)) as [
    number,
    number,
  ];
  if (merge === 'concat') return { kind: 'vectors', features: widths[0] + widths[1], sequence: true };
  if (widths[0] === widths[1]) return forward;
  throw new MnemeError(
    'invalid-shape',
    `merge '${merge}' needs as many features forward as backward, got ${printSignal(forward)} and ${printSignal(backward)}: give both the same units, or merge them by 'concat'.`,
  );
}

function requireRecurrent(layer: Layer, where: string): void {
  const any: Signal = layer.input ?? { kind: 'vectors', features: 1, sequence: true };
  if (!layer.wholeSequences && Object.keys(layer.states(any)).length > 0) return;
  throw new MnemeError(
    'invalid-argument',
    `${where}: it goes around a recurrent layer of one direction, such as layers.lstm(), got layers.${layer.kind}().`,
  );
}

const named = <T>(direction: string, values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${direction}/${name}`, value]));

const ownOf = <T>(direction: string, values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      name.startsWith(`${direction}/`) ? [[name.slice(direction.length + 1), value] as const] : [],
    ),
  );
