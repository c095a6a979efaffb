/** What `recurrentGradient` computes, step by step backwards. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import { expectIds } from './operand.js';
import { matrix, multiply } from './product.js';
import {
  activationFunctions,
  cellOf,
  type Operands,
  operandCount,
  type RecurrentSizes,
  recurrentAttributes,
  recurrentSizes,
} from './recurrent-operands.js';
import { clearKept, fed, keepAt, splitGradient } from './recurrent-states.js';
import { tapeOf } from './recurrent-tape.js';

export function recurrentGradientReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = recurrentAttributes(attributes);
  const sizes = recurrentSizes('recurrentGradient', inputs, settings);
  const { time, batch, inputs: width, units, hiddenSize, gates, ids } = sizes;
  const [input, kernel, recurrentKernel, , , initialHidden, initialCell, ...options] =
    inputs as unknown as Operands<ReferenceOperand>;
  const [peephole, projection, recurrentMask, hiddenKeep, cellKeep] = options;
  const [y, tape, dy, dFinalHidden, dFinalCell] = inputs.slice(operandCount);
  const [dInput, dKernel, dRecurrentKernel, dBias, dRecurrentBias, dInitialHidden, dInitialCell, ...more] = outputs;
  const [dPeephole, dProjection] = more;
  if (ids) expectIds('recurrentGradient: input', input!.data, width);
  const cell = cellOf(settings);
  const functions = activationFunctions(settings);
  const [hiddenState, cellState] = [batch * hiddenSize, batch * units];
  const stepOf = (data: Float64Array, t: number, size: number) => data.subarray(t * size, (t + 1) * size);
  const steps = tapeOf(sizes, cell, tape!.data);

  for (const result of [dInput, dKernel, dRecurrentKernel, dBias, dRecurrentBias, dPeephole, dProjection]) {
    result?.data.fill(0);
  }
  const dSums = new Float64Array(time * batch * gates * units);
  let dHidden = dFinalHidden?.data.slice() ?? new Float64Array(hiddenState);
  let dCell = dFinalCell?.data.slice() ?? new Float64Array(cellState);
  for (let t = time - 1; t >= 0; t--) {
    const step = steps(t);
    clearKept(cell, sizes, { hidden: hiddenKeep, ofCell: cellKeep }, t, step);
    const dNext = dHidden.map((value, index) => value + (dy?.data[t * hiddenState + index] ?? 0));
    const [dCandidate, dOldHidden] = splitGradient(keepAt(hiddenKeep, { batch, columns: hiddenSize }, t), dNext);
    const [dNextCell, dOldCell] = splitGradient(keepAt(cellKeep, { batch, columns: units }, t), dCell);
    const hidden = t > 0 ? stepOf(y!.data, t - 1, hiddenState) : (initialHidden?.data ?? new Float64Array(hiddenState));
    const dFed = new Float64Array(hiddenState);
    dHidden = new Float64Array(hiddenState);
    dCell = new Float64Array(cellState);
    cell.backward({
      ...functions,
      ...{ batch, units, hiddenSize, hidden },
      fed: fed(hidden, recurrentMask),
      cell: t > 0 ? steps(t - 1).cell : (initialCell?.data ?? new Float64Array(cellState)),
      nextCell: step.nextCell,
      recurrentKernel: recurrentKernel!.data,
      peephole: peephole?.data,
      kept: step.kept,
      dNextHidden: projection
        ? projectionBackward(dCandidate, step.unprojected, projection.data, dProjection?.data, sizes)
        : dCandidate,
      dNextCell,
      dInput: stepOf(dSums, t, cellState * gates),
      dHidden,
      dFed,
      dCell,
      dRecurrentKernel: dRecurrentKernel!.data,
      dRecurrentBias: dRecurrentBias?.data,
      dPeephole: dPeephole?.data,
    });
    const direct = dHidden;
    const throughProducts = fed(dFed, recurrentMask);
    dHidden = direct.map((value, place) => value + dOldHidden[place]! + throughProducts[place]!);
    dCell = dCell.map((value, place) => value + dOldCell[place]!);
  }
  dInitialHidden?.data.set(dHidden);
  dInitialCell?.data.set(dCell);
  inputProductBackward({ input: input!, kernel: kernel!, dSums, dInput, dKernel: dKernel!, dBias });
}

/** Backward through h·R of one step: gives the gradient of h, adds to that of R. */
function projectionBackward(
  dProjected: Float64Array,
  unprojected: Float64Array,
  projection: Float64Array,
  dProjection: Float64Array | undefined,
  { batch, units, hiddenSize }: RecurrentSizes,
): Float64Array {
  const result = new Float64Array(batch * units);
  const gradient = matrix(dProjected, hiddenSize);
  multiply(gradient, matrix(projection, hiddenSize, { transpose: true }), matrix(result, units), {
    m: batch,
    k: hiddenSize,
    n: units,
  });
  if (dProjection) {
    multiply(matrix(unprojected, units, { transpose: true }), gradient, matrix(dProjection, hiddenSize), {
      m: units,
      k: batch,
      n: hiddenSize,
    });
  }
  return result;
}

/** Backward through x·W + b of all steps at once. */
function inputProductBackward({
  input,
  kernel,
  dSums,
  dInput,
  dKernel,
  dBias,
}: {
  readonly input: ReferenceOperand;
  readonly kernel: ReferenceOperand;
  /** `[T·B, gates·units]` */
  readonly dSums: Float64Array;
  readonly dInput: ReferenceOperand | undefined;
  readonly dKernel: ReferenceOperand;
  readonly dBias: ReferenceOperand | undefined;
}): void {
  const [inputs, width] = kernel.shape as [number, number];
  const rows = dSums.length / width;
  const sums = matrix(dSums, width);
  if (dBias) for (const [index, value] of dSums.entries()) dBias.data[index % width]! += value;
  if (input.dtype === 'i32') {
    for (const [row, id] of input.data.entries()) {
      for (let column = 0; column < width; column++) {
        dKernel.data[id * width + column]! += dSums[row * width + column]!;
      }
    }
    return;
  }
  const transposed = matrix(input.data, inputs, { transpose: true });
  multiply(transposed, sums, matrix(dKernel.data, width), { m: inputs, k: rows, n: width });
  if (!dInput) return;
  const kernelTransposed = matrix(kernel.data, width, { transpose: true });
  multiply(sums, kernelTransposed, matrix(dInput.data, inputs), { m: rows, k: width, n: inputs });
}
