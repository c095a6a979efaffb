/** The cells with layer normalisation: worked out by hand, and right on every engine with the same bits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { gradients } from '../../../src/compute/gradients.js';
import type { Value } from '../../../src/compute/graph.js';
import {
  map,
  type NormalizedRecurrentOptions,
  normalizedRecurrent,
  type RecurrentResult,
  reduceSum,
} from '../../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../../src/compute/tensor.js';
import { evaluateGraph } from '../../network/evaluate-graph.js';
import { expectAgreement, forExamples, noise, ofLargest, roundoff } from './agreement.js';
import { cellActivations as activations, identity, sigmoid, tanh } from './cell-activations.js';

const cells = [
  { name: 'simple RNN', cell: 'simple', gates: 1 },
  { name: 'LSTM', cell: 'lstm', gates: 4 },
  { name: 'GRU', cell: 'gru', gates: 3 },
] as const;

interface Drawn {
  readonly time: number;
  readonly batch: number;
  readonly units: number;
  readonly states: boolean;
  readonly biases: boolean;
  readonly separate: boolean;
  readonly unequal: boolean;
  readonly gateActivation: (typeof activations)[number];
  readonly activation: (typeof activations)[number];
  /** Which results the loss uses: bits for output, final hidden state and final cell state. */
  readonly uses: number;
}

const extent = (max: number) => fc.integer({ min: 1, max });
const drawn = fc.record({
  time: extent(7),
  batch: extent(20),
  units: extent(50),
  states: fc.boolean(),
  biases: fc.boolean(),
  separate: fc.boolean(),
  unequal: fc.boolean(),
  gateActivation: fc.constantFrom(...activations.filter(({ kind }) => kind === 1 || kind === 2 || kind === 5)),
  activation: fc.constantFrom(...activations),
  uses: fc.integer({ min: 1, max: 7 }),
});

const around1 = (shape: number[], purpose: number): Tensor => {
  const { data } = noise(shape, purpose, 0.3);
  return tensor(
    Float32Array.from(data as Float32Array, (x) => 1 + x),
    shape,
  );
};

function operandsOf({ gates, cell }: (typeof cells)[number], example: Drawn): Record<string, Tensor> {
  const { time, batch, units, states, biases, unequal } = example;
  const width = gates * units;
  const lstm = cell === 'lstm';
  return {
    input: unequal ? padded(noise([time, batch, width], 1), example) : noise([time, batch, width], 1),
    recurrentKernel: noise([units, width], 3, 0.5 / Math.sqrt(units)),
    recurrentGain: around1([width], 9),
    ...(cell === 'simple' ? {} : { inputGain: around1([width], 8) }),
    ...(lstm ? { cellGain: around1([units], 10) } : {}),
    ...(biases ? { bias: noise([width], 4, 0.5) } : {}),
    ...(biases && cell === 'gru' ? { recurrentBias: noise([width], 5, 0.5) } : {}),
    ...(biases && lstm ? { cellBias: noise([units], 11, 0.5) } : {}),
    ...(states ? { initialHidden: noise([batch, units], 6, 0.5) } : {}),
    ...(states && lstm ? { initialCell: noise([batch, units], 7, 0.5) } : {}),
    ...(unequal ? { lengths: tensor(lengthsOf(example), [batch]) } : {}),
  };
}

/** From all steps down to none. */
const lengthsOf = ({ time, batch }: Pick<Drawn, 'time' | 'batch'>) =>
  Int32Array.from({ length: batch }, (_, row) => Math.round((time * (batch - row)) / batch - 0.5 * (row % 2)))
    .sort()
    .reverse();

/** With NaN where nobody may look. */
function padded({ shape, data }: Tensor, example: Drawn): Tensor {
  const lengths = lengthsOf(example);
  const [, batch, width] = shape as [number, number, number];
  const isPadding = (index: number) =>
    Math.floor(index / (batch * width)) >= lengths[Math.floor(index / width) % batch]!;
  return tensor(
    Float32Array.from(data as Float32Array, (x, index) => (isPadding(index) ? Number.NaN : x)),
    shape,
  );
}

/** Bounds what normalisation multiplies errors by: by at most 1 / sqrt(epsilon), 1.4. */
const epsilon = 0.5;

/**
 * Each step rounds products of `units` terms, means and variances over up to four gates, and some twenty operations an element;
 * its error goes through the steps that follow. Gradients of weights are sums over time and batch of such.
 */
function tolerance({ gates }: (typeof cells)[number], { time, batch, units }: Drawn): number {
  const step = 1.5 * (8 * Math.sqrt(units) + 2 * 8 * Math.sqrt(gates * units) + 24);
  return (step * time + 8 * Math.sqrt(time * batch)) * roundoff;
}

function build(
  kind: (typeof cells)[number],
  example: Drawn,
  values: Readonly<Record<string, Value>>,
  training: boolean,
) {
  return normalizedRecurrent({
    ...(values as unknown as Pick<NormalizedRecurrentOptions, 'input' | 'recurrentKernel' | 'recurrentGain'>),
    cell: kind.cell,
    separate: example.separate,
    epsilon,
    gateActivation: example.gateActivation,
    activation: example.activation,
    training,
  });
}

/** A loss of the results that the example uses. */
function lossOf({ output, finalHidden, finalCell }: RecurrentResult, uses: number): Value {
  const used = [output, finalHidden, finalCell].filter((value, bit) => value && (uses >> bit) & 1);
  const sums = (used.length > 0 ? used : [output]).map((value, index) =>
    reduceSum(value!, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) }),
  );
  return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
}

