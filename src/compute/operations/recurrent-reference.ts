/** What `recurrent` computes, step by step. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import { expectIds } from './operand.js';
import { matrix, multiply } from './product.js';
import {
  activationFunctions,
  cellOf,
  type Operands,
  type RecurrentSizes,
  recurrentAttributes,
  recurrentSizes,
} from './recurrent-operands.js';
import { fed, keepAt, keepStates } from './recurrent-states.js';
import { tapeOf } from './recurrent-tape.js';

export function recurrentReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = recurrentAttributes(attributes);
  const sizes = recurrentSizes('recurrent', inputs, settings);
  const { time, batch, units, hiddenSize } = sizes;
  const [input, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell, ...options] =
    inputs as Operands<ReferenceOperand>;
  const [peephole, projection, recurrentMask, hiddenKeep, cellKeep] = options;
  const [output, finalHidden, finalCell, tape] = outputs;
  const cell = cellOf(settings);
  const functions = activationFunctions(settings);
  const steps = tapeOf(sizes, cell, tape?.data);
  let hidden: Float64Array = initialHidden?.data.slice() ?? new Float64Array(batch * hiddenSize);
  let before: Float64Array = initialCell?.data.slice() ?? new Float64Array(batch * units);
  for (let t = 0; t < time; t++) {
    const { kept, cell: cellStates, nextCell, unprojected } = steps(t);
    cell.forward({
      ...functions,
      ...{ batch, units, hiddenSize, hidden, cell: before },
      input: inputProduct(input!, kernel!.data, bias?.data, sizes, t),
      fed: fed(hidden, recurrentMask),
      recurrentKernel: recurrentKernel!.data,
      recurrentBias: recurrentBias?.data,
      peephole: peephole?.data,
      kept,
      nextHidden: unprojected,
      nextCell,
    });
    const candidates = projection ? projected(unprojected, projection.data, sizes) : unprojected;
    hidden = keepStates(keepAt(hiddenKeep, { batch, columns: hiddenSize }, t), hidden, candidates);
    output!.data.set(hidden, t * batch * hiddenSize);
    cellStates.set(keepStates(keepAt(cellKeep, { batch, columns: units }, t), before, nextCell));
    before = cellStates;
  }
  finalHidden?.data.set(hidden);
  finalCell?.data.set(before);
}

function projected(
  hidden: Float64Array,
  projection: Float64Array,
  { batch, units, hiddenSize }: RecurrentSizes,
): Float64Array {
  const result = new Float64Array(batch * hiddenSize);
  multiply(matrix(hidden, units), matrix(projection, hiddenSize), matrix(result, hiddenSize), {
    m: batch,
    k: units,
    n: hiddenSize,
  });
  return result;
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
