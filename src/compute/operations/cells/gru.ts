/**
 * Gates r, z, n; h' = (1 - z)·n + z·h (Cho et al. 2014). The reset gate acts before the recurrent product of n,
 * n = activation(xn + (r·h)·Un), or after it, n = activation(xn + r·(h·Un + bn)), as in cuDNN and Keras's default.
 */
import { matrix, multiply } from '../product.js';
import { type BackwardStep, type Cell, type ForwardStep, forEachUnit } from './cell.js';

/** The columns of r and z, then those of n. */
const resetAndUpdate = 2;

export const gru = ({ resetAfter }: { readonly resetAfter: boolean }): Cell => ({
  states: 1,
  gates: 3,
  // r, z, the input part of n, the recurrent part of n: all before their activations.
  kept: 4,
  // r of a unit also matters to the others where it acts before the product.
  own: resetAfter ? [0, 1, 2, 3] : [1, 2, 3],
  forward: (step) => {
    const { units, hidden, input, kept, nextHidden, gate, candidate } = step;
    const recurrent = resetAfter ? productAfter(step) : productBefore(step);
    forEachUnit(step, (place, row, unit) => {
      const at = (index: number) => row * 3 * units + index * units + unit;
      const r = input[at(0)]! + recurrent[at(0)]!;
      const z = input[at(1)]! + recurrent[at(1)]!;
      const [nx, nh] = [input[at(2)]!, recurrent[at(2)]!];
      for (const [index, sum] of [r, z, nx, nh].entries()) kept[row * 4 * units + index * units + unit] = sum;
      const n = candidate.value(resetAfter ? nx + gate.value(r) * nh : nx + nh);
      const update = gate.value(z);
      nextHidden[place] = (1 - update) * n + update * hidden[place]!;
    });
  },
  backward: (step) => {
    const { batch, units, hidden, kept, gate, candidate, dNextHidden, dInput, dHidden } = step;
    const width = 3 * units;
    const dRecurrent = new Float64Array(batch * width);
    const keptOf = (row: number, unit: number, index: number) => kept[row * 4 * units + index * units + unit]!;
    forEachUnit(step, (place, row, unit) => {
      const at = (index: number) => row * width + index * units + unit;
      const [r, z, nx, nh] = [0, 1, 2, 3].map((index) => keptOf(row, unit, index)) as [number, number, number, number];
      const sum = resetAfter ? nx + gate.value(r) * nh : nx + nh;
      const dh = dNextHidden[place]!;
      const dn = dh * (1 - gate.value(z)) * candidate.derivative(sum);
      dInput[at(1)] = dh * (hidden[place]! - candidate.value(sum)) * gate.derivative(z);
      dInput[at(2)] = dn;
      dRecurrent[at(2)] = resetAfter ? dn * gate.value(r) : dn;
      if (resetAfter) dInput[at(0)] = dn * nh * gate.derivative(r);
      dHidden[place] = dh * gate.value(z);
    });
    if (!resetAfter) candidateBefore(step, dRecurrent);
    forEachUnit(step, (_, row, unit) => {
      for (let index = 0; index < resetAndUpdate; index++) {
        const at = row * width + index * units + unit;
        dRecurrent[at] = dInput[at]!;
      }
    });
    productBackward(step, dRecurrent, { columns: resetAfter ? 3 : resetAndUpdate });
  },
});

/** h·U + bias for all gates. */
function productAfter({ batch, units, fed, recurrentKernel, recurrentBias }: ForwardStep): Float64Array {
  const width = 3 * units;
  const result = new Float64Array(batch * width);
  for (let row = 0; row < batch && recurrentBias; row++) result.set(recurrentBias, row * width);
  multiply(matrix(fed, units), matrix(recurrentKernel, width), matrix(result, width), {
    m: batch,
    k: units,
    n: width,
  });
  return result;
}

/** h·U for r and z, (r·h)·U for n. */
function productBefore(step: ForwardStep): Float64Array {
  const { batch, units, fed, recurrentKernel, input, gate } = step;
  const width = 3 * units;
  const result = new Float64Array(batch * width);
  const kernel = matrix(recurrentKernel, width);
  multiply(matrix(fed, units), kernel, matrix(result, width), { m: batch, k: units, n: resetAndUpdate * units });
  const resetHidden = new Float64Array(batch * units);
  forEachUnit(step, (place, row, unit) => {
    const at = row * width + unit;
    resetHidden[place] = gate.value(input[at]! + result[at]!) * fed[place]!;
  });
  const offset = resetAndUpdate * units;
  multiply(matrix(resetHidden, units), { ...kernel, offset }, matrix(result, width, { offset }), {
    m: batch,
    k: units,
    n: units,
  });
  return result;
}

/** Backward through (r·h)·Un: fills the r column of dInput, adds to dFed and to Un's gradient. */
function candidateBefore(step: BackwardStep, dRecurrent: Float64Array): void {
  const { batch, units, fed, recurrentKernel, kept, gate, dInput, dFed, dRecurrentKernel } = step;
  const width = 3 * units;
  const offset = resetAndUpdate * units;
  const dCandidate = matrix(dRecurrent, width, { offset });
  const dResetHidden = new Float64Array(batch * units);
  const kernel = matrix(recurrentKernel, width, { transpose: true, offset });
  multiply(dCandidate, kernel, matrix(dResetHidden, units), { m: batch, k: units, n: units });
  const resetHidden = new Float64Array(batch * units);
  forEachUnit(step, (place, row, unit) => {
    const r = kept[row * 4 * units + unit]!;
    resetHidden[place] = gate.value(r) * fed[place]!;
    dInput[row * width + unit] = dResetHidden[place]! * fed[place]! * gate.derivative(r);
    dFed[place]! += dResetHidden[place]! * gate.value(r);
  });
  multiply(matrix(resetHidden, units, { transpose: true }), dCandidate, matrix(dRecurrentKernel, width, { offset }), {
    m: units,
    k: batch,
    n: units,
  });
}

/** Backward through h·U + bias for the first gates. */
function productBackward(
  step: BackwardStep,
  dRecurrent: Float64Array,
  { columns }: { readonly columns: number },
): void {
  const { batch, units, fed, recurrentKernel, dFed, dRecurrentKernel, dRecurrentBias } = step;
  const width = 3 * units;
  const sums = matrix(dRecurrent, width);
  const kernel = matrix(recurrentKernel, width, { transpose: true });
  multiply(sums, kernel, matrix(dFed, units), { m: batch, k: columns * units, n: units });
  const transposed = matrix(fed, units, { transpose: true });
  multiply(transposed, sums, matrix(dRecurrentKernel, width), { m: units, k: batch, n: columns * units });
  for (const [index, value] of dRecurrent.entries()) {
    if (dRecurrentBias) dRecurrentBias[index % width]! += value;
  }
}
