/**
 * Rows that do not live in every step, in layers that go through time: those that end early (`lengths`), and those with
 * holes (`mask`). Where a row does not live, its states stay as they are.
 */
import { makeNode, reshape, type Value } from '../../compute/graph.js';
import { filled, map, reverseSequence } from '../../compute/operations/index.js';
import type { LayerContext, LayerResult } from './layer.js';

/** What the layer goes through. */
export interface LivingRows {
  /** `[time, batch, ...]` */
  readonly input: Value;
  /** The layer's states, `[batch, ...]` each; absent where it starts from zero. */
  readonly states: LayerContext['states'];
  /** `[time, batch]`: the share of the old states that stays, 1 in steps in which a row does not live, else 0. Absent: all live. */
  readonly keep?: Value | undefined;
}

/**
 * Runs a layer on rows that do not live in every step.
 *
 * @param run to the output `[time, batch, features]`, which is that of the states where they stay, the states after the last
 *   step, and as `last` that of them which is the output of that step
 * @returns the same, with an output of 0 behind the end of each row
 * @example
 * return withRows(context, input, ({ input, states, keep }) => {
 *   const { output, finalHidden } = recurrent({ ...options, input, initialHidden: states.hidden, hiddenKeep: keep });
 *   return { output, states: { hidden: finalHidden }, last: finalHidden };
 * });
 */
export function withRows(
  { states, lengths, mask }: Pick<LayerContext, 'states' | 'lengths' | 'mask'>,
  input: Value,
  run: (rows: LivingRows) => LayerResult,
): LayerResult {
  const lives = livingSteps({ lengths, mask }, input.shape[0]!);
  if (!lives) return run({ input, states });
  const result = run({ input, states, keep: map((alive) => alive.sub(1).neg(), lives) });
  if (!lengths) return result;
  const [time, batch] = input.shape as [number, number];
  const within = reshape(livingSteps({ lengths }, time)!, [time, batch, 1]);
  return { ...result, output: map((alive, y) => alive.select(y, 0), within, result.output) };
}

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

/** Looking up ids that were rearranged gives the rearranged vectors, with less to move and the ids at hand. */
export function rearranged(value: Value, rearrange: (x: Value) => Value): Value {
  const { operation, inputs, attributes } = value.node;
  const [ids, ...others] = inputs;
  if (operation && ids && (operation.name === 'embedding' || operation.name === 'oneHot')) {
    return makeNode(operation, [rearrange(ids), ...others], attributes).outputs[0]!;
  }
  return rearrange(value);
}
