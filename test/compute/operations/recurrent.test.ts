/** The fused cells, forward and backward: right on every engine, with the same bits on every instruction set. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradients } from '../../../src/compute/gradients.js';
import { input, type Value } from '../../../src/compute/graph.js';
import {
  map,
  type RecurrentOptions,
  type RecurrentResult,
  recurrent,
  reduceSum,
} from '../../../src/compute/operations/index.js';
import type { Tensor } from '../../../src/compute/tensor.js';
import { expectAgreement, forExamples, ids, noise, ofLargest, roundoff } from './agreement.js';
import { cellActivations as activations, identity, sigmoid, tanh } from './cell-activations.js';

const cells = [
  { name: 'simple RNN', cell: 'simple', gates: 1, resetAfter: false },
  { name: 'LSTM', cell: 'lstm', gates: 4, resetAfter: false },
  { name: 'GRU, reset before the product', cell: 'gru', gates: 3, resetAfter: false },
  { name: 'GRU, reset after the product', cell: 'gru', gates: 3, resetAfter: true },
] as const;

interface Drawn {
  readonly time: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
  readonly useIds: boolean;
  readonly states: boolean;
  readonly biases: boolean;
  readonly gateActivation: (typeof activations)[number];
  readonly activation: (typeof activations)[number];
  /** Which results the loss uses: bits for output, final hidden state and final cell state. */
  readonly uses: number;
}

const extent = (max: number) => fc.integer({ min: 1, max });
const drawn = fc.record({
  time: extent(7),
  batch: extent(20),
  inputs: extent(40),
  units: extent(50),
  useIds: fc.boolean(),
  states: fc.boolean(),
  biases: fc.boolean(),
  // Gates that are not bounded would let states grow beyond single precision.
  gateActivation: fc.constantFrom(...activations.filter(({ kind }) => kind === 1 || kind === 2 || kind === 5)),
  activation: fc.constantFrom(...activations),
  uses: fc.integer({ min: 1, max: 7 }),
});

function operandsOf({ gates, resetAfter, cell }: (typeof cells)[number], example: Drawn): Record<string, Tensor> {
  const { time, batch, inputs, units, useIds, states, biases } = example;
  const width = gates * units;
  return {
    input: useIds ? ids([time, batch], inputs) : noise([time, batch, inputs], 1),
    // Half of what initializers draw, so that states and gradients do not grow where the activation is the identity.
    kernel: noise([inputs, width], 2, 0.5 / Math.sqrt(inputs)),
    recurrentKernel: noise([units, width], 3, 0.5 / Math.sqrt(units)),
    ...(biases ? { bias: noise([width], 4, 0.5) } : {}),
    ...(biases && resetAfter ? { recurrentBias: noise([width], 5, 0.5) } : {}),
    ...(states ? { initialHidden: noise([batch, units], 6, 0.5) } : {}),
    ...(states && cell === 'lstm' ? { initialCell: noise([batch, units], 7, 0.5) } : {}),
  };
}

/**
 * Each step rounds products of `inputs + units` terms, and its error goes through the steps that follow, which pass on
 * at most what they get here; activations add some roundings. Weight gradients are sums over time and batch of such.
 */
function tolerance({ time, batch, inputs, units }: Drawn): number {
  const forward = 8 * Math.sqrt(inputs + units) + 16;
  return (forward * time + 8 * Math.sqrt(time * batch)) * roundoff;
}

