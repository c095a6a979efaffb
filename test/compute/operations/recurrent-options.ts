/** The options of the fused cells as the tests draw them, with operands for each. */
import fc from 'fast-check';
import type { Expression } from '../../../src/compute/expression.js';
import type { Value } from '../../../src/compute/graph.js';
import { type RecurrentOptions, recurrent } from '../../../src/compute/operations/index.js';
import { uniforms } from '../../../src/compute/random.js';
import { elementCount, type Shape, type Tensor, tensor } from '../../../src/compute/tensor.js';

export const cells = [
  { name: 'simple RNN', cell: 'simple', resetAfter: false },
  { name: 'LSTM', cell: 'lstm', resetAfter: false },
  { name: 'GRU, reset before the product', cell: 'gru', resetAfter: false },
  { name: 'GRU, reset after the product', cell: 'gru', resetAfter: true },
] as const;
export type CellKind = (typeof cells)[number];

/** How large the share of the old state is: a number for all, for each step and row, or for each element. */
export type KeepKind = 'none' | 'number' | 'rows' | 'elements';

export interface CellOptions {
  readonly peepholes: boolean;
  readonly coupled: boolean;
  readonly clipped: boolean;
  readonly projected: boolean;
  readonly masked: boolean;
  readonly hiddenKeep: KeepKind;
  readonly cellKeep: KeepKind;
  readonly states: boolean;
  /** By expressions, or those that kernels know. */
  readonly activations: 'usual' | 'own output' | 'own';
}

export const plain: CellOptions = {
  peepholes: false,
  coupled: false,
  clipped: false,
  projected: false,
  masked: false,
  hiddenKeep: 'none',
  cellKeep: 'none',
  states: true,
  activations: 'usual',
};

/** Every option by itself, as what it changes. */
export const changes: readonly (readonly [name: string, change: Partial<CellOptions>])[] = [
  ['peepholes', { peepholes: true }],
  ['coupled gates', { coupled: true }],
  ['a clipped cell', { clipped: true }],
  ['a projection', { projected: true }],
  ['a mask', { masked: true }],
  ['a number of the hidden state kept', { hiddenKeep: 'number' }],
  ['rows of the hidden state kept', { hiddenKeep: 'rows' }],
  ['elements of the hidden state kept', { hiddenKeep: 'elements' }],
  ['rows of the cell state kept', { cellKeep: 'rows' }],
  ['elements of the cell state kept', { cellKeep: 'elements' }],
  ['no initial states', { states: false }],
  ['an output activation of its own', { activations: 'own output' }],
  ['activations of its own', { activations: 'own' }],
];
/** What only an LSTM has. */
export const ofLstm = (change: Partial<CellOptions>): boolean =>
  ['peepholes', 'coupled', 'clipped', 'projected', 'cellKeep'].some((name) => name in change) ||
  change.activations === 'own output';

const keepKind = fc.constantFrom<KeepKind>('none', 'number', 'rows', 'elements');
/** All combinations for that cell. */
export const drawnOptions = ({ cell }: CellKind): fc.Arbitrary<CellOptions> => {
  const lstmOnly = cell === 'lstm' ? fc.boolean() : fc.constant(false);
  return fc.record({
    ...{ peepholes: lstmOnly, coupled: lstmOnly, clipped: lstmOnly, projected: lstmOnly },
    ...{ masked: fc.boolean(), hiddenKeep: keepKind, states: fc.boolean() },
    cellKeep: cell === 'lstm' ? keepKind : fc.constant<KeepKind>('none'),
    activations: fc.constantFrom('usual', 'own output', 'own'),
  });
};

export interface CellSizes {
  readonly time: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
}

export const gatesOf = ({ cell }: CellKind, { coupled }: CellOptions): number =>
  cell === 'lstm' ? (coupled ? 3 : 4) : cell === 'gru' ? 3 : 1;

/** Those that have gradients, and those that have none. */
export function operandsOf(
  kind: CellKind,
  options: CellOptions,
  { time, batch, inputs, units }: CellSizes,
): { readonly varied: Record<string, Tensor>; readonly fixed: Record<string, Tensor> } {
  const gates = gatesOf(kind, options);
  const hidden = options.projected ? Math.ceil(units / 2) : units;
  const [width, lstm] = [gates * units, kind.cell === 'lstm'];
  const varied = {
    input: between([time, batch, inputs], 1),
    kernel: between([inputs, width], 2, 1 / Math.sqrt(inputs)),
    recurrentKernel: between([hidden, width], 3, 1 / Math.sqrt(hidden)),
    bias: between([width], 4, 0.5),
    ...(kind.resetAfter ? { recurrentBias: between([width], 5, 0.5) } : {}),
    ...(options.states ? { initialHidden: between([batch, hidden], 6) } : {}),
    ...(options.states && lstm ? { initialCell: between([batch, units], 7) } : {}),
    ...(options.peepholes ? { peephole: between([gates - 1, units], 8) } : {}),
    ...(options.projected ? { projection: between([units, hidden], 9, 1.5 / Math.sqrt(units)) } : {}),
  };
  const mask = between([batch, hidden], 10);
  const fixed = {
    ...(options.masked ? { recurrentMask: { ...mask, data: mask.data.map((x) => (x < 0 ? 0 : 1.5)) } } : {}),
    ...keepOperand('hiddenKeep', options.hiddenKeep, [time, batch, hidden], 11),
    ...keepOperand('cellKeep', options.cellKeep, [time, batch, units], 12),
  };
  return { varied, fixed };
}

/** Shares of which a quarter is 0 and a quarter 1. */
function keepOperand(name: string, kind: KeepKind, states: Shape, purpose: number): Record<string, Tensor> {
  if (kind === 'none') return {};
  if (kind === 'number') return { [name]: tensor(Float32Array.of(0.25), [1]) };
  const drawn = between(kind === 'rows' ? states.slice(0, 2) : states, purpose, 1);
  const data = drawn.data.map((x) => (x > 0.5 ? 1 : x < -0.5 ? 0 : x + 0.5));
  return { [name]: { ...drawn, data } };
}

/** Numbers evenly between -scale and scale. */
const between = (shape: Shape, purpose: number, scale = 1): Tensor =>
  tensor(
    uniforms(elementCount(shape), { seed: 25, purpose }).map((x) => scale * (2 * x - 1)),
    shape,
  );

const activations = {
  sigmoid: { kind: 1, expression: (x: Expression) => x.sigmoid() },
  tanh: { kind: 2, expression: (x: Expression) => x.tanh() },
  softsign: { kind: 5, expression: (x: Expression) => x.div(x.abs().add(1)) },
  own: { kind: 0, expression: (x: Expression) => x.mul(0.7).tanh().mul(1.2) },
  ownGate: { kind: 0, expression: (x: Expression) => x.mul(0.8).sigmoid() },
} as const;

export function cellOf(kind: CellKind, options: CellOptions, values: Readonly<Record<string, Value>>) {
  const own = options.activations === 'own';
  return recurrent({
    ...(values as unknown as Pick<RecurrentOptions, 'input' | 'kernel' | 'recurrentKernel'>),
    ...{ cell: kind.cell, resetAfter: kind.resetAfter, coupled: options.coupled, training: true },
    cellClip: options.clipped ? 0.4 : 0,
    gateActivation: own ? activations.ownGate : activations.sigmoid,
    activation: own ? activations.own : activations.tanh,
    ...(options.activations === 'own output' ? { outputActivation: activations.softsign } : {}),
  });
}
