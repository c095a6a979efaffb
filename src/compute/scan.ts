/** `scan`: a function of values, run once for each step of sequences, with states that go from step to step. */
import { MnemeError } from '../errors.js';
import { makeNode, type Operation, reshape, type Value } from './graph.js';
import { slice } from './operations/index.js';
import { type Body, nodesBehind, sliceSource, stateSource } from './scan/body.js';
import { scanGradient } from './scan/gradient.js';
import { loopOperation } from './scan/operation.js';
import { simplified } from './scan/simplification.js';
import { separate } from './scan/tracing.js';
import { printShape, sameShape } from './tensor.js';

export interface ScanOptions {
  /** `[T, ...]` each; a step is given the part `[...]` of its own. */
  readonly sequences: readonly Value[];
  /** What the states are before the first step. */
  readonly initial: readonly Value[];
  /**
   * One step, called once, to be looked at: from its parts of the sequences and the states before it to what it gives out and
   * the states after it. It may use any other values, and these have gradients too.
   */
  readonly step: (
    parts: readonly Value[],
    states: readonly Value[],
  ) => { readonly outputs: readonly Value[]; readonly states: readonly Value[] };
}

export interface ScanResult {
  /** `[T, ...]` each. */
  readonly outputs: readonly Value[];
  /** After the last step. */
  readonly states: readonly Value[];
}

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
export function scan({ sequences, initial, step }: ScanOptions): ScanResult {
  const count = lengthOf(sequences);
  const whole = sequences.map((value) => (value.shape.length === 1 ? reshape(value, [count, 1]) : value));
  const parts = whole.map((sequence, index) => sliceSource(index, sequence));
  const before = initial.map((value, index) => stateSource(index, value));
  const given = step(parts, before);
  checkStates(initial, given.states);
  const traced = separate([...given.outputs, ...given.states], parts, whole, before);
  const sources = [...traced.slices, ...before, ...traced.captured];
  const { values, sourceOf } = simplified(traced.values, sources);
  const outputs = values.slice(0, given.outputs.length);
  const next = values.slice(given.outputs.length);

  const used = new Set(nodesBehind(values));
  const isUsed = (_: Value, index: number, all: readonly Value[]) => used.has(sourceOf(all[index]!).node);
  const renumbered = (source: Value) => sourceOf(source);
  const states = before.map(renumbered);
  const kept = (list: readonly Value[], by: readonly Value[]) => list.filter((_, index) => isUsed(_, index, by));
  // What is a state of the next step is found among the states.
  const asState = outputs.map((value) => next.indexOf(value));
  const own = [...new Set(outputs.filter((value) => !next.includes(value)))];
  const inside = nodesBehind(values).flatMap((node) =>
    node.operation && node.operation.alias?.(node) === undefined
      ? node.outputs.filter((value) => value !== undefined)
      : [],
  );
  const results = [...own, ...inside.filter((value) => !own.includes(value) && !next.includes(value))];
  const body: Body = {
    count,
    reverse: false,
    slices: traced.slices.filter(isUsed).map(renumbered),
    states,
    captured: traced.captured.filter(isUsed).map(renumbered),
    results,
    next,
    history: true,
  };
  const operation: Operation = {
    ...loopOperation('scan', body),
    gradient: (node, arriving, wanted) => scanGradient(body, node, arriving, wanted),
  };
  const inputs = [...kept(traced.sequences, traced.slices), ...initial, ...kept(traced.outside, traced.captured)];
  const made = makeNode(operation, inputs, {}).outputs as readonly Value[];
  const histories = made.slice(results.length);
  return {
    outputs: outputs.map((value, index) => {
      const state = asState[index]!;
      if (state < 0) return made[results.indexOf(value)]!;
      return slice(histories[state]!, { axis: 0, start: 1, length: count });
    }),
    states: histories.map((history, index) =>
      reshape(slice(history, { axis: 0, start: count, length: 1 }), initial[index]!.shape),
    ),
  };
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
