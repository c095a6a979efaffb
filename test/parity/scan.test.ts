/** Each fused cell and the same cell written with `scan`: the same in every buffer, forward and backward. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, type Value } from '../../src/compute/graph.js';
import { map, recurrent, reduceSum } from '../../src/compute/operations/index.js';
import type { Tensor } from '../../src/compute/tensor.js';
import { expectAgreement, noise, ofLargest, roundoff } from '../compute/operations/agreement.js';
import { own, sigmoid, tanh } from '../compute/operations/cell-activations.js';
import { gruTwin, lstmTwin, simpleTwin, type TwinOperands } from './scan-cells.js';

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
  readonly activation: typeof tanh | typeof own;
}
const extent = (max: number) => fc.integer({ min: 1, max });
const drawn = fc.record({
  time: extent(6),
  batch: extent(18),
  inputs: extent(20),
  units: extent(36),
  activation: fc.constantFrom(tanh, own),
});

function operands({ gates, resetAfter, cell }: (typeof cells)[number], sizes: Drawn): Record<string, Tensor> {
  const { time, batch, inputs, units } = sizes;
  return {
    input: noise([time, batch, inputs], 1),
    kernel: noise([inputs, gates * units], 2, 0.5 / Math.sqrt(inputs)),
    recurrentKernel: noise([units, gates * units], 3, 0.5 / Math.sqrt(units)),
    bias: noise([gates * units], 4, 0.5),
    ...(resetAfter ? { recurrentBias: noise([gates * units], 5, 0.5) } : {}),
    initialHidden: noise([batch, units], 6, 0.5),
    ...(cell === 'lstm' ? { initialCell: noise([batch, units], 7, 0.5) } : {}),
  };
}

/** Output, final states and all gradients of a loss of them, by name. */
function results(output: Value, states: readonly Value[], values: Readonly<Record<string, Value>>, prefix: string) {
  const made = [output, ...states];
  const sums = made.map((value, index) =>
    reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) }),
  );
  const loss = map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
  const names = Object.keys(values);
  const derived = gradients(loss, Object.values(values));
  return Object.fromEntries([
    ...made.map((value, index) => [`${prefix} ${index === 0 ? 'output' : `final state ${index}`}`, value] as const),
    ...names.map((name, index) => [`${prefix} gradient of ${name}`, derived[index]!] as const),
  ]);
}

function build(kind: (typeof cells)[number], { activation }: Drawn, values: Readonly<Record<string, Value>>) {
  const given = values as unknown as TwinOperands;
  const { cell, resetAfter } = kind;
  const gates = { gateActivation: sigmoid, activation };
  const fused = recurrent({ ...given, cell, resetAfter, ...gates, training: true });
  const twin =
    cell === 'simple'
      ? simpleTwin(given, activation.expression)
      : cell === 'lstm'
        ? lstmTwin(given, sigmoid.expression, activation.expression)
        : gruTwin(given, sigmoid.expression, activation.expression, { resetAfter });
  const states = [fused.finalHidden, ...(fused.finalCell ? [fused.finalCell] : [])];
  return {
    ...results(fused.output, states, values, 'fused'),
    ...results(twin.outputs[0]!, twin.states, values, 'scan'),
  };
}

describe.each(cells)('$name', (kind) => {
  test('in double precision, scan gives what the fused cell gives', async () => {
    const engine = createReferenceEngine({ precision: 'f64' });
    const stream = engine.createStream();
    await fc.assert(
      fc.asyncProperty(drawn, async (sizes) => {
        const inputs = operands(kind, sizes);
        const ports = Object.fromEntries(
          Object.entries(inputs).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
        );
        const program = engine.load(compile({ name: 'twins', outputs: build(kind, sizes, ports) }));
        const given = Object.fromEntries(program.program.inputs.map(({ name }) => [name, inputs[name]!]));
        const outputs = await stream.submit({ program, memories: {}, inputs: given });
        // Sums of at most some thousand terms around 1, in another order.
        for (const name of Object.keys(outputs).filter((each) => each.startsWith('fused'))) {
          const other = outputs[name.replace('fused', 'scan')]!.data;
          const largest = Math.max(...other.map(Math.abs));
          for (const [index, value] of outputs[name]!.data.entries()) {
            expect(Math.abs(value - other[index]!), `${name}[${index}]`).toBeLessThanOrEqual(1e-12 * largest);
          }
        }
      }),
      { numRuns: 15, seed: Number(process.env.MNEME_SEED ?? 1) },
    );
    await stream.close();
  });

  test('in single precision both are that within what rounding may do, with the same bits everywhere', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async (sizes) => {
        const { time, batch, inputs, units } = sizes;
        // As in test/compute/operations/recurrent.test.ts: the products of each step, and the sums over time and batch.
        const forward = 8 * Math.sqrt(inputs + units) + 16;
        const allowed = ofLargest((forward * time + 8 * Math.sqrt(time * batch)) * roundoff);
        const given = operands(kind, sizes);
        const names = [
          'output',
          'final state 1',
          ...(kind.cell === 'lstm' ? ['final state 2'] : []),
          ...Object.keys(given).map((name) => `gradient of ${name}`),
        ];
        await expectAgreement({
          inputs: given,
          build: (values) => build(kind, sizes, values),
          tolerances: Object.fromEntries(
            names.flatMap((name) => [
              [`fused ${name}`, allowed],
              [`scan ${name}`, allowed],
            ]),
          ),
        });
      }),
      { numRuns: 8, seed: Number(process.env.MNEME_SEED ?? 1) },
    );
  });
});
