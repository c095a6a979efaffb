/** What `recurrent` and `recurrentGradient` have in common: attributes, shapes and words. */
import { differentiate, type Expression, encode, floatBits, scalarFunction } from '../expression.js';
import type { Node, Specification } from '../graph.js';
import { printShape, sameShape } from '../tensor.js';
import type { ActivationFunction, Cell, StepFunctions } from './cells/cell.js';
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

export interface CellActivations {
  readonly gateActivation: BuiltActivation;
  readonly candidateActivation: BuiltActivation;
  readonly outputActivation: BuiltActivation;
}

export interface RecurrentAttributes extends CellActivations {
  readonly cell: CellKind;
  readonly resetAfter: boolean;
  readonly coupled: boolean;
  /** 0: the cell state is not clipped. */
  readonly cellClip: number;
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
  peephole: T | undefined,
  projection: T | undefined,
  recurrentMask: T | undefined,
  hiddenKeep: T | undefined,
  cellKeep: T | undefined,
  lengths: T | undefined,
];
/** How many operands these are: those of the gradient follow. */
export const operandCount = 13;

export interface RecurrentSizes {
  readonly time: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
  /** Columns of the hidden state: the units, or what they are projected to. */
  readonly hiddenSize: number;
  readonly gates: number;
  /** Whether the input is ids, of which each stands for a one-hot vector. */
  readonly ids: boolean;
  readonly projected: boolean;
  readonly masked: boolean;
  readonly hiddenKept: boolean;
  readonly cellKept: boolean;
}

/** @throws {MnemeError} `invalid-shape` unless all operands fit together */
export function recurrentSizes(
  where: string,
  inputs: readonly (Specification | undefined)[],
  settings: RecurrentAttributes,
): RecurrentSizes {
  const [input, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell, ...options] =
    inputs as Operands<Specification>;
  const [peephole, projection, recurrentMask, hiddenKeep, cellKeep, lengths] = options;
  expectDtype(`${where}: kernel`, kernel, 'f32');
  expectDtype(`${where}: recurrent kernel`, recurrentKernel, 'f32');
  expect(input !== undefined, () => `${where}: there is no input.`);
  const ids = input.dtype === 'i32';
  expect(input.shape.length === (ids ? 2 : 3), () => {
    return `${where}: expected an input [time, batch, features] f32 or [time, batch] i32, got ${input.dtype} ${printShape(input.shape)}.`;
  });
  const { cell, resetAfter } = settings;
  const { gates } = cellOf(settings);
  const [time, batch, features] = input.shape as [number, number, number?];
  const hiddenSize = recurrentKernel.shape[0]!;
  const units = projection?.shape[0] ?? hiddenSize;
  const width = features ?? kernel.shape[0]!;
  expectShape(`${where}: recurrent kernel`, recurrentKernel, [hiddenSize, gates * units]);
  expectShape(`${where}: kernel`, kernel, [width, gates * units]);
  expectShape(`${where}: bias`, bias, [gates * units]);
  expectShape(`${where}: recurrent bias`, recurrentBias, [gates * units]);
  expectShape(`${where}: initial hidden state`, initialHidden, [batch, hiddenSize]);
  expectShape(`${where}: initial cell state`, initialCell, [batch, units]);
  expectShape(`${where}: peephole weights`, peephole, [gates - 1, units]);
  expectShape(`${where}: projection`, projection, [units, hiddenSize]);
  expectShape(`${where}: recurrent mask`, recurrentMask, [batch, hiddenSize]);
  expectKeep(`${where}: share of the hidden state to keep`, hiddenKeep, [time, batch, hiddenSize]);
  expectKeep(`${where}: share of the cell state to keep`, cellKeep, [time, batch, units]);
  expectShape(`${where}: lengths`, lengths, [batch], 'i32');
  expect(!recurrentBias || (cell === 'gru' && resetAfter), () => {
    return `${where}: only a GRU whose reset gate acts after the product has a recurrent bias.`;
  });
  const ofCell = initialCell || cellKeep || settings.cellClip !== 0;
  expect(!ofCell || cell === 'lstm', () => `${where}: only an LSTM has a cell state.`);
  expect(!(peephole || projection || settings.coupled) || cell === 'lstm', () => {
    return `${where}: only an LSTM has peepholes, a projection or coupled gates.`;
  });
  const given = { projected: !!projection, masked: !!recurrentMask, hiddenKept: !!hiddenKeep, cellKept: !!cellKeep };
  return { time, batch, inputs: width, units, hiddenSize, gates, ids, ...given };
}

