/** What `normalizedRecurrent` computes, row by row. */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import {
  type Group,
  lengthsOfRows,
  type NormalizedOperands,
  normalizedAttributes,
  normalizedSizes,
} from './normalized-recurrent-operands.js';
import { matrix, multiply } from './product.js';
import { activationFunctions } from './recurrent-operands.js';

/** Keeps the recurrent products, the sums the gates are taken of, the cell states and the moments. */
export function normalizedRecurrentReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const settings = normalizedAttributes(attributes);
  const { cell, epsilon } = settings;
  const sizes = normalizedSizes('normalizedRecurrent', inputs, settings);
  const { time, batch, units, gates, groups, moments } = sizes;
  const [input, recurrentKernel, ...rest] = inputs as NormalizedOperands<ReferenceOperand>;
  const [, , , , cellGain, cellBias, initialHidden, initialCell, lengths] = rest;
  const [output, finalHidden, finalCell, products, kept, cells, keptMoments] = outputs;
  const width = gates * units;
  const functions = activationFunctions(settings);
  const [gate, activation, show] = [functions.gate.value, functions.candidate.value, functions.output.value];
  const lengthOf = lengthsOfRows('normalizedRecurrent', sizes, lengths);
  const hidden = initialHidden?.data.slice() ?? new Float64Array(batch * units);
  const cellStates = initialCell?.data.slice() ?? new Float64Array(batch * units);
  for (let index = 0; index < time * batch; index++) {
    const row = index % batch;
    if (index >= lengthOf[row]! * batch) {
      output!.data.fill(0, index * units, (index + 1) * units);
      continue;
    }
    const before = hidden.slice(row * units, (row + 1) * units);
    const cellState = cellStates.subarray(row * units, (row + 1) * units);
    const x = input!.data.slice(index * width, (index + 1) * width);
    const product = cell === 'simple' ? x.slice() : new Float64Array(width);
    multiply(matrix(before, units), matrix(recurrentKernel!.data, width), matrix(product, width), {
      m: 1,
      k: units,
      n: width,
    });
    const { fromInput, fromState, normals } = normalizedTerms(x, product, rest, groups, epsilon);
    const sums = fromInput.map((sum, column) => sum + fromState[column]!);
    const next = hidden.subarray(row * units, (row + 1) * units);
    const all = [...normals];
    for (let unit = 0; unit < units; unit++) {
      const at = (index: number) => index * units + unit;
      if (cell === 'simple') {
        next[unit] = activation(sums[unit]!);
      } else if (cell === 'gru') {
        sums[at(2)] = fromInput[at(2)]! + gate(sums[at(0)]!) * fromState[at(2)]!;
        const z = gate(sums[at(1)]!);
        next[unit] = (1 - z) * activation(sums[at(2)]!) + z * before[unit]!;
      } else {
        cellState[unit] = gate(sums[at(1)]!) * cellState[unit]! + gate(sums[at(0)]!) * activation(sums[at(2)]!);
      }
    }
    if (cell === 'lstm') {
      const normal = normalizedRow(cellState, [{ first: 0, columns: units }], epsilon);
      all.push(normal);
      for (let unit = 0; unit < units; unit++) {
        const shown = show(cellGain!.data[unit]! * normal.values[unit]! + (cellBias?.data[unit] ?? 0));
        next[unit] = gate(sums[3 * units + unit]!) * shown;
      }
    }
    output!.data.set(next, index * units);
    products?.data.set(product, index * width);
    kept?.data.set(sums, index * width);
    cells?.data.set(cellState, index * units);
    keptMoments?.data.set(
      all.flatMap((normal) => normal.moments),
      index * moments,
    );
  }
  finalHidden?.data.set(hidden);
  finalCell?.data.set(cellStates);
}

export interface NormalizedRow {
  readonly values: Float64Array;
  /** Mean and reciprocal deviation of each group. */
  readonly moments: readonly number[];
}

/** (v − mean) / sqrt(variance + epsilon), group by group. */
export function normalizedRow(v: Float64Array, groups: readonly Group[], epsilon: number): NormalizedRow {
  const values = new Float64Array(v.length);
  const moments = groups.flatMap(({ first, columns }) => {
    const part = v.subarray(first, first + columns);
    const mean = part.reduce((sum, x) => sum + x, 0) / columns;
    const variance = part.reduce((sum, x) => sum + (x - mean) ** 2, 0) / columns;
    const reciprocal = 1 / Math.sqrt(variance + epsilon);
    values.set(
      part.map((x) => (x - mean) * reciprocal),
      first,
    );
    return [mean, reciprocal];
  });
  return { values, moments };
}

/** inputGain·N(x) + bias (of a simple RNN the bias alone) and recurrentGain·N(product) + recurrentBias. */
export function normalizedTerms(
  x: Float64Array,
  product: Float64Array,
  [inputGain, recurrentGain, bias, recurrentBias]: readonly (ReferenceOperand | undefined)[],
  groups: readonly Group[],
  epsilon: number,
) {
  const ofProduct = normalizedRow(product, groups, epsilon);
  const ofInput = inputGain && normalizedRow(x, groups, epsilon);
  const number = (operand: ReferenceOperand | undefined, column: number) => operand?.data[column] ?? 0;
  return {
    fromInput: x.map((_, column) => number(inputGain, column) * (ofInput?.values[column] ?? 0) + number(bias, column)),
    fromState: product.map(
      (_, column) => number(recurrentGain, column) * ofProduct.values[column]! + number(recurrentBias, column),
    ),
    ofInput,
    ofProduct,
    normals: ofInput ? [ofInput, ofProduct] : [ofProduct],
  };
}
