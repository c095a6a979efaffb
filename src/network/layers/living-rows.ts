/**
 * Rows of unequal lengths in a layer that goes through time. Sorted by falling length, the rows that are still there in
 * a step are the first ones, so a step works on those alone; outside of the layer rows stand as the caller has them.
 */
import { makeNode, type Value } from '../../compute/graph.js';
import { permuteRows, reverseSequence, sortRows } from '../../compute/operations/index.js';
import type { LayerContext, LayerResult } from './layer.js';

/** What the layer goes through. */
export interface LivingRows {
  /** `[time, batch, ...]` */
  readonly input: Value;
  /** The layer's states, `[batch, ...]` each; absent where it starts from zero. */
  readonly states: LayerContext['states'];
  /** `[batch]` i32, not growing from row to row; absent: every row has all steps. */
  readonly lengths?: Value | undefined;
}

/**
 * Runs a layer on rows in the order in which its operation wants them.
 *
 * @param run from rows in that order to the output `[time, batch, features]`, the states after each row's own last step,
 *   and as `last` that of them which is the output of that step
 * @returns the same with the rows as they stand in the context
 * @example
 * return withRows(context, input, ({ input, states, lengths }) => {
 *   const { output, finalHidden } = recurrent({ ...options, input, initialHidden: states.hidden, lengths });
 *   return { output, states: { hidden: finalHidden }, last: finalHidden };
 * });
 */
export function withRows(
  context: Pick<LayerContext, 'states' | 'lengths'>,
  input: Value,
  run: (rows: LivingRows) => LayerResult,
): LayerResult {
  const { states, lengths } = context;
  if (!lengths) return run({ input, states });
  const sorted = sortRows(lengths, input.shape[0]!);
  const result = run({
    input: sortedInput(input, sorted.order, lengths),
    states: mapValues(states, (state) => permuteRows(state, sorted.order, { axis: 0 })),
    lengths: sorted.lengths,
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

/** Each row backwards from its own end; behind it, what is not looked at. */
export const backwards = (value: Value, lengths: Value | undefined): Value =>
  rearranged(value, (x) => reverseSequence(x, lengths));

/** What a layer of the same rows has just put back in the caller's order is taken as it was before. */
function sortedInput(input: Value, order: Value, lengths: Value): Value {
  const { operation, inputs } = input.node;
  const by = inputs[1]?.node;
  const ofTheseRows = by?.operation?.name === 'sortRows' && by.inputs[0] === lengths && inputs[1]!.output === 1;
  if (operation?.name === 'permuteRows' && ofTheseRows) return inputs[0]!;
  return rearranged(input, (x) => permuteRows(x, order, { axis: 1 }));
}

/** Looking up ids that were rearranged gives the rearranged vectors, with less to move and the ids at hand. */
function rearranged(value: Value, rearrange: (x: Value) => Value): Value {
  const { operation, inputs, attributes } = value.node;
  const [ids, ...others] = inputs;
  if (operation && ids && (operation.name === 'embedding' || operation.name === 'oneHot')) {
    return makeNode(operation, [rearrange(ids), ...others], attributes).outputs[0]!;
  }
  return rearrange(value);
}

const mapValues = (values: Readonly<Record<string, Value>>, change: (value: Value) => Value): Record<string, Value> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
