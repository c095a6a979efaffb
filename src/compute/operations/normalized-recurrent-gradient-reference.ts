/** Backward through `normalizedRecurrent`, row by row, from its products and cell states. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import {
  type Group,
  lengthsOfRows,
  type NormalizedOperands,
  normalizedAttributes,
  normalizedSizes,
} from './normalized-recurrent-operands.js';
import { type NormalizedRow, normalizedRow, normalizedTerms } from './normalized-recurrent-reference.js';
import { matrix, multiply } from './product.js';
import { activationFunctions } from './recurrent-operands.js';

export function normalizedRecurrentGradientReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = normalizedAttributes(attributes);
  const { cell, epsilon } = settings;
  const sizes = normalizedSizes('normalizedRecurrentGradient', inputs, settings);
  const { time, batch, units, gates, groups } = sizes;
  const [input, recurrentKernel, ...rest] = inputs.slice(0, 11) as unknown as NormalizedOperands<ReferenceOperand>;
  const [inputGain, recurrentGain, , , cellGain, cellBias, initialHidden, initialCell, lengths] = rest;
  const [y, products, , cells, , dy, dFinalHidden, dFinalCell] = inputs.slice(11);
  const [dInput, dProducts, dInputGain, dRecurrentGain, dBias, dRecurrentBias, dCellGain, dCellBias] = outputs;
  for (const sum of outputs.slice(2, 8)) sum?.data.fill(0);
  const width = gates * units;
  const { gate, candidate: activation, output: show } = activationFunctions(settings);
  const dHidden = dFinalHidden?.data.slice() ?? new Float64Array(batch * units);
  const dCell = dFinalCell?.data.slice() ?? new Float64Array(batch * units);
  const lengthOf = lengthsOfRows('normalizedRecurrentGradient', sizes, lengths);
  const zeros = new Float64Array(units);
  const before = (first: ReferenceOperand | undefined, later: ReferenceOperand | undefined, index: number) => {
    if (index >= batch) return later!.data.subarray((index - batch) * units, (index - batch + 1) * units);
    return first?.data.subarray(index * units, (index + 1) * units) ?? zeros;
  };
  for (let index = time * batch - 1; index >= 0; index--) {
    const row = index % batch;
    if (index >= lengthOf[row]! * batch) {
      dInput!.data.fill(0, index * width, (index + 1) * width);
      dProducts?.data.fill(0, index * width, (index + 1) * width);
      continue;
    }
    const x = input!.data.slice(index * width, (index + 1) * width);
    const product = products!.data.slice(index * width, (index + 1) * width);
    const { fromInput, fromState, ofInput, ofProduct } = normalizedTerms(x, product, rest, groups, epsilon);
    const sums = fromInput.map((sum, column) => sum + fromState[column]!);
    // Of what comes from the input and from the state; they differ only in the candidate of a GRU.
    const d = new Float64Array(width);
    const dState = new Float64Array(width);
    const dh = dHidden.subarray(row * units, (row + 1) * units);
    const dc = dCell.subarray(row * units, (row + 1) * units);
    for (let unit = 0; unit < units; unit++) dh[unit]! += dy?.data[index * units + unit] ?? 0;
    const hiddenBefore = before(initialHidden, y, index);
    const straightOn = new Float64Array(units);
    if (cell === 'lstm') {
      const state = cells!.data.subarray(index * units, (index + 1) * units);
      const whole = [{ first: 0, columns: units }];
      const normal = normalizedRow(state, whole, epsilon);
      const shown = state.map((_, unit) => cellGain!.data[unit]! * normal.values[unit]! + (cellBias?.data[unit] ?? 0));
      const dShown = shown.map((z, unit) => dh[unit]! * gate.value(sums[3 * units + unit]!) * show.derivative(z));
      const through = normalizationBackward(dShown, cellGain!, normal, whole, [dCellGain, dCellBias]);
      const cellBefore = before(initialCell, cells, index);
      for (let unit = 0; unit < units; unit++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((place) => sums[place * units + unit]!) as [
          number,
          number,
          number,
          number,
        ];
        const flow = dc[unit]! + through[unit]!;
        d[unit] = flow * activation.value(g) * gate.derivative(i);
        d[units + unit] = flow * cellBefore[unit]! * gate.derivative(f);
        d[2 * units + unit] = flow * gate.value(i) * activation.derivative(g);
        d[3 * units + unit] = dh[unit]! * show.value(shown[unit]!) * gate.derivative(o);
        dc[unit] = flow * gate.value(f);
      }
      dState.set(d);
    } else if (cell === 'gru') {
      for (let unit = 0; unit < units; unit++) {
        const [r, z] = [sums[unit]!, sums[units + unit]!];
        const candidate = 2 * units + unit;
        const sum = fromInput[candidate]! + gate.value(r) * fromState[candidate]!;
        const dn = dh[unit]! * (1 - gate.value(z)) * activation.derivative(sum);
        d[unit] = dn * fromState[candidate]! * gate.derivative(r);
        d[units + unit] = dh[unit]! * (hiddenBefore[unit]! - activation.value(sum)) * gate.derivative(z);
        d[candidate] = dn;
        straightOn[unit] = dh[unit]! * gate.value(z);
      }
      dState.set(d);
      for (let unit = 0; unit < units; unit++) dState[2 * units + unit]! *= gate.value(sums[unit]!);
    } else {
      for (let unit = 0; unit < units; unit++) dState[unit] = dh[unit]! * activation.derivative(sums[unit]!);
    }
    const biases = cell === 'simple' ? dBias : dRecurrentBias;
    const dProduct = normalizationBackward(dState, recurrentGain!, ofProduct, groups, [dRecurrentGain, biases]);
    const dx = ofInput ? normalizationBackward(d, inputGain!, ofInput, groups, [dInputGain, dBias]) : dProduct;
    dInput!.data.set(dx, index * width);
    dProducts?.data.set(dProduct, index * width);
    dh.set(straightOn);
    const transposed = matrix(recurrentKernel!.data, width, { transpose: true });
    multiply(matrix(dProduct, width), transposed, matrix(dh, units), { m: 1, k: width, n: units });
  }
  outputs[8]?.data.set(dHidden);
  outputs[9]?.data.set(dCell);
}

/** From the gradient of gain·N(v) + bias to that of v; adds to those of gain and bias. */
function normalizationBackward(
  gradient: Float64Array,
  gain: ReferenceOperand,
  { values, moments }: NormalizedRow,
  groups: readonly Group[],
  [dGain, dBias]: readonly (ReferenceOperand | undefined)[],
): Float64Array {
  const d = gradient.map((flow, column) => flow * gain.data[column]!);
  for (const [column, flow] of gradient.entries()) {
    if (dGain) dGain.data[column]! += flow * values[column]!;
    if (dBias) dBias.data[column]! += flow;
  }
  for (const [group, { first, columns }] of groups.entries()) {
    const end = first + columns;
    let [mean, slope] = [0, 0];
    for (let column = first; column < end; column++) {
      mean += d[column]! / columns;
      slope += (d[column]! * values[column]!) / columns;
    }
    for (let column = first; column < end; column++) {
      d[column] = moments[2 * group + 1]! * (d[column]! - mean - values[column]! * slope);
    }
  }
  return d;
}
