/** What `normalizedRecurrent` and `normalizedRecurrentGradient` have in common: attributes, shapes and words. */
import { floatBits } from '../expression.js';
import type { ReferenceOperand, Specification } from '../graph.js';
import { printShape } from '../tensor.js';
import { expectFallingLengths } from './lengths.js';
import { expect, expectDtype, expectShape } from './operand.js';
import { activationWords, type CellActivations, type CellKind } from './recurrent-operands.js';

export interface NormalizedAttributes extends CellActivations {
  readonly cell: CellKind;
  readonly epsilon: number;
  /** Each gate is normalised by itself, not those together that the paper takes together. */
  readonly separate: boolean;
}

export const normalizedAttributes = (attributes: object) => attributes as NormalizedAttributes;

/** The operands both operations begin with, in this order. */
export type NormalizedOperands<T> = readonly [
  input: T | undefined,
  recurrentKernel: T | undefined,
  inputGain: T | undefined,
  recurrentGain: T | undefined,
  bias: T | undefined,
  recurrentBias: T | undefined,
  cellGain: T | undefined,
  cellBias: T | undefined,
  initialHidden: T | undefined,
  initialCell: T | undefined,
  lengths: T | undefined,
];

/** Neighbouring columns of a row that are normalised together. */
export interface Group {
  readonly first: number;
  readonly columns: number;
}

export interface NormalizedSizes {
  readonly time: number;
  readonly batch: number;
  readonly units: number;
  readonly gates: number;
  readonly groups: readonly Group[];
  /** Means and reciprocal deviations of a row at one step. */
  readonly moments: number;
}

/** @throws {MnemeError} `invalid-shape` unless all operands fit together */
export function normalizedSizes(
  where: string,
  inputs: readonly (Specification | undefined)[],
  { cell, separate }: NormalizedAttributes,
): NormalizedSizes {
  const [
    input,
    recurrentKernel,
    inputGain,
    recurrentGain,
    bias,
    recurrentBias,
    cellGain,
    cellBias,
    hidden,
    initialCell,
    lengths,
  ] = inputs as NormalizedOperands<Specification>;
  expectDtype(`${where}: input products`, input, 'f32');
  expectDtype(`${where}: recurrent kernel`, recurrentKernel, 'f32');
  expectDtype(`${where}: recurrent gain`, recurrentGain, 'f32');
  expect(input.shape.length === 3, () => {
    return `${where}: expected input products [time, batch, gates·units], got ${printShape(input.shape)}.`;
  });
  const gates = { simple: 1, lstm: 4, gru: 3 }[cell];
  const [time, batch] = input.shape as [number, number];
  const units = recurrentKernel.shape[0]!;
  const width = gates * units;
  expectShape(`${where}: input products`, input, [time, batch, width]);
  expectShape(`${where}: recurrent kernel`, recurrentKernel, [units, width]);
  for (const [name, gain] of Object.entries({ 'input gain': inputGain, 'recurrent gain': recurrentGain, bias })) {
    expectShape(`${where}: ${name}`, gain, [width]);
  }
  expectShape(`${where}: recurrent bias`, recurrentBias, [width]);
  expectShape(`${where}: cell gain`, cellGain, [units]);
  expectShape(`${where}: cell bias`, cellBias, [units]);
  expectShape(`${where}: initial hidden state`, hidden, [batch, units]);
  expectShape(`${where}: initial cell state`, initialCell, [batch, units]);
  expectShape(`${where}: lengths`, lengths, [batch], 'i32');
  expect((inputGain === undefined) === (cell === 'simple'), () => {
    return `${where}: LSTM and GRU have a gain of the input products, the simple RNN normalises their sum with the recurrent ones.`;
  });
  expect(!recurrentBias || cell === 'gru', () => `${where}: only a GRU has a recurrent bias.`);
  expect((cellGain !== undefined) === (cell === 'lstm') && (!cellBias || cell === 'lstm'), () => {
    return `${where}: an LSTM, and no other cell, has a gain of its cell state.`;
  });
  expect(!initialCell || cell === 'lstm', () => `${where}: only an LSTM has a cell state.`);
  const gatesOfGroups = separate
    ? Array.from({ length: gates }, () => 1)
    : { simple: [1], lstm: [4], gru: [2, 1] }[cell];
  let first = 0;
  const groups = gatesOfGroups.map((count) => {
    const group = { first, columns: count * units };
    first += group.columns;
    return group;
  });
  const moments = 2 * (groups.length * (cell === 'simple' ? 1 : 2) + (cell === 'lstm' ? 1 : 0));
  return { time, batch, units, gates, groups, moments };
}

/** The length of each row. @throws {MnemeError} `out-of-range` unless they lie in 0 to `time` and never grow from row to row */
export function lengthsOfRows(
  where: string,
  { time, batch }: NormalizedSizes,
  lengths: ReferenceOperand | undefined,
): readonly number[] {
  if (!lengths) return Array.from({ length: batch }, () => time);
  expectFallingLengths(where, lengths.data, time);
  return [...lengths.data];
}

export function normalizedWords(attributes: object): number[] {
  const { cell, epsilon, separate, gateActivation, candidateActivation, outputActivation } =
    normalizedAttributes(attributes);
  return [
    { simple: 0, lstm: 1, gru: 2 }[cell],
    floatBits(epsilon),
    Number(separate),
    ...[gateActivation, candidateActivation, outputActivation].flatMap(activationWords),
  ];
}

/** Multiplications and additions of the recurrent products, and about forty operations a gate. */
export const normalizedFlops = ({ time, batch, units, gates }: NormalizedSizes): number =>
  time * batch * gates * units * (2 * units + 40);
