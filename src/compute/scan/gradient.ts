/**
 * Backward through `scan`: a second loop over the steps, the last one first. Its body is the gradient of the first one's. It
 * reads the sequences, the states and what the first body computed in each step, and carries the gradients of the states. The
 * gradient of what was captured is a sum over all steps: of products, it is one product over all steps together, taken after
 * the loop; of anything else it is carried, too.
 */
import { pullback, sumOf } from '../gradients.js';
import { makeNode, type Node, reshape, type Value } from '../graph.js';
import { filled, slice } from '../operations/index.js';
import { elementCount } from '../tensor.js';
import { type AfterLoop, afterLoop } from './after-loop.js';
import { arrivingTerms } from './arriving-terms.js';
import { type Body, capturedSource, carriedSource, offsetsOf, sliceSource } from './body.js';
import { NumberedSources } from './numbered-sources.js';
import { loopOperation } from './operation.js';
import { rebuild } from './rebuilding.js';

/** Gradients for the inputs of a scan's node, given those of its outputs. */
export function scanGradient(
  body: Body,
  node: Node,
  arriving: readonly (Value | undefined)[],
  wanted: readonly boolean[],
): (Value | undefined)[] {
  const { count, slices, states, captured, results, next } = body;
  const terms = arriving.slice(results.length).map((gradient) => arrivingTerms(gradient, count));
  const outside = outsideOf(body, node);
  const parts = new NumberedSources(sliceSource);
  const same = new NumberedSources(capturedSource);

  // What flows into a step: into what it gives out, into the sequences of its states, and from the steps after it.
  const kept = states.filter((state) => state.dtype === 'f32');
  const offsets = offsetsOf(kept);
  const carried = kept.map((state, index) => carriedSource(index, offsets[index]!, state));
  const flowing = results.flatMap((result, index) => {
    const gradient = arriving[index];
    return gradient ? [{ to: result, from: parts.of(gradient) }] : [];
  });
  for (const [index, state] of kept.entries()) {
    const number = states.indexOf(state);
    const own = terms[number]!.steps.map((gradient) => parts.of(gradient));
    flowing.push({ to: next[number]!, from: sumOf([carried[index]!, ...own])! });
  }
  const [wantedSlices, wantedCaptured] = [
    slices.filter((_, index) => wanted[index]),
    captured.filter((_, index) => wanted[slices.length + states.length + index]),
  ];
  const wrt = [...wantedSlices, ...kept, ...wantedCaptured];
  const back = pullback(
    flowing.map(({ to }) => to),
    flowing.map(({ from }) => from),
    wrt,
  );
  const partsOf = (value: Value): readonly Value[] => back[wrt.indexOf(value)]!;
  const sums = wantedCaptured.map((value) => sortTerms(partsOf(value), captured));

  // The second body: sources of the first one, and what that computed, are sources of sequences to it.
  const gradientsOfSlices = wantedSlices.map((value) => sumOf(partsOf(value)) ?? filled(0, value.shape));
  const exported = sums
    .flatMap(({ after }) => after.flatMap(({ values }) => values))
    .filter((value) => !outside(value));
  const given = [...new Set([...gradientsOfSlices, ...exported])];
  const carrying = wantedCaptured.flatMap((value, index) => (sums[index]!.carried.length > 0 ? [value] : []));
  const carriedOffsets = offsetsOf([...kept, ...carrying]);
  const totals = carrying.map((value, index) =>
    carriedSource(kept.length + index, carriedOffsets[kept.length + index]!, value),
  );
  const stepped = rebuild(
    [
      ...given,
      ...kept.map((state) => sumOf(partsOf(state)) ?? filled(0, state.shape)),
      ...carrying.map((value, index) => sumOf([totals[index]!, ...sums[wantedCaptured.indexOf(value)]!.carried])!),
    ],
    (value) => {
      const number = captured.indexOf(value);
      if (number >= 0) return same.of(node.inputs[slices.length + states.length + number]!);
      const sequence = outside(value);
      return sequence && parts.of(sequence);
    },
  );
  const second: Body = {
    count,
    reverse: true,
    slices: parts.sources,
    states: [...carried, ...totals],
    captured: same.sources,
    results: stepped.slice(0, given.length),
    next: stepped.slice(given.length),
    history: false,
  };
  const beginnings = [
    ...kept.map((state) => sumOf(terms[states.indexOf(state)]!.last) ?? filled(0, state.shape)),
    ...carrying.map((value) => filled(0, value.shape)),
  ];
  const inputs = [...parts.values, ...beginnings, ...same.values];
  const made = makeNode(loopOperation('scan gradient', second), inputs, {}).outputs as readonly Value[];

  const ends = second.states.map(({ shape }, index) => {
    const start = carriedOffsets[index]!;
    return reshape(slice(made.at(-1)!, { axis: 0, start, length: elementCount(shape) }), shape);
  });
  const sequenceOf = (value: Value): Value => outside(value) ?? made[given.indexOf(value)]!;
  return [
    ...slices.map((value) => {
      const index = wantedSlices.indexOf(value);
      return index < 0 ? undefined : made[given.indexOf(gradientsOfSlices[index]!)];
    }),
    ...states.map((state, index) => {
      const number = kept.indexOf(state);
      if (number < 0 || !wanted[slices.length + index]) return undefined;
      return sumOf([ends[number]!, ...terms[index]!.first]);
    }),
    ...captured.map((value) => {
      const index = wantedCaptured.indexOf(value);
      if (index < 0) return undefined;
      const total = carrying.indexOf(value);
      const after = sums[index]!.after.map(({ values, over }) => over(values.map(sequenceOf)));
      return sumOf([...after, ...(total < 0 ? [] : [ends[kept.length + total]!])]) ?? filled(0, value.shape);
    }),
  ];
}

/** The sequences, outside of the loop, of what a step reads or computes; undefined for what is none of either. */
function outsideOf(body: Body, node: Node): (value: Value) => Value | undefined {
  const { count, slices, states, results, next } = body;
  const histories = node.outputs.slice(results.length) as readonly Value[];
  const found = new Map<Value, Value>();
  for (const [index, result] of results.entries()) found.set(result, node.outputs[index]!);
  for (const [index, value] of next.entries()) {
    found.set(value, slice(histories[index]!, { axis: 0, start: 1, length: count }));
  }
  for (const [index, state] of states.entries()) {
    found.set(state, slice(histories[index]!, { axis: 0, start: 0, length: count }));
  }
  for (const [index, source] of slices.entries()) found.set(source, node.inputs[index]!);
  return (value) => found.get(value);
}

/** Terms of a sum over all steps: those that are summed up after the loop, and the others. */
function sortTerms(
  terms: readonly Value[],
  captured: readonly Value[],
): { readonly after: readonly AfterLoop[]; readonly carried: readonly Value[] } {
  const sorted = terms.map((term) => {
    const found = afterLoop(term);
    // What is the same in every step has no sequence.
    return { term, after: found?.values.some((value) => captured.includes(value)) ? undefined : found };
  });
  return {
    after: sorted.flatMap(({ after }) => after ?? []),
    carried: sorted.flatMap(({ term, after }) => (after ? [] : [term])),
  };
}
