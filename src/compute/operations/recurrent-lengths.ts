/**
 * What `recurrent` and `recurrentGradient` compute of rows of unequal lengths: what each gives alone. Behind the end of a
 * row results are zero and operands are not looked at; a row without steps hands its states on.
 */
import type { ReferenceCall, ReferenceOperand } from '../graph.js';
import { elementCount } from '../tensor.js';
import { expectFallingLengths } from './lengths.js';
import { expectIds, f32 } from './operand.js';
import { recurrentGradientReference } from './recurrent-gradient-reference.js';
import { operandCount, recurrentAttributes, recurrentSizes, tapeLength } from './recurrent-operands.js';
import { recurrentReference } from './recurrent-reference.js';

type Operand = ReferenceOperand | undefined;

/** What belongs to one row of an operand: its steps of `[T, B, ...]`, its row of `[B, ...]`, or all of it. */
type Part = 'steps' | 'row' | 'all';

/** In the order of the operands of `recurrent`, without the lengths. */
const partsOfInputs: readonly Part[] = [
  ...(['steps', 'all', 'all', 'all', 'all', 'row', 'row'] as const),
  ...(['all', 'all', 'row', 'steps', 'steps'] as const),
];

export function recurrentOfRows(call: ReferenceCall): void {
  const rows = rowsOf('recurrent', call);
  if (!rows) recurrentReference(call);
  const { outputs, attributes } = call;
  for (const { row, length, inputs } of rows ?? []) {
    const own = emptyPartsOf(outputs.slice(0, 3), ['steps', 'row', 'row'], row, length);
    if (length > 0) recurrentReference({ inputs, outputs: own, attributes });
    for (const [index, state] of [own[1], own[2]].entries()) {
      const initial = inputs[5 + index];
      if (length === 0 && initial) state?.data.set(initial.data);
    }
    for (const [index, part] of (['steps', 'row', 'row'] as const).entries())
      put(own[index], outputs[index], part, row);
  }
}

export function recurrentGradientOfRows(call: ReferenceCall): void {
  const rows = rowsOf('recurrentGradient', call);
  if (!rows) recurrentGradientReference(call);
  const { outputs, attributes } = call;
  const [, , dy, dFinalHidden, dFinalCell] = call.inputs.slice(operandCount);
  const parts = partsOfInputs.slice(0, outputs.length);
  for (const { row, length, inputs } of rows ?? []) {
    const own = emptyPartsOf(outputs, parts, row, length);
    const [dOutput, ...dFinals] = partsOf([dy, dFinalHidden, dFinalCell], ['steps', 'row', 'row'], row, length);
    if (length > 0) {
      const forward = keptOf(inputs, attributes);
      recurrentGradientReference({ inputs: [...inputs, ...forward, dOutput, ...dFinals], outputs: own, attributes });
    }
    for (const [index, dFinal] of dFinals.entries()) if (length === 0 && dFinal) own[5 + index]?.data.set(dFinal.data);
    for (const [index, part] of parts.entries()) put(own[index], outputs[index], part, row);
  }
}

interface Row {
  readonly row: number;
  readonly length: number;
  /** Of that row alone, as those of `recurrent`. */
  readonly inputs: readonly Operand[];
}

/** All rows, with the results set to zero; undefined where there are no lengths. */
function rowsOf(where: string, { inputs, outputs }: ReferenceCall): Row[] | undefined {
  const lengths = inputs[operandCount - 1];
  if (!lengths) return undefined;
  const input = inputs[0]!;
  const [time, batch] = input.shape as [number, number];
  expectFallingLengths(where, lengths.data, time);
  if (input.dtype === 'i32') {
    const living = input.data.map((id, index) => (Math.floor(index / batch) < lengths.data[index % batch]! ? id : 0));
    expectIds(`${where}: input`, living, inputs[1]!.shape[0]!);
  }
  for (const output of outputs) output?.data.fill(0);
  return Array.from(lengths.data, (length, row) => {
    const own = partsOf(inputs.slice(0, operandCount - 1), partsOfInputs, row, length);
    return { row, length, inputs: [...own, undefined] };
  });
}

/** The output and the tape of a row, computed once more: those of all rows do not lie on the tape one by one. */
function keptOf(inputs: readonly Operand[], attributes: ReferenceCall['attributes']): [Operand, Operand] {
  const settings = recurrentAttributes(attributes);
  const sizes = recurrentSizes('recurrentGradient', inputs, settings);
  const empty = (shape: readonly number[]) => ({ ...f32(shape), data: new Float64Array(elementCount(shape)) });
  const output = empty([sizes.time, sizes.batch, sizes.hiddenSize]);
  const tape = empty([tapeLength(sizes, settings)]);
  recurrentReference({ inputs, outputs: [output, undefined, undefined, tape], attributes });
  return [output, tape];
}

function partsOf(operands: readonly Operand[], parts: readonly Part[], row: number, length: number): Operand[] {
  return operands.map((operand, index) => operand && partOf(operand, parts[index]!, row, length));
}

/** For the results of one row. */
function emptyPartsOf(results: readonly Operand[], parts: readonly Part[], row: number, length: number): Operand[] {
  const own = partsOf(results, parts, row, length);
  for (const part of own) part?.data.fill(0);
  return own;
}

/** A copy. A number for all steps belongs to every row. */
function partOf(operand: ReferenceOperand, part: Part, row: number, length: number): ReferenceOperand {
  const { dtype, shape, data } = operand;
  if (part === 'all' || shape.length === 1) return { dtype, shape, data: data.slice() };
  if (part === 'row') {
    const size = elementCount(shape.slice(1));
    return { dtype, shape: [1, ...shape.slice(1)], data: data.slice(row * size, (row + 1) * size) };
  }
  const [, batch, ...rest] = shape as [number, number, ...number[]];
  const size = elementCount(rest);
  const own = new Float64Array(length * size);
  for (let t = 0; t < length; t++) {
    const begin = (t * batch + row) * size;
    own.set(data.subarray(begin, begin + size), t * size);
  }
  return { dtype, shape: [length, 1, ...rest], data: own };
}

/** Puts what belongs to a row where it belongs, or adds it to what the rows before gave. */
function put(own: Operand, to: Operand, part: Part, row: number): void {
  if (!own || !to) return;
  if (part === 'all') {
    for (const [index, value] of own.data.entries()) to.data[index]! += value;
  } else if (part === 'row') {
    to.data.set(own.data, row * own.data.length);
  } else {
    const [length, , ...rest] = own.shape as [number, number, ...number[]];
    const size = elementCount(rest);
    for (let t = 0; t < length; t++) {
      to.data.set(own.data.subarray(t * size, (t + 1) * size), (t * to.shape[1]! + row) * size);
    }
  }
}