function build(
  kind: (typeof cells)[number],
  example: Drawn,
  values: Readonly<Record<string, Value>>,
  training: boolean,
) {
  return recurrent({
    ...(values as unknown as Pick<RecurrentOptions, 'input' | 'kernel' | 'recurrentKernel'>),
    cell: kind.cell,
    resetAfter: kind.resetAfter,
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

describe.each(cells)('$name', (kind) => {
  test('forward, for inference', () =>
    forExamples(drawn, (example) => ({
      inputs: operandsOf(kind, example),
      build: (values) => ({ ...build(kind, example, values, false) }),
      tolerances: {
        output: ofLargest(tolerance(example)),
        finalHidden: ofLargest(tolerance(example)),
        ...(kind.cell === 'lstm' ? { finalCell: ofLargest(tolerance(example)) } : {}),
      },
    })));

  test('forward and backward', () =>
    forExamples(drawn, (example) => {
      const operands = operandsOf(kind, example);
      const wanted = Object.keys(operands).filter((name) => name !== 'input' || !example.useIds);
      return {
        inputs: operands,
        build: (values) => {
          const result = build(kind, example, values, true);
          const derived = gradients(
            lossOf(result, example.uses),
            wanted.map((name) => values[name]!),
          );
          return {
            output: result.output,
            ...Object.fromEntries(wanted.map((name, index) => [`d_${name}`, derived[index]!])),
          };
        },
        // Errors of forward and of backward add up, and gradients depend on both.
        tolerances: Object.fromEntries(
          ['output', ...wanted.map((name) => `d_${name}`)].map((name) => [name, ofLargest(3 * tolerance(example))]),
        ),
      };
    }));

  test.each([
    { time: 1, batch: 1, inputs: 1, units: 1 },
    { time: 3, batch: 1, inputs: 9, units: 130 },
    { time: 2, batch: 33, inputs: 5, units: 64 },
    { time: 4, batch: 16, inputs: 70, units: 17 },
  ])('the edges of tiles: $time steps, $batch rows, $inputs inputs, $units units', async (sizes) => {
    const example = {
      ...sizes,
      useIds: false,
      states: true,
      biases: true,
      gateActivation: sigmoid,
      activation: tanh,
      uses: 7,
    };
    const operands = operandsOf(kind, example);
    await expectAgreement({
      inputs: operands,
      build: (values) => {
        const loss = lossOf(build(kind, example, values, true), 7);
        const derived = gradients(loss, Object.values(values));
        return Object.fromEntries(Object.keys(values).map((name, index) => [name, derived[index]!]));
      },
      tolerances: Object.fromEntries(Object.keys(operands).map((name) => [name, ofLargest(3 * tolerance(example))])),
    });
  });
});

test('with activations that let everything through, an RNN of whole numbers is exact', () =>
  forExamples(fc.record({ time: extent(4), batch: extent(9), inputs: extent(12), units: extent(20) }), (sizes) => {
    const whole = (shape: number[], purpose: number) => {
      const drawn = noise(shape, purpose);
      return { ...drawn, data: drawn.data.map((x) => Math.max(-1, Math.min(1, Math.round(x)))) as Float32Array };
    };
    const { time, batch, inputs, units } = sizes;
    return {
      inputs: {
        input: whole([time, batch, inputs], 1),
        kernel: whole([inputs, units], 2),
        recurrentKernel: whole([units, units], 3),
      },
      build: (values) => ({
        ...recurrent({
          ...(values as unknown as Pick<RecurrentOptions, 'input' | 'kernel' | 'recurrentKernel'>),
          cell: 'simple',
          gateActivation: identity,
          activation: identity,
          training: false,
        }),
      }),
      // At most 12·20³ after four steps: far below 2^24.
      tolerances: { output: () => () => 0, finalHidden: () => () => 0 },
    };
  }));

test('operands that do not fit are refused with what was expected', () => {
  const operands = {
    kernel: input('kernel', [3, 16], 'f32'),
    recurrentKernel: input('recurrentKernel', [4, 16], 'f32'),
  };
  const attempt = (changes: Partial<RecurrentOptions>) => () =>
    recurrent({
      cell: 'lstm',
      input: input('x', [5, 2, 3], 'f32'),
      ...operands,
      gateActivation: sigmoid,
      activation: tanh,
      training: false,
      ...changes,
    });
  const refused = (message: string) => expect.objectContaining({ code: 'invalid-shape', message });
  expect(attempt({ kernel: input('kernel', [4, 16], 'f32') })).toThrow(
    refused('recurrent: kernel: expected f32 [3, 16], got f32 [4, 16].'),
  );
  expect(attempt({ cell: 'gru' })).toThrow(
    refused('recurrent: recurrent kernel: expected f32 [4, 12], got f32 [4, 16].'),
  );
  expect(attempt({ initialHidden: input('h', [3, 4], 'f32') })).toThrow(
    refused('recurrent: initial hidden state: expected f32 [2, 4], got f32 [3, 4].'),
  );
  expect(attempt({ recurrentBias: input('b', [16], 'f32') })).toThrow(
    refused('recurrent: only a GRU whose reset gate acts after the product has a recurrent bias.'),
  );
  expect(attempt({ input: input('x', [5, 2], 'f32') })).toThrow(
    refused('recurrent: expected an input [time, batch, features] f32 or [time, batch] i32, got f32 [5, 2].'),
  );
});
