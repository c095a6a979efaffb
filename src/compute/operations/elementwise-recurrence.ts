/** `elementwiseRecurrence`: states that each depend on their own past only, s(t) = f(x1(t), ..., xn(t), values, s(t-1)). */
import { countOperations, Expression, encode, lerp, variable } from '../expression.js';
import { makeNode, type Operation, type Value } from '../graph.js';
import { elementCount } from '../tensor.js';
import { elementwiseRecurrenceGradientOperation } from './elementwise-recurrence-gradient.js';
import {
  elementwiseRecurrenceSizes,
  firstPerUnit,
  type RecurrenceAttributes,
  recurrenceAttributes,
  sequencesOf,
  stepExpressions,
} from './elementwise-recurrence-operands.js';
import { elementwiseRecurrenceReference } from './elementwise-recurrence-reference.js';
import { f32, trafficOf } from './operand.js';

/** What a step of one unit is made of: symbolic numbers. */
export interface RecurrenceStep {
  /** Of each sequence, this step's number. */
  readonly sequences: readonly Expression[];
  /** The values that units have of their own. */
  readonly perUnit: readonly Expression[];
  /** The states before. */
  readonly states: readonly Expression[];
}

export interface ElementwiseRecurrenceOptions {
  /** `[T, B, n·units]`: n sequences side by side, as one product makes them. */
  readonly input: Value;
  readonly units: number;
  /** How many states a unit has: 1 or 2. Default 1. */
  readonly states?: 1 | 2;
  /** `[units]` each: numbers that do not change from step to step. */
  readonly perUnit?: readonly Value[];
  /** `[B, units]` for each state; zeros where absent. */
  readonly initialStates?: readonly (Value | undefined)[];
  /**
   * The share of the old states that stays, `[1]`, `[T, B]` or `[T, B, units]`: new = keep·old + (1 - keep)·step. Where it is
   * exactly 1, the step does not matter, even if it is NaN.
   */
  readonly keep?: Value | undefined;
  /** `[B]` i32, not growing: row b lives in the steps before `lengths[b]`; afterwards its states are given out as 0. */
  readonly lengths?: Value | undefined;
  /** 1: `step` is that of minGRU with the candidate linearSigmoid, which the kernel has a fast path for. Default 0. */
  readonly cell?: 0 | 1 | undefined;
  /** The new states. */
  readonly step: (step: RecurrenceStep) => Expression | readonly Expression[];
}

export interface ElementwiseRecurrenceResult {
  /** `[T, B, units]` for each state. */
  readonly states: readonly Value[];
  /** `[B, units]` for each state: after each row's own last step. */
  readonly finalStates: readonly Value[];
}

/**
 * Runs a recurrence whose units do not know each other. `step` is traced once; the kernel runs it as expression code, and
 * backward the derivatives of it, which are made here.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * // h = a·h + b
 * const { states } = elementwiseRecurrence({ input, units, step: ({ sequences: [a, b], states: [h] }) => a.mul(h).add(b) });
 */
export function elementwiseRecurrence(options: ElementwiseRecurrenceOptions): ElementwiseRecurrenceResult {
  const { input, units, states = 1, perUnit = [], initialStates = [], keep, lengths, cell = 0, step } = options;
  const sequences = sequencesOf('elementwiseRecurrence', input, units);
  const variables = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => variable(first + index));
  const keepVariable = sequences + perUnit.length;
  const old = variables(keepVariable + (keep ? 1 : 0), states);
  const result = step({
    sequences: variables(0, sequences),
    perUnit: variables(sequences, perUnit.length),
    states: old,
  });
  const candidates = result instanceof Expression ? [result] : result;
  const expressions = keep
    ? candidates.map((candidate, index) => keeping(variable(keepVariable), old[index]!, candidate))
    : candidates;
  const attributes: RecurrenceAttributes = { units, states, cell: keep ? 0 : cell, expressions };
  const inputs = [input, initialStates[0], initialStates[1], keep, lengths, ...perUnit];
  const outputs = makeNode(elementwiseRecurrenceOperation, inputs, { ...attributes }).outputs as Value[];
  return { states: outputs.slice(0, states), finalStates: outputs.slice(2, 2 + states) };
}

/** Selected where nothing of the candidate is to stay, so that it may be NaN there. */
const keeping = (keep: Expression, old: Expression, candidate: Expression): Expression =>
  keep.equal(1).select(old, lerp(old, candidate, keep));

/** Outputs: the states of all steps, states1 and states2?, then the final ones. */
export const elementwiseRecurrenceOperation: Operation = {
  name: 'elementwiseRecurrence',
  shape: (inputs, attributes) => {
    const { states } = recurrenceAttributes(attributes);
    const { time, batch, units } = elementwiseRecurrenceSizes('elementwiseRecurrence', inputs, attributes);
    const [sequence, state] = [f32([time, batch, units]), f32([batch, units])];
    const second = states === 2;
    return [sequence, second ? sequence : undefined, state, second ? state : undefined];
  },
  gradient: (node, [dStates1, dStates2, dFinal1, dFinal2], wanted) => {
    const [states1, states2] = node.outputs;
    const fixed = node.inputs.slice(0, firstPerUnit);
    const perUnit = node.inputs.slice(firstPerUnit);
    const inputs = [...fixed, states1, states2, dStates1, dStates2, dFinal1, dFinal2, ...perUnit];
    const [dInput, dInitial1, dInitial2, ...dPerUnit] = makeNode(
      elementwiseRecurrenceGradientOperation,
      inputs,
      node.attributes,
    ).outputs;
    const results = [dInput, dInitial1, dInitial2, undefined, undefined, ...dPerUnit];
    return results.map((result, index) => (wanted[index] ? result : undefined));
  },
  reference: elementwiseRecurrenceReference,
  words: ({ inputs, attributes }) => {
    const { states, cell } = recurrenceAttributes(attributes);
    const { sequences, variables } = elementwiseRecurrenceSizes('elementwiseRecurrence', inputs, attributes);
    return [states, sequences, cell, ...encode(stepExpressions(attributes), variables)];
  },
  cost: (node) => ({
    flops: countOperations(stepExpressions(node.attributes)) * elementCount(node.outputs[0]!.shape),
    bytes: trafficOf(node),
  }),
  canFail: (node) => node.inputs[4] !== undefined,
  optionalOutputs: [2, 3],
};
