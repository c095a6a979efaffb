/** What `recurrent` computes, step by step. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import { expectIds } from './operand.js';
import { matrix, multiply } from './product.js';
import {
  activationFunction,
  cellOf,
  type Operands,
  type RecurrentSizes,
  recurrentAttributes,
  recurrentSizes,
} from './recurrent-operands.js';

/** The tape holds what the cell kept of each step, `[T, B, kept·units]`, then for an LSTM its states c, `[T, B, units]`. */
export function recurrentReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = recurrentAttributes(attributes);
  const sizes = recurrentSizes('recurrent', inputs, settings);
  const { time, batch, units, gates } = sizes;
  const [input, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell] =
    inputs as Operands<ReferenceOperand>;
  const [output, finalHidden, finalCell, tape] = outputs;
  const cell = cellOf(settings);
  const functions = {
    gate: activationFunction(settings.gateActivation),
    activation: activationFunction(settings.activation),
  };
  const state = batch * units;
  const kept = new Float64Array(time * state * cell.kept);
  const states = new Float64Array(time * state);
  let hidden: Float64Array = initialHidden?.data.slice() ?? new Float64Array(state);
  let before: Float64Array = initialCell?.data.slice() ?? new Float64Array(state);
  for (let t = 0; t < time; t++) {
    const nextHidden = output!.data.subarray(t * state, (t + 1) * state);
    const nextCell = states.subarray(t * state, (t + 1) * state);
    cell.forward({
      ...functions,
      batch,
      units,
      input: inputProduct(input!, kernel!.data, bias?.data, sizes, t),
      hidden,
      cell: before,
      recurrentKernel: recurrentKernel!.data,
      recurrentBias: recurrentBias?.data,
      kept: kept.subarray(t * state * cell.kept, (t + 1) * state * cell.kept),
      nextHidden,
      nextCell,
    });
    [hidden, before] = [nextHidden, nextCell];
  }
  finalHidden?.data.set(hidden);
  finalCell?.data.set(before);
  tape?.data.set(kept);
  if (gates === 4) tape?.data.set(states, kept.length);
}

/** x·W + b of one step, `[batch, gates·units]`; for ids a row of W each. */
function inputProduct(
  input: ReferenceOperand,
  kernel: Float64Array,
  bias: Float64Array | undefined,
  { batch, inputs, units, gates, ids }: RecurrentSizes,
  t: number,
): Float64Array {
  const width = gates * units;
  const result = new Float64Array(batch * width);
  for (let row = 0; row < batch && bias; row++) result.set(bias, row * width);
  if (!ids) {
    const x = matrix(input.data, inputs, { offset: t * batch * inputs });
    multiply(x, matrix(kernel, width), matrix(result, width), { m: batch, k: inputs, n: width });
    return result;
  }
  if (t === 0) expectIds('recurrent: input', input.data, inputs);
  for (let row = 0; row < batch; row++) {
    const id = input.data[t * batch + row]!;
    for (let column = 0; column < width; column++) result[row * width + column]! += kernel[id * width + column]!;
  }
  return result;
}