/** Outputs and all gradients. */
const trained = (kind: (typeof cells)[number], example: Drawn) => {
  const operands = operandsOf(kind, example);
  const wanted = Object.keys(operands).filter((name) => name !== 'lengths');
  return {
    inputs: operands,
    build: (values: Readonly<Record<string, Value>>) => {
      const result = build(kind, example, values, true);
      const derived = gradients(
        lossOf(result, example.uses),
        wanted.map((name) => values[name]!),
      );
      const named = wanted.map((name, index) => [`d_${name}`, derived[index]!] as const);
      return { output: result.output, ...Object.fromEntries(named) };
    },
    // Errors of forward and of backward add up, and gradients depend on both.
    tolerances: Object.fromEntries(
      ['output', ...wanted.map((name) => `d_${name}`)].map((name) => [name, ofLargest(3 * tolerance(kind, example))]),
    ),
  };
};

describe.each(cells)('normalised $name', (kind) => {
  test('forward, for inference', () =>
    forExamples(drawn, (example) => ({
      inputs: operandsOf(kind, example),
      build: (values) => ({ ...build(kind, example, values, false) }),
      tolerances: {
        output: ofLargest(tolerance(kind, example)),
        finalHidden: ofLargest(tolerance(kind, example)),
        ...(kind.cell === 'lstm' ? { finalCell: ofLargest(tolerance(kind, example)) } : {}),
      },
    })));

  test('forward and backward', () => forExamples(drawn, (example) => trained(kind, example)));

  test.each([
    { time: 1, batch: 1, units: 1 },
    { time: 3, batch: 1, units: 130 },
    { time: 2, batch: 33, units: 64 },
    { time: 4, batch: 16, units: 17 },
  ])('the edges of tiles: $time steps, $batch rows, $units units', (sizes) =>
    expectAgreement(
      trained(kind, {
        ...sizes,
        states: true,
        biases: true,
        separate: false,
        unequal: true,
        gateActivation: sigmoid,
        activation: tanh,
        uses: 7,
      }),
    ),
  );
});

describe('worked out by hand, with activations that let everything through and an epsilon of 9', () => {
  const f32 = (shape: number[], ...values: number[]) => tensor(Float64Array.from(values), shape);
  const outputOf = async (cell: 'simple' | 'lstm' | 'gru', given: Readonly<Record<string, Tensor>>) => {
    const { output } = await evaluateGraph(createReferenceEngine({ precision: 'f64' }), given, (values) => ({
      output: normalizedRecurrent({
        ...(values as unknown as Pick<NormalizedRecurrentOptions, 'input' | 'recurrentKernel' | 'recurrentGain'>),
        cell,
        epsilon: 9,
        gateActivation: identity,
        activation: identity,
        training: false,
      }).output,
    }));
    return [...output!.data];
  };
  const expectNear = (got: readonly number[], want: readonly number[]) => {
    expect(got).toHaveLength(want.length);
    for (const [index, value] of want.entries()) expect(got[index]).toBeCloseTo(value, 12);
  };

  test('simple RNN: the sum of both products is normalised', async () => {
    // 3 and −5 have the mean −1 and the variance 16: ±4 / sqrt(16 + 9).
    const first = [0.8 * 2 + 0.5, -0.8 * 3 + 0.25];
    // Then 0.8 + 2.1 and −0.55 − 2·2.15 have the mean −0.975: ±3.875.
    const second = 3.875 / Math.sqrt(3.875 ** 2 + 9);
    const got = await outputOf('simple', {
      input: f32([2, 1, 2], 3, -5, 0.8, -0.55),
      recurrentKernel: f32([2, 2], 1, 0, 0, 2),
      recurrentGain: f32([2], 2, 3),
      bias: f32([2], 0.5, 0.25),
    });
    expectNear(got, [...first, second * 2 + 0.5, -second * 3 + 0.25]);
  });

  test('LSTM: all gates together, and the cell state before it is shown', async () => {
    // Eight sums ±4 of mean 0: ±0.8. c = 0.8·(±0.8); h = ±0.8·(gain N(c) + bias).
    const normal = 0.64 / Math.sqrt(0.64 ** 2 + 9);
    const got = await outputOf('lstm', {
      input: f32([1, 1, 8], 4, 4, -4, -4, 4, -4, 4, -4),
      recurrentKernel: f32([2, 8], ...Array.from({ length: 16 }, () => 1)),
      inputGain: f32([8], 1, 1, 1, 1, 1, 1, 1, 1),
      recurrentGain: f32([8], 1, 1, 1, 1, 1, 1, 1, 1),
      cellGain: f32([2], 2, 3),
      cellBias: f32([2], 0.5, 0.25),
    });
    expectNear(got, [0.8 * (2 * normal + 0.5), -0.8 * (-3 * normal + 0.25)]);
  });

  test('GRU: reset and update together, the candidate by itself, its recurrent bias behind the reset gate', async () => {
    // r = 0.8, z = −0.8; the candidate alone has no deviation: n = 0.5 + 0.8·2; h = (1 + 0.8)·2.1.
    const got = await outputOf('gru', {
      input: f32([1, 1, 3], 4, -4, 7),
      recurrentKernel: f32([1, 3], 1, 1, 1),
      inputGain: f32([3], 1, 1, 1),
      recurrentGain: f32([3], 1, 1, 1),
      bias: f32([3], 0, 0, 0.5),
      recurrentBias: f32([3], 0, 0, 2),
    });
    expectNear(got, [1.8 * 2.1]);
  });
});
