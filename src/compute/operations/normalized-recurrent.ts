/** `normalizedRecurrent`: a simple RNN, LSTM or GRU with layer normalisation over whole sequences, time-major. */
import { MnemeError } from '../../errors.js';
import { variable } from '../expression.js';
import { makeNode, type Operation, reshape, type Value } from '../graph.js';
import type { Shape } from '../tensor.js';
import { filled } from './elementwise.js';
import { map } from './map.js';
import { matmul } from './matmul.js';
import { normalizedRecurrentGradientOperation } from './normalized-recurrent-gradient.js';
import {
  type NormalizedAttributes,
  type NormalizedOperands,
  normalizedAttributes,
  normalizedFlops,
  normalizedSizes,
  normalizedWords,
} from './normalized-recurrent-operands.js';
import { normalizedRecurrentReference } from './normalized-recurrent-reference.js';
import { f32, trafficOf } from './operand.js';
import type { CellActivation, RecurrentResult } from './recurrent.js';
import type { CellKind } from './recurrent-operands.js';
import { slice } from './slice.js';

export interface NormalizedRecurrentOptions {
  readonly cell: CellKind;
  /** The input products x·W, `[T, B, gates·units]`. */
  readonly input: Value;
  /** `[units, gates·units]` */
  readonly recurrentKernel: Value;
  /** `[gates·units]`: LSTM and GRU. */
  readonly inputGain?: Value | undefined;
  /** `[gates·units]` */
  readonly recurrentGain: Value;
  /** `[gates·units]` */
  readonly bias?: Value | undefined;
  /** `[gates·units]`: GRU. */
  readonly recurrentBias?: Value | undefined;
  /** `[units]`: LSTM. */
  readonly cellGain?: Value | undefined;
  /** `[units]`: LSTM. */
  readonly cellBias?: Value | undefined;
  /** `[B, units]`; zeros if absent. */
  readonly initialHidden?: Value | undefined;
  /** `[B, units]`, LSTM only; zeros if absent. */
  readonly initialCell?: Value | undefined;
  /** `[B]` i32, not growing from row to row: steps of each row, what lies behind them is not looked at. Absent: all. */
  readonly lengths?: Value | undefined;
  /** What is added to variances. */
  readonly epsilon: number;
  /** Whether each gate is normalised by itself. Default false: all of an LSTM together, of a GRU r with z, and n. */
  readonly separate?: boolean | undefined;
  readonly gateActivation: CellActivation;
  readonly activation: CellActivation;
  /** What the cell state of an LSTM goes through. Default: `activation`. */
  readonly outputActivation?: CellActivation | undefined;
  /** Gradients can be taken. */
  readonly training: boolean;
}

/**
 * Runs a cell with layer normalisation (Ba, Kiros and Hinton 2016, equation 4 and equations 20 to 26 of the supplement) over a
 * sequence. N(v) = (v − mean) / sqrt(variance + epsilon) over a group of columns of a row; gains and biases element by element.
 *
 *     simple   h' = activation(recurrentGain·N(x + h·U) + bias)
 *     LSTM     s = inputGain·N(x) + recurrentGain·N(h·U) + bias    i, f, o = gate(s)    g = activation(s)
 *              c' = f·c + i·g    h' = o·outputActivation(cellGain·N(c') + cellBias)
 *     GRU      s = inputGain·N(x) + bias    u = recurrentGain·N(h·U) + recurrentBias    r, z = gate(s + u)
 *              n = activation(s + r·u)    h' = (1 − z)·n + z·h
 *
 * A row lives in the steps below its length: behind them outputs are 0, and its final states are those after its own last step.
 * The paper adds one bias more to each normalised product of an LSTM; all of them add up to `bias`.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const { output } = normalizedRecurrent({ cell: 'simple', input: matmul(x, kernel), recurrentKernel, recurrentGain, epsilon: 1e-5, ... });
 */
