/** What `recurrentGradient` computes, step by step backwards. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import { expectIds } from './operand.js';
import { matrix, multiply } from './product.js';
import { activationFunction, cellOf, recurrentAttributes, recurrentSizes } from './recurrent-operands.js';

export function recurrentGradientReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = recurrentAttributes(attributes);
  const sizes = recurrentSizes('recurrentGradient', inputs, settings);
  const { time, batch, inputs: width, units, gates, ids } = sizes;
  const [input, kernel, recurrentKernel, , , initialHidden, initialCell, y, tape, dy, dFinalHidden, dFinalCell] =
    inputs;
  const [dInput, dKernel, dRecurrentKernel, dBias, dRecurrentBias, dInitialHidden, dInitialCell] = outputs;
  if (ids) expectIds('recurrentGradient: input', input!.data, width);
  const cell = cellOf(settings);
  const functions = {
    gate: activationFunction(settings.gateActivation),
    activation: activationFunction(settings.activation),
  };
  const state = batch * units;
  const step = (data: Float64Array, t: number, size: number) => data.subarray(t * size, (t + 1) * size);
  const zeros = new Float64Array(state);
  const states = gates === 4 ? tape!.data.subarray(time * state * cell.kept) : new Float64Array(time * state);

  for (const result of [dInput, dKernel, dRecurrentKernel, dBias, dRecurrentBias]) result?.data.fill(0);
  const dSums = new Float64Array(time * batch * gates * units);
  let dHidden = dFinalHidden?.data.slice() ?? new Float64Array(state);
  let dCell = dFinalCell?.data.slice() ?? new Float64Array(state);
  for (let t = time - 1; t >= 0; t--) {
    const dNextHidden = dHidden.map((value, index) => value + (dy?.data[t * state + index] ?? 0));
    const dNextCell = dCell;
    dHidden = new Float64Array(state);
    dCell = new Float64Array(state);
    cell.backward({
      ...functions,
      batch,
      units,
      hidden: t > 0 ? step(y!.data, t - 1, state) : (initialHidden?.data ?? zeros),
      cell: t > 0 ? step(states, t - 1, state) : (initialCell?.data ?? zeros),
      nextCell: step(states, t, state),
      recurrentKernel: recurrentKernel!.data,
      kept: step(tape!.data, t, state * cell.kept),
      dNextHidden,
      dNextCell,
      dInput: step(dSums, t, state * gates),
      dHidden,
      dCell,
      dRecurrentKernel: dRecurrentKernel!.data,
      dRecurrentBias: dRecurrentBias?.data,
    });
  }
  dInitialHidden?.data.set(dHidden);
  dInitialCell?.data.set(dCell);
  inputProductBackward({ input: input!, kernel: kernel!, dSums, dInput, dKernel: dKernel!, dBias });
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
