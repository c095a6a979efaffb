/** `recurrent`: a simple RNN, LSTM or GRU over whole sequences, time-major. The cells are written down in `cells/`. */

import { MnemeError } from '../../errors.js';
import { type Expression, variable } from '../expression.js';
import { makeNode, type Operation, type Value } from '../graph.js';
import { matmul } from './matmul.js';
import { f32, rowsOf, trafficOf } from './operand.js';
import { recurrentGradientOperation } from './recurrent-gradient.js';
import { recurrentOfRows } from './recurrent-lengths.js';
import {
  type CellKind,
  canFailByRows,
  type RecurrentAttributes,
  recurrentAttributes,
  recurrentFlops,
  recurrentSizes,
  recurrentWords,
  tapeLength,
} from './recurrent-operands.js';

/** An activation: the number by which kernels know it (0: by its expression), and the expression. */
export interface CellActivation {
  readonly kind: 0 | 1 | 2 | 3 | 4 | 5;
  readonly expression: (x: Expression) => Expression;
}

export interface RecurrentOptions {
  readonly cell: CellKind;
  /** `[T, B, I]` f32, or ids `[T, B]` i32 that stand for one-hot vectors; those of a `oneHot` are taken by themselves. */
  readonly input: Value;
  /** `[I, gates·units]` */
  readonly kernel: Value;
  /** `[H, gates·units]`, H being what the hidden state has of columns: the units, or what they are projected to. */
  readonly recurrentKernel: Value;
  /** `[gates·units]` */
  readonly bias?: Value | undefined;
  /** `[gates·units]`, on the recurrent product: GRU with `resetAfter` only. */
  readonly recurrentBias?: Value | undefined;
  /** `[B, H]`; zeros if absent. */
  readonly initialHidden?: Value | undefined;
  /** `[B, units]`, LSTM only; zeros if absent. */
  readonly initialCell?: Value | undefined;
  /** `[gates - 1, units]`, LSTM only: weights of c in the sums of i, of f (where it is not coupled) and of o. */
  readonly peephole?: Value | undefined;
  /** `[units, H]`, LSTM only: what o·output(c) is multiplied by. */
  readonly projection?: Value | undefined;
  /** `[B, H]`: what the hidden state is multiplied by before the recurrent product, the same in all steps. No gradient. */
  readonly recurrentMask?: Value | undefined;
  /**
   * What share of the old hidden state (LSTM: and of the old cell state) stays: `[1]`, `[T, B]` or an element for each of
   * the states of all steps, 0 to 1. Where it is exactly 1 it does not matter what the cell computes there. No gradient.
   */
  readonly hiddenKeep?: Value | undefined;
  readonly cellKeep?: Value | undefined;
  /** LSTM: the forget gate is 1 - i, and the gates are i, g, o. Default false. */
  readonly coupled?: boolean | undefined;
  /** LSTM: c stays within ± this number, with gradient 0 where it does not by itself. Default 0: none. */
  readonly cellClip?: number | undefined;
  /** GRU: the reset gate acts on the recurrent product, not on what goes into it. Default false. */
  readonly resetAfter?: boolean | undefined;
  readonly gateActivation: CellActivation;
  readonly activation: CellActivation;
  /** LSTM: what c goes through on its way out. Default: `activation`. */
  readonly outputActivation?: CellActivation | undefined;
  /**
   * `[B]` i32, from 0 to T and not growing from row to row, others fail the step with `out-of-range`: each row ends after
   * so many steps. Behind its end its output is zero and its input is not looked at; its final states are those at its end.
   * Without lengths all rows have T steps. `sortRows` and `permuteRows` put rows in this order and back.
   */
  readonly lengths?: Value | undefined;
  /** Gradients can be taken. */
  readonly training: boolean;
}

export interface RecurrentResult {
  /** `[T, B, H]` */
  readonly output: Value;
  /** `[B, H]`, after the last step of each row. */
  readonly finalHidden: Value;
  /** LSTM only. */
  readonly finalCell?: Value;
}