/** A number for all, one for each step and row, or one for each element of the states of all steps. */
function expectKeep(where: string, keep: Specification | undefined, states: readonly [number, number, number]): void {
  if (!keep) return;
  const shapes = [[1], states.slice(0, 2), states];
  expect(keep.dtype === 'f32' && shapes.some((shape) => sameShape(shape, keep.shape)), () => {
    return `${where}: expected f32 ${shapes.map(printShape).join(' or ')}, got ${keep.dtype} ${printShape(keep.shape)}.`;
  });
}

/** Elements of what forward keeps for backward; see docs/architecture.md. */
export function tapeLength(
  {
    time,
    batch,
    units,
    hiddenSize,
    projected,
    masked,
    hiddenKept,
    cellKept,
  }: Omit<RecurrentSizes, 'inputs' | 'gates' | 'ids'>,
  { cell }: Pick<RecurrentAttributes, 'cell'>,
): number {
  const rows = time * batch;
  const panels = Math.ceil(units / (cell === 'simple' ? 64 : 16));
  const candidates = { simple: hiddenKept, lstm: cellKept, gru: false }[cell];
  const states = (cell === 'lstm' ? 2 : 0) + Number(candidates) + Number(projected);
  const inSixteens = (count: number) => 16 * Math.ceil(count / 16);
  return panels * rows * 64 + states * inSixteens(rows * units) + (masked ? inSixteens(rows * hiddenSize) : 0);
}

export function cellOf({ cell, resetAfter, coupled, cellClip }: CellSettings): Cell {
  return { simple, lstm: lstm({ coupled, cellClip }), gru: gru({ resetAfter }) }[cell];
}
type CellSettings = Pick<RecurrentAttributes, 'cell' | 'resetAfter' | 'coupled' | 'cellClip'>;

export function recurrentWords(attributes: object): number[] {
  const { cell, resetAfter, coupled, cellClip, ...activations } = recurrentAttributes(attributes);
  return [
    { simple: 0, lstm: 1, gru: 2 }[cell],
    Number(cell === 'gru' && resetAfter) + 2 * Number(coupled),
    floatBits(cellClip),
    ...activationWords(activations.gateActivation),
    ...activationWords(activations.candidateActivation),
    ...activationWords(activations.outputActivation),
  ];
}

/** Ids may lie outside of the kernel's rows, and lengths outside of the steps. */
export const canFailByRows = ({ inputs }: Node): boolean =>
  inputs[0]?.dtype === 'i32' || inputs[operandCount - 1] !== undefined;

/** Multiplications and additions of the products of one pass, and about ten operations a gate. */
export function recurrentFlops({
  time,
  batch,
  inputs,
  units,
  hiddenSize,
  gates,
  ids,
  projected,
}: RecurrentSizes): number {
  const gateProducts = gates * units * (2 * hiddenSize + (ids ? 0 : 2 * inputs) + 10);
  return time * batch * (gateProducts + (projected ? 2 * units * hiddenSize : 0));
}

export const activationFunctions = (attributes: CellActivations): StepFunctions => ({
  gate: activationFunction(attributes.gateActivation),
  candidate: activationFunction(attributes.candidateActivation),
  output: activationFunction(attributes.outputActivation),
});

const activationFunction = ({ expression }: BuiltActivation): ActivationFunction => ({
  value: scalarFunction(expression),
  derivative: scalarFunction(differentiate(expression, 0)),
});

export function activationWords({ kind, expression }: BuiltActivation): number[] {
  const code = encode([expression, differentiate(expression, 0)], 1);
  return [kind, code.length, ...code];
}
