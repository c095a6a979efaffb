/** Recurrences that tests of values and of gradients draw from, with all operands they can have. */
import type { Expression } from '../../../src/compute/expression.js';
import type { Value } from '../../../src/compute/graph.js';
import {
  type ElementwiseRecurrenceOptions,
  type ElementwiseRecurrenceResult,
  elementwiseRecurrence,
} from '../../../src/compute/operations/index.js';
import { type Shape, type Tensor, tensor } from '../../../src/compute/tensor.js';

export interface ExampleCell {
  readonly name: string;
  readonly sequences: number;
  readonly perUnit: number;
  readonly states: 1 | 2;
  readonly step: ElementwiseRecurrenceOptions['step'];
}

const own = (x: Expression) => x.div(x.square().add(1).sqrt());

export const exampleCells: readonly ExampleCell[] = [
  {
    name: 'x + h',
    sequences: 1,
    perUnit: 0,
    states: 1,
    step: ({ sequences: [x], states: [h] }) => x!.add(h!.mul(0.5)),
  },
  {
    name: 'an independent unit, tanh(x + u·h)',
    sequences: 1,
    perUnit: 1,
    states: 1,
    step: ({ sequences: [x], perUnit: [u], states: [h] }) => x!.add(u!.mul(h!)).tanh(),
  },
  {
    name: 'a gate, (1 - z)·h + z·x',
    sequences: 2,
    perUnit: 0,
    states: 1,
    step: ({ sequences: [k, x], states: [h] }) => h!.add(k!.sigmoid().mul(x!.sub(h!))),
  },
  {
    name: 'two states that look at each other, three sequences and two values',
    sequences: 3,
    perUnit: 2,
    states: 2,
    step: ({ sequences: [a, b, x], perUnit: [p, q], states: [c, h] }) => {
      const cell = a!.add(p!.mul(h!)).sigmoid().mul(c!).add(own(x!));
      return [cell, b!.add(q!.mul(c!)).sigmoid().mul(cell.tanh()).add(h!.mul(0.1))];
    },
  },
];

export interface ExampleSizes {
  readonly time: number;
  readonly batch: number;
  readonly units: number;
  /** Which operands there are beside the sequences and values. */
  readonly initial: boolean;
  readonly keep: 'none' | 'number' | 'rows' | 'units';
  readonly lengths: boolean;
}

type Noise = (shape: Shape, purpose: number, scale?: number) => Tensor;

/** The operands by name; what is not differentiated separately. */
export function exampleOperands(
  { sequences, perUnit, states }: ExampleCell,
  { time, batch, units, initial, keep, lengths }: ExampleSizes,
  noise: Noise,
): { readonly varied: Record<string, Tensor>; readonly fixed: Record<string, Tensor> } {
  const varied: Record<string, Tensor> = { input: noise([time, batch, sequences * units], 1) };
  for (let index = 0; index < perUnit; index++) varied[`value${index}`] = noise([units], 10 + index, 0.5);
  for (let state = 0; state < states && initial; state++) varied[`initial${state}`] = noise([batch, units], 20 + state);
  const shape = { none: [1], number: [1], rows: [time, batch], units: [time, batch, units] }[keep];
  // A number, or shares of which some are exactly 0 and 1.
  const shares = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => ((index * 7 + 1) % 4) / 3);
  const rows = Int32Array.from({ length: batch }, (_, row) =>
    Math.max(0, time - Math.floor((row * (time + 1)) / batch)),
  );
  return {
    varied,
    fixed: {
      ...(keep === 'none' ? {} : { keep: tensor(shares, shape) }),
      ...(lengths ? { lengths: tensor(rows, [batch]) } : {}),
    },
  };
}

export function buildExample(
  { perUnit, states, step }: ExampleCell,
  units: number,
  { input, keep, lengths, ...others }: Readonly<Record<string, Value>>,
): ElementwiseRecurrenceResult {
  return elementwiseRecurrence({
    input: input!,
    units,
    states,
    perUnit: Array.from({ length: perUnit }, (_, index) => others[`value${index}`]!),
    initialStates: [others.initial0, others.initial1],
    keep,
    lengths,
    step,
  });
}
