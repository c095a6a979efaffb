/** What `elementwiseRecurrence` and its gradient have in common: attributes, shapes, and their expressions. */
import { MnemeError } from '../../errors.js';
import { constant, differentiate, type Expression, simplifyAll, variable } from '../expression.js';
import type { ReferenceOperand, Specification } from '../graph.js';
import { printShape, sameShape } from '../tensor.js';
import { expectLengths } from './lengths.js';
import { expect, expectDtype, expectShape } from './operand.js';

export interface RecurrenceAttributes {
  readonly units: number;
  readonly states: 1 | 2;
  /** The number by which kernels know the cell, 0: by its expressions. */
  readonly cell: 0 | 1;
  /** The new states. Variables: sequences, values of the units, keep if there is one, old states. */
  readonly expressions: readonly Expression[];
}

export const recurrenceAttributes = (attributes: object) => attributes as RecurrenceAttributes;

type Inputs = readonly (Specification | undefined)[];

/** Where the values of the units begin among the inputs: after the sequences, two initial states, keep and lengths. */
export const firstPerUnit = 5;

/** Of the inputs of the gradient, those that `elementwiseRecurrence` has: without states and what flows into them. */
export const forwardInputs = <T>(inputs: readonly T[]): T[] => [...inputs.slice(0, firstPerUnit), ...inputs.slice(11)];

export interface RecurrenceSizes {
  readonly time: number;
  readonly batch: number;
  readonly units: number;
  readonly sequences: number;
  readonly perUnit: number;
  /** Number of the variable that is keep; where there is none, that of the first state. */
  readonly keepVariable: number;
  readonly stateVariable: number;
  /** How many variables the new states are expressions of; in the gradient those of the new states follow. */
  readonly variables: number;
}

/**
 * @param inputs of both operations those that `elementwiseRecurrence` has
 * @throws {MnemeError} `invalid-shape` unless all fit together
 */
export function elementwiseRecurrenceSizes(where: string, inputs: Inputs, attributes: object): RecurrenceSizes {
  const { units, states, expressions } = recurrenceAttributes(attributes);
  const [input, initial1, initial2, keep, lengths, ...perUnit] = inputs;
  const sequences = sequencesOf(where, input, units);
  const [time, batch] = input!.shape as [number, number, number];
  expect(states === 1 || states === 2, () => `${where}: a unit has 1 or 2 states, got ${states}.`);
  expect(expressions.length === states, () => `${where}: ${states} states, but ${expressions.length} results.`);
  expectShape(`${where}: initial state`, initial1, [batch, units]);
  expectShape(`${where}: second initial state`, initial2, [batch, units]);
  expect(!initial2 || states === 2, () => `${where}: there is no second state.`);
  const keeps = [[1], [time, batch], [time, batch, units]];
  expect(!keep || (keep.dtype === 'f32' && keeps.some((shape) => sameShape(shape, keep.shape))), () => {
    return `${where}: expected keep f32 ${keeps.map(printShape).join(', ')}, got ${keep!.dtype} ${printShape(keep!.shape)}.`;
  });
  expectShape(`${where}: lengths`, lengths, [batch], 'i32');
  for (const value of perUnit) expectShape(`${where}: value of the units`, value, [units]);
  const keepVariable = sequences + perUnit.length;
  const stateVariable = keepVariable + (keep ? 1 : 0);
  const variables = stateVariable + states;
  expect(variables + states <= mostVariables, () => {
    return `${where}: at most ${mostVariables} sequences, values and states are possible, got ${variables + states}.`;
  });
  return { time, batch, units, sequences, perUnit: perUnit.length, keepVariable, stateVariable, variables };
}

/** How many sequences lie side by side. @throws {MnemeError} `invalid-shape` where that is no whole number */
export function sequencesOf(where: string, input: Specification | undefined, units: number): number {
  expectDtype(`${where}: input`, input, 'f32');
  const columns = input.shape[2] ?? 0;
  expect(input.shape.length === 3 && units >= 1 && columns % units === 0, () => {
    return `${where}: expected sequences [time, batch, n·${units}] side by side, got ${printShape(input.shape)}.`;
  });
  return columns / units;
}

/** The results of expression code are at most 32, of which the gradient has one for each but keep. */
const mostVariables = 32;

/** The new states. Simplified, which makes expressions of plain copies too, as programs have them. */
export const stepExpressions = (attributes: object): readonly Expression[] =>
  simplifyAll(recurrenceAttributes(attributes).expressions);

/** Gradients of the sequences, of the values of the units and of the old states, given those of the new states. */
export function gradientExpressions(inputs: Inputs, attributes: object): readonly Expression[] {
  const sizes = elementwiseRecurrenceSizes('elementwiseRecurrenceGradient', inputs, attributes);
  const { sequences, perUnit, stateVariable, variables } = sizes;
  const results = stepExpressions(attributes);
  const gradientOf = (by: number): Expression =>
    results.reduce(
      (sum, result, index) => sum.add(variable(variables + index).mul(differentiate(result, by))),
      constant(0),
    );
  const plain = Array.from({ length: sequences + perUnit }, (_, index) => gradientOf(index));
  const old = results.map((_, index) => gradientOf(stateVariable + index));
  return simplifyAll([...plain, ...old]);
}

/** How many steps each row lives. @throws {MnemeError} `out-of-range` where that is not possible, or grows */
export function lengthsOf(
  where: string,
  lengths: ReferenceOperand | undefined,
  { time, batch }: RecurrenceSizes,
): ArrayLike<number> {
  const rows = lengths?.data ?? new Float64Array(batch).fill(time);
  expectLengths(where, rows, time);
  for (let row = 1; row < rows.length; row++) {
    if (rows[row]! > rows[row - 1]!) {
      throw new MnemeError('out-of-range', `${where}: row ${row} is longer than the one before; sort them first.`);
    }
  }
  return rows;
}

/** Fills in what the expressions read of one lane at one step, but for states and their gradients. */
export function readStep(
  to: readonly Float64Array[],
  inputs: readonly (ReferenceOperand | undefined)[],
  perUnit: readonly (ReferenceOperand | undefined)[],
  { batch, units, sequences, keepVariable }: RecurrenceSizes,
  { t, row, unit }: { readonly t: number; readonly row: number; readonly unit: number },
): void {
  const [input, , , keep] = inputs;
  const place = t * batch + row;
  for (let index = 0; index < sequences; index++) {
    to[index]![0] = input!.data[(place * sequences + index) * units + unit]!;
  }
  for (const [index, value] of perUnit.entries()) to[sequences + index]![0] = value!.data[unit]!;
  if (!keep) return;
  const keepPlace = [0, place, place * units + unit][keep.shape.length - 1]!;
  to[keepVariable]![0] = keep.data[keepPlace]!;
}
