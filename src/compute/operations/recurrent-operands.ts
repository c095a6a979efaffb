/** What `recurrent` and `recurrentGradient` have in common: attributes, shapes and words. */
import { differentiate, type Expression, encode, scalarFunction } from '../expression.js';
import type { Specification } from '../graph.js';
import { printShape } from '../tensor.js';
import type { ActivationFunction, Cell } from './cells/cell.js';
import { gru } from './cells/gru.js';
import { lstm } from './cells/lstm.js';
import { simple } from './cells/simple.js';
import { expect, expectDtype, expectShape } from './operand.js';

/** An activation with a number that a kernel may know (0 for any other), and what it computes of variable 0. */
export interface BuiltActivation {
  readonly kind: number;
  readonly expression: Expression;
}

export type CellKind = 'simple' | 'lstm' | 'gru';

export interface RecurrentAttributes {
  readonly cell: CellKind;
  readonly resetAfter: boolean;
  readonly gateActivation: BuiltActivation;
  readonly activation: BuiltActivation;
}

export const recurrentAttributes = (attributes: object) => attributes as RecurrentAttributes;

/** The operands both operations begin with, in this order. */
export type Operands<T> = readonly [
  input: T | undefined,
  kernel: T | undefined,
  recurrentKernel: T | undefined,
  bias: T | undefined,
  recurrentBias: T | undefined,
  initialHidden: T | undefined,
  initialCell: T | undefined,
];

export interface RecurrentSizes {
  readonly time: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
  readonly gates: number;
  /** Whether the input is ids, of which each stands for a one-hot vector. */
  readonly ids: boolean;
}

/** @throws {MnemeError} `invalid-shape` unless all operands fit together */
export function recurrentSizes(
  where: string,
  inputs: readonly (Specification | undefined)[],
  { cell, resetAfter }: RecurrentAttributes,
): RecurrentSizes {
  const [input, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell] =
    inputs as Operands<Specification>;
  expectDtype(`${where}: kernel`, kernel, 'f32');
  expectDtype(`${where}: recurrent kernel`, recurrentKernel, 'f32');
  expect(input !== undefined, () => `${where}: there is no input.`);
  const ids = input.dtype === 'i32';
  expect(input.shape.length === (ids ? 2 : 3), () => {
    return `${where}: expected an input [time, batch, features] f32 or [time, batch] i32, got ${input.dtype} ${printShape(input.shape)}.`;
  });
  const { gates } = cellOf({ cell, resetAfter });
  const [time, batch, features] = input.shape as [number, number, number?];
  const units = recurrentKernel.shape[0]!;
  const width = features ?? kernel.shape[0]!;
  expectShape(`${where}: recurrent kernel`, recurrentKernel, [units, gates * units]);
  expectShape(`${where}: kernel`, kernel, [width, gates * units]);
  expectShape(`${where}: bias`, bias, [gates * units]);
  expectShape(`${where}: recurrent bias`, recurrentBias, [gates * units]);
  expectShape(`${where}: initial hidden state`, initialHidden, [batch, units]);
  expectShape(`${where}: initial cell state`, initialCell, [batch, units]);
  expect(!recurrentBias || (cell === 'gru' && resetAfter), () => {
    return `${where}: only a GRU whose reset gate acts after the product has a recurrent bias.`;
  });
  expect(!initialCell || cell === 'lstm', () => `${where}: only an LSTM has a cell state.`);
  return { time, batch, inputs: width, units, gates, ids };
}

/** Elements of what forward keeps for backward; see docs/architecture.md. */
export function tapeLength({ time, batch, units }: RecurrentSizes, { cell }: RecurrentAttributes): number {
  const panels = Math.ceil(units / (cell === 'simple' ? 64 : 16));
  const states = cell === 'lstm' ? 2 * 16 * Math.ceil((time * batch * units) / 16) : 0;
  return panels * time * batch * 64 + states;
}

export function cellOf({ cell, resetAfter }: Pick<RecurrentAttributes, 'cell' | 'resetAfter'>): Cell {
  return { simple, lstm, gru: gru({ resetAfter }) }[cell];
}

export function recurrentWords(attributes: object): number[] {
  const { cell, resetAfter, gateActivation, activation } = recurrentAttributes(attributes);
  return [
    { simple: 0, lstm: 1, gru: 2 }[cell],
    Number(resetAfter),
    ...activationWords(gateActivation),
    ...activationWords(activation),
  ];
}

/** Multiplications and additions of the products of one pass, and about ten operations a gate. */
export function recurrentFlops({ time, batch, inputs, units, gates, ids }: RecurrentSizes): number {
  return time * batch * gates * units * (2 * units + (ids ? 0 : 2 * inputs) + 10);
}

export const activationFunction = ({ expression }: BuiltActivation): ActivationFunction => ({
  value: scalarFunction(expression),
  derivative: scalarFunction(differentiate(expression, 0)),
});

function activationWords({ kind, expression }: BuiltActivation): number[] {
  const code = encode([expression, differentiate(expression, 0)], 1);
  return [kind, code.length, ...code];
}
