/**
 * Rows that do not live in every step, in layers that go through time: those that end early (`lengths`), and those with
 * holes (`mask`). Where a row does not live, its states stay as they are.
 */
import { makeNode, reshape, type Value } from '../../compute/graph.js';
import { filled, map, permuteRows, reverseSequence, sortRows } from '../../compute/operations/index.js';
import type { LayerContext, LayerResult } from './layer.js';

/** What the layer goes through. */
export interface LivingRows {
  /** `[time, batch, ...]` */
  readonly input: Value;
  /** The layer's states, `[batch, ...]` each; absent where it starts from zero. */
  readonly states: LayerContext['states'];
  /** `[batch]` i32, not growing from row to row; absent: no row ends early. */
  readonly lengths?: Value | undefined;
  /** `[time, batch]`: the share of the old states that stays, 1 where a row does not live, else 0; absent: 0 everywhere. */
  readonly keep?: Value | undefined;
}

type Living = Pick<LayerContext, 'states' | 'lengths' | 'mask'>;

/**
 * Runs a layer whose operation knows lengths on its rows sorted by falling length: those that still live in a step are then the
 * first ones, and a step works on them alone. Outside of the layer rows stand as the caller has them.
 *
 * @param run from rows in that order to the output `[time, batch, features]`, the states after each row's own last step, and as
 *   `last` the output of that step. `keep` is that of holes
 * @returns the same with the rows as they stand in the context
 * @example
 * return withRows(context, input, ({ input, states, lengths, keep }) => {
 *   const { output, finalHidden } = recurrent({ ...options, input, initialHidden: states.hidden, lengths, hiddenKeep: keep });
 *   return { output, states: { hidden: finalHidden }, last: finalHidden };
 * });
 */
export function withRows(context: Living, input: Value, run: (rows: LivingRows) => LayerResult): LayerResult {
  const { states, lengths, mask } = context;
  if (!lengths) return run({ input, states, keep: mask && complement(mask) });
  const sorted = sortRows(lengths, input.shape[0]!);
  const ordered = (x: Value) => permuteRows(x, sorted.order, { axis: 1 });
  const result = run({
    input: sortedBy(input, lengths) ?? rearranged(input, ordered),
    states: mapValues(states, (state) => permuteRows(state, sorted.order, { axis: 0 })),
    lengths: sorted.lengths,
    keep: mask && complement(ordered(mask)),
  });
  const back = (value: Value) => permuteRows(value, sorted.inverse, { axis: 0 });
  const restored = mapValues(result.states, back);
  const name = Object.keys(result.states).find((state) => result.states[state] === result.last);
  const last = name === undefined ? result.last && back(result.last) : restored[name];
  return {
    output: permuteRows(result.output, sorted.inverse, { axis: 1 }),
    states: restored,
    ...(last ? { last } : {}),
  };
}

/**
 * Runs a layer whose operation knows no lengths: its states are kept behind the end of a row as they are in holes.
 *
 * @param run to the output, which is that of the states where they stay, the states after the last step, and `last`
 * @returns the same, with an output of 0 behind the end of each row
 */
export function withStandingRows(
  { states, lengths, mask }: Living,
  input: Value,
  run: (rows: LivingRows) => LayerResult,
): LayerResult {
  const lives = livingSteps({ lengths, mask }, input.shape[0]!);
  if (!lives) return run({ input, states });
  const result = run({ input, states, keep: complement(lives) });
  if (!lengths) return result;
  const [time, batch] = input.shape as [number, number];
  const within = reshape(livingSteps({ lengths }, time)!, [time, batch, 1]);
  return { ...result, output: map((alive, y) => alive.select(y, 0), within, result.output) };
}

const complement = (lives: Value): Value => map((alive) => alive.sub(1).neg(), lives);

/**
 * Shares of the old states that stay, all of them in steps in which a row does not live.
 *
 * @param keep `[1]` or `[time, batch, features]`
 * @param standing `keep` of `LivingRows`
 */
export function keptWhole(keep: Value | undefined, standing: Value | undefined): Value | undefined {
  if (!keep || !standing) return keep ?? standing;
  const each = keep.shape.length > 1 ? reshape(standing, [...standing.shape, 1]) : standing;
  return map((whole, share) => whole.select(1, share), each, keep);
}

/** `[time, batch]`: 1 in the steps in which a row lives, 0 in its holes and behind its end; undefined where all live in all. */
export function livingSteps(
  { lengths, mask }: Pick<LayerContext, 'lengths' | 'mask'>,
  time: number,
): Value | undefined {
  if (mask || !lengths) return mask;
  const batch = lengths.shape[0]!;
  return reshape(reverseSequence(filled(1, [time, batch, 1]), lengths), [time, batch]);
}

/** Each row backwards from its own end; behind it, what is not looked at. */
export const backwards = (value: Value, lengths: Value | undefined): Value =>
  rearranged(value, (x) => reverseSequence(x, lengths));

/** Rows that a layer has just put back in the caller's order, as they were before. */
function sortedBy(input: Value, lengths: Value): Value | undefined {
  const { operation, inputs } = input.node;
  const by = inputs[1]?.node;
  const ofTheseRows = by?.operation?.name === 'sortRows' && by.inputs[0] === lengths && inputs[1]!.output === 1;
  return operation?.name === 'permuteRows' && ofTheseRows ? inputs[0]! : undefined;
}

/** Looking up ids that were rearranged gives the rearranged vectors, with less to move and the ids at hand. */
export function rearranged(value: Value, rearrange: (x: Value) => Value): Value {
  const { operation, inputs, attributes } = value.node;
  const [ids, ...others] = inputs;
  if (operation && ids && (operation.name === 'embedding' || operation.name === 'oneHot')) {
    return makeNode(operation, [rearrange(ids), ...others], attributes).outputs[0]!;
  }
  return rearrange(value);
}

const mapValues = (values: Readonly<Record<string, Value>>, change: (value: Value) => Value): Record<string, Value> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