export function normalizedRecurrent(options: NormalizedRecurrentOptions): RecurrentResult {
  const { cell, epsilon, separate = false, gateActivation, activation, training } = options;
  const { input, recurrentKernel, inputGain, recurrentGain, bias, recurrentBias, cellGain, cellBias } = options;
  const build = ({ kind, expression }: CellActivation) => ({ kind, expression: expression(variable(0)) });
  const attributes: NormalizedAttributes & { readonly training: boolean } = {
    cell,
    epsilon,
    separate,
    gateActivation: build(gateActivation),
    candidateActivation: build(activation),
    outputActivation: build(options.outputActivation ?? activation),
    training,
  };
  const gains = [inputGain, recurrentGain, bias, recurrentBias, cellGain, cellBias];
  const inputs = [input, recurrentKernel, ...gains, options.initialHidden, options.initialCell, options.lengths];
  const [output, finalHidden, finalCell] = makeNode(normalizedRecurrentOperation, inputs, { ...attributes }).outputs;
  return { output: output!, finalHidden: finalHidden!, ...(finalCell ? { finalCell } : {}) };
}

export const normalizedRecurrentOperation: Operation = {
  name: 'normalizedRecurrent',
  shape: (inputs, attributes) => {
    const settings = normalizedAttributes(attributes);
    const { time, batch, units, gates, moments } = normalizedSizes('normalizedRecurrent', inputs, settings);
    const lstm = settings.cell === 'lstm';
    const kept = (columns: number) => (attributes.training ? f32([time, batch, columns]) : undefined);
    return [
      f32([time, batch, units]),
      f32([batch, units]),
      lstm ? f32([batch, units]) : undefined,
      kept(gates * units),
      kept(gates * units),
      lstm ? kept(units) : undefined,
      kept(moments),
    ];
  },
  gradient: (node, [dy, dFinalHidden, dFinalCell], wanted) => {
    const [output, , , ...kept] = node.outputs;
    if (!kept[0]) {
      throw new MnemeError(
        'invalid-argument',
        'normalizedRecurrent: gradients need a graph that was built for training.',
      );
    }
    const { training, ...attributes } = node.attributes;
    const inputs = [...node.inputs, output, ...kept, dy, dFinalHidden, dFinalCell];
    const results = makeNode(normalizedRecurrentGradientOperation, inputs, attributes).outputs;
    const [, recurrentKernel, , , , , , , initialHidden] = node.inputs as NormalizedOperands<Value>;
    const dProducts = (results[1] ?? results[0])!;
    return node.inputs.map((_, index) => {
      if (!wanted[index]) return undefined;
      return index === 1 ? kernelGradient(dProducts, output!, initialHidden, recurrentKernel!.shape) : results[index];
    });
  },
  reference: normalizedRecurrentReference,
  words: ({ attributes }) => normalizedWords(attributes),
  cost: (node) => {
    const sizes = normalizedSizes('normalizedRecurrent', node.inputs, normalizedAttributes(node.attributes));
    return { flops: normalizedFlops(sizes), bytes: trafficOf(node) };
  },
  canFail: (node) => node.inputs[10] !== undefined,
  optionalOutputs: [1, 2],
};

/** Of U in h·U, from the gradient of these products: the sum of hᵀ·gradient over all steps. */
function kernelGradient(dProducts: Value, output: Value, initialHidden: Value | undefined, shape: Shape): Value {
  const [time, batch, width] = dProducts.shape as [number, number, number];
  const terms: Value[] = [];
  if (initialHidden) {
    const first = reshape(slice(dProducts, { axis: 0, start: 0, length: 1 }), [batch, width]);
    terms.push(matmul(initialHidden, first, { transposeA: true }));
  }
  if (time > 1) {
    const before = slice(output, { axis: 0, start: 0, length: time - 1 });
    terms.push(matmul(before, slice(dProducts, { axis: 0, start: 1, length: time - 1 }), { transposeA: true }));
  }
  const [one, two] = terms;
  if (!one) return filled(0, shape);
  return two ? map((a, b) => a.add(b), one, two) : one;
}
