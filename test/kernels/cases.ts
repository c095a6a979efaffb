/** Arguments for the fused cells, and what the reference makes of them in double precision. */

import { variable } from '../../src/compute/expression.js';
import type { ReferenceOperand } from '../../src/compute/graph.js';
import { operations } from '../../src/compute/operations/index.js';
import type { CellKind } from '../../src/compute/operations/recurrent-operands.js';
import { tapeLength } from '../../src/kernels/index.js';

export const extents = { time: 5, batch: 3, inputs: 7, units: 18 };
const { time, batch, inputs, units } = extents;
const gatesOf = { simple: 1, lstm: 4, gru: 3 } as const;

/** Numbers in (-scale, scale), the same in every run. */
export function numbers(count: number, seed: number, scale = 0.5): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}

export interface Case {
  readonly cell: CellKind;
  readonly resetAfter: boolean;
}

/** Every array that this cell can take. */
export function argumentsOf({ cell, resetAfter }: Case) {
  const width = gatesOf[cell] * units;
  const lstm = cell === 'lstm';
  const shared = {
    ...extents,
    input: numbers(time * batch * inputs, 1, 1),
    kernel: numbers(inputs * width, 2),
    recurrentKernel: numbers(units * width, 3),
    bias: numbers(width, 4),
    ...(resetAfter ? { resetAfter, recurrentBias: numbers(width, 5) } : {}),
    initialHidden: numbers(batch * units, 6),
    ...(lstm ? { initialCell: numbers(batch * units, 7) } : {}),
  };
  const results = {
    output: new Float32Array(time * batch * units),
    finalHidden: new Float32Array(batch * units),
    ...(lstm ? { finalCell: new Float32Array(batch * units) } : {}),
    tape: new Float32Array(tapeLength(cell, extents)),
  };
  const gradients = {
    dOutput: numbers(time * batch * units, 8),
    dFinalHidden: numbers(batch * units, 9),
    ...(lstm ? { dFinalCell: numbers(batch * units, 10) } : {}),
  };
  const filled = {
    dInput: new Float32Array(time * batch * inputs),
    dKernel: new Float32Array(inputs * width),
    dRecurrentKernel: new Float32Array(units * width),
    dBias: new Float32Array(width),
    ...(resetAfter ? { dRecurrentBias: new Float32Array(width) } : {}),
    dInitialHidden: new Float32Array(batch * units),
    ...(lstm ? { dInitialCell: new Float32Array(batch * units) } : {}),
  };
  return { shared, results, gradients, filled };
}

type Arrays = Readonly<Record<string, unknown>>;

/** What forward and backward fill, by name. */
export function reference({ cell, resetAfter }: Case, { shared, gradients }: ReturnType<typeof argumentsOf>) {
  const width = gatesOf[cell] * units;
  const shapes: Record<string, readonly number[]> = {
    input: [time, batch, inputs],
    kernel: [inputs, width],
    recurrentKernel: [units, width],
    bias: [width],
    recurrentBias: [width],
    initialHidden: [batch, units],
    initialCell: [batch, units],
    output: [time, batch, units],
    finalHidden: [batch, units],
    finalCell: [batch, units],
    tape: [tapeLength(cell, extents)],
  };
  const operand = (name: string, data: Float64Array): ReferenceOperand => {
    const shape = shapes[name] ?? shapes[`${name[1]!.toLowerCase()}${name.slice(2)}`]!; // dKernel is as kernel
    return { dtype: 'f32', shape, data };
  };
  const taken = (names: readonly string[], arrays: Arrays) =>
    names.map((name) => (arrays[name] ? operand(name, Float64Array.from(arrays[name] as Float32Array)) : undefined));
  const empty = (names: readonly string[], wanted: Arrays) =>
    names.map((name) => {
      if (!wanted[name]) return undefined;
      return operand(name, new Float64Array((wanted[name] as Float32Array).length));
    });
  const attributes = {
    cell,
    resetAfter,
    coupled: false,
    cellClip: 0,
    gateActivation: { kind: 1, expression: variable(0).sigmoid() },
    candidateActivation: { kind: 2, expression: variable(0).tanh() },
    outputActivation: { kind: 2, expression: variable(0).tanh() },
    training: true,
  };
  const { results, filled } = argumentsOf({ cell, resetAfter });
  const firstInputs = ['input', 'kernel', 'recurrentKernel', 'bias', 'recurrentBias', 'initialHidden', 'initialCell'];
  // Then peepholes, projection, mask, shares to keep and lengths, which these functions do not take.
  const given = [...taken(firstInputs, shared), ...Array.from({ length: 6 }, () => undefined)];
  const forwardNames = ['output', 'finalHidden', 'finalCell', 'tape'];
  const forward = empty(forwardNames, results);
  operations.get('recurrent')!.reference({ inputs: given, outputs: forward, attributes });
  const backwardNames = firstInputs.map((name) => `d${name[0]!.toUpperCase()}${name.slice(1)}`);
  const backward = empty(backwardNames, filled);
  operations.get('recurrentGradient')!.reference({
    inputs: [...given, forward[0], forward[3], ...taken(['dOutput', 'dFinalHidden', 'dFinalCell'], gradients)],
    outputs: backward,
    attributes,
  });
  const answers = new Map<string, Float64Array>();
  for (const [index, name] of forwardNames.entries())
    if (forward[index] && name !== 'tape') answers.set(name, forward[index].data);
  for (const [index, name] of backwardNames.entries()) if (backward[index]) answers.set(name, backward[index].data);
  return answers;
}