/**
 * Runs a cell over a sequence. Gate order: LSTM i, f, g, o (coupled: i, g, o); GRU r, z, n.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const { output, finalHidden } = recurrent({ cell: 'gru', input, kernel, recurrentKernel, bias, gateActivation, activation, training });
 */
export function recurrent(options: RecurrentOptions): RecurrentResult {
  const { cell, resetAfter = false, coupled = false, cellClip = 0, training } = options;
  const { gateActivation, activation, outputActivation = activation } = options;
  const { recurrentKernel, bias, recurrentBias, initialHidden, initialCell } = options;
  const { peephole, projection, recurrentMask, hiddenKeep, cellKeep, lengths } = options;
  const build = ({ kind, expression }: CellActivation) => ({ kind, expression: expression(variable(0)) });
  const attributes: RecurrentAttributes & { readonly training: boolean } = {
    cell,
    resetAfter,
    coupled,
    cellClip,
    gateActivation: build(gateActivation),
    candidateActivation: build(activation),
    outputActivation: build(outputActivation),
    training,
  };
  const narrow = withoutExpansion(options);
  const states = [initialHidden, initialCell, peephole, projection, recurrentMask, hiddenKeep, cellKeep];
  const inputs = [...narrow, recurrentKernel, bias, recurrentBias, ...states, lengths];
  const [output, finalHidden, finalCell] = makeNode(recurrentOperation, inputs, { ...attributes }).outputs;
  return { output: output!, finalHidden: finalHidden!, ...(finalCell ? { finalCell } : {}) };
}

export const recurrentOperation: Operation = {
  name: 'recurrent',
  shape: (inputs, attributes) => {
    const settings = recurrentAttributes(attributes);
    const sizes = recurrentSizes('recurrent', inputs, settings);
    const { time, batch, units, hiddenSize } = sizes;
    return [
      f32([time, batch, hiddenSize]),
      f32([batch, hiddenSize]),
      settings.cell === 'lstm' ? f32([batch, units]) : undefined,
      attributes.training ? f32([tapeLength(sizes, settings)]) : undefined,
    ];
  },
  gradient: (node, [dy, dFinalHidden, dFinalCell], wanted) => {
    const [output, , , tape] = node.outputs;
    if (!tape) {
      throw new MnemeError('invalid-argument', 'recurrent: gradients need a graph that was built for training.');
    }
    const { training, ...attributes } = node.attributes;
    const inputs = [...node.inputs, output, tape, dy, dFinalHidden, dFinalCell];
    const results = makeNode(recurrentGradientOperation, inputs, attributes).outputs;
    return node.inputs.map((_, index) => (wanted[index] ? results[index] : undefined));
  },
  reference: recurrentOfRows,
  words: ({ attributes }) => recurrentWords(attributes),
  cost: (node) => {
    const sizes = recurrentSizes('recurrent', node.inputs, recurrentAttributes(node.attributes));
    return { flops: recurrentFlops(sizes), bytes: trafficOf(node) };
  },
  canFail: canFailByRows,
  optionalOutputs: [1, 2, 3],
};

/**
 * Input and kernel that give the same products with less to do. Of a one-hot input, its ids. For training, of an
 * embedding of no more rows than the sequence has, its ids too, and as kernel the product of the table and the kernel,
 * whose rows are what the embedded ids would give one by one. (That rounds otherwise: for inference it would make
 * results depend on how many rows are computed at once.)
 */
function withoutExpansion({ input, kernel, training }: RecurrentOptions): [input: Value, kernel: Value] {
  const { operation, inputs } = input.node;
  const [ids, table] = inputs;
  if (operation?.name === 'oneHot' && ids) return [ids, kernel];
  if (training && operation?.name === 'embedding' && ids && table && rowsOf(table) <= rowsOf(input)) {
    return [ids, matmul(table, kernel)];
  }
  return [input, kernel];
}
