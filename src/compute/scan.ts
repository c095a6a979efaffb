/** `scan`: a function of values, run once for each step of sequences, with states that go from step to step. */
import { MnemeError } from '../errors.js';
import { makeNode, type Node, type Operation, reshape, type Value } from './graph.js';
import { slice } from './operations/index.js';
import { type Body, nodesBehind, sliceSource, stateSource } from './scan/body.js';
import { scanGradient } from './scan/gradient.js';
import { masked } from './scan/masking.js';
import { NumberedSources } from './scan/numbered-sources.js';
import { loopOperation } from './scan/operation.js';
import type { ScanOptions, ScanResult } from './scan/options.js';
import { simplified } from './scan/simplification.js';
import { separate } from './scan/tracing.js';
import { printShape, sameShape } from './tensor.js';

export type { ScanOptions, ScanResult };

/**
 * Runs a step over sequences, time-major. Gradients go through outputs, states and everything that the step uses.
 *
 * @throws {MnemeError} `invalid-shape` for sequences of different lengths or a state that changes its shape, and what the
 *   operations of the step throw; `invalid-argument` for another number of states than there were, or no sequence
 * @example
 * const { outputs: [sums] } = scan({
 *   sequences: [x],
 *   initial: [zeros],
 *   step: ([part], [sum]) => {
 *     const next = map((a, b) => a.add(b), sum, part);
 *     return { outputs: [next], states: [next] };
 *   },
 * });
 */
export function scan({ mask, ...options }: ScanOptions): ScanResult {
  const { sequences, initial, step } = mask ? masked(options, mask) : options;
  const count = lengthOf(sequences);
  const whole = sequences.map((value) => (value.shape.length === 1 ? reshape(value, [count, 1]) : value));
  const sources = new NumberedSources(sliceSource);
  const parts = whole.map((sequence) => sources.of(sequence));
  const before = initial.map((value, index) => stateSource(index, value));
  const given = step(parts, before);
  checkStates(initial, given.states);
  const traced = separate([...given.outputs, ...given.states], sources, before);
  const { values, sourceOf } = simplified(traced.values, [...traced.slices, ...before, ...traced.captured]);
  const outputs = values.slice(0, given.outputs.length);
  const next = values.slice(given.outputs.length);

  // Only what the simplified step still reads goes in.
  const nodes = new Set(nodesBehind(values));
  const read = (inner: readonly Value[], outer: readonly Value[]) =>
    inner
      .map((source, index) => ({ inside: sourceOf(source), outside: outer[index]! }))
      .filter(({ inside }) => nodes.has(inside.node));
  const slices = read(traced.slices, traced.sequences);
  const captured = read(traced.captured, traced.outside);
  const body: Body = {
    count,
    reverse: false,
    slices: slices.map(({ inside }) => inside),
    states: before.map(sourceOf),
    captured: captured.map(({ inside }) => inside),
    results: resultsOf(outputs, next, nodes),
    next,
    history: true,
  };
  const operation: Operation = {
    ...loopOperation('scan', body),
    gradient: (node, arriving, wanted) => scanGradient(body, node, arriving, wanted),
  };
  const inputs = [...slices.map(({ outside }) => outside), ...initial, ...captured.map(({ outside }) => outside)];
  const made = makeNode(operation, inputs, {}).outputs as readonly Value[];
  const histories = made.slice(body.results.length);
  return {
    outputs: outputs.map((value) => {
      const state = next.indexOf(value);
      if (state < 0) return made[body.results.indexOf(value)]!;
      return slice(histories[state]!, { axis: 0, start: 1, length: count });
    }),
    states: histories.map((history, index) =>
      reshape(slice(history, { axis: 0, start: count, length: 1 }), initial[index]!.shape),
    ),
  };
}

/**
 * What becomes a sequence: what the step gives out, but for states, which are kept anyway; then all that it computes on the way,
 * for the gradient to read. What has too many axes for a sequence of it is computed again instead.
 */
function resultsOf(outputs: readonly Value[], next: readonly Value[], nodes: ReadonlySet<Node>): Value[] {
  const own = new Set(outputs.filter((value) => !next.includes(value)));
  for (const node of nodes) {
    if (!node.operation || node.operation.alias?.(node) !== undefined) continue;
    for (const value of node.outputs) if (value && value.shape.length < 4 && !next.includes(value)) own.add(value);
  }
  return [...own];
}

function lengthOf(sequences: readonly Value[]): number {
  const [first] = sequences;
  if (!first) {
    throw new MnemeError('invalid-argument', 'scan: there is no sequence, so the number of steps is not known.');
  }
  for (const [index, { shape }] of sequences.entries()) {
    if (shape[0] !== first.shape[0]) {
      throw new MnemeError(
        'invalid-shape',
        `scan: sequence ${index} has ${shape[0]} steps, sequence 0 has ${first.shape[0]}.`,
      );
    }
  }
  return first.shape[0]!;
}

function checkStates(initial: readonly Value[], states: readonly Value[]): void {
  if (states.length !== initial.length) {
    throw new MnemeError(
      'invalid-argument',
      `scan: the step gives ${states.length} states and is given ${initial.length}; give all of them, changed or not.`,
    );
  }
  for (const [index, { shape, dtype }] of states.entries()) {
    const before = initial[index]!;
    if (sameShape(shape, before.shape) && dtype === before.dtype) continue;
    throw new MnemeError(
      'invalid-shape',
      `scan: state ${index} is ${before.dtype} ${printShape(before.shape)} before the step and ${dtype} ${printShape(shape)} after it.`,
    );
  }
}
