/** The gradients of the fused cells, through time, states and final states. */
import { describe, expect, test } from 'vitest';
import type { Expression } from '../../src/compute/expression.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, type Value } from '../../src/compute/graph.js';
import {
  embedding,
  map,
  oneHot,
  type RecurrentOptions,
  recurrent,
  reduceSum,
} from '../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { expectGradients, noise } from './finite-differences.js';

const activations = {
  sigmoid: { kind: 1, expression: (x: Expression) => x.sigmoid() },
  tanh: { kind: 2, expression: (x: Expression) => x.tanh() },
  identity: { kind: 4, expression: (x: Expression) => x },
  softsign: { kind: 5, expression: (x: Expression) => x.div(x.abs().add(1)) },
  own: { kind: 0, expression: (x: Expression) => x.sigmoid().mul(x) },
} as const;

const cells = [
  { name: 'simple RNN', cell: 'simple', gates: 1, resetAfter: false },
  { name: 'LSTM', cell: 'lstm', gates: 4, resetAfter: false },
  { name: 'GRU, reset before the product', cell: 'gru', gates: 3, resetAfter: false },
  { name: 'GRU, reset after the product', cell: 'gru', gates: 3, resetAfter: true },
] as const;

interface Variant {
  readonly time?: number;
  readonly batch?: number;
  readonly states?: boolean;
  readonly biases?: boolean;
  readonly ids?: 'given' | 'one-hot' | 'embedded';
  /** What the loss is made of. */
  readonly uses?: readonly ('output' | 'finalHidden' | 'finalCell')[];
  readonly gateActivation?: keyof typeof activations;
  readonly activation?: keyof typeof activations;
}

const [inputs, units, rows] = [3, 4, 5];

/** Compares all gradients of one cell. */
async function check(kind: (typeof cells)[number], variant: Variant): Promise<void> {
  const { cell, gates, resetAfter } = kind;
  const {
    time = 3,
    batch = 2,
    states = true,
    biases = true,
    ids,
    uses = ['output', 'finalHidden', 'finalCell'],
  } = variant;
  const { gateActivation = 'sigmoid', activation = 'tanh' } = variant;
  const varied: Record<string, Tensor> = {
    kernel: noise([inputs, gates * units], 2, 0.7),
    recurrentKernel: noise([units, gates * units], 3, 0.7),
    ...(biases ? { bias: noise([gates * units], 4, 0.5) } : {}),
    ...(biases && resetAfter ? { recurrentBias: noise([gates * units], 5, 0.5) } : {}),
    ...(states ? { initialHidden: noise([batch, units], 6, 0.5) } : {}),
    ...(states && cell === 'lstm' ? { initialCell: noise([batch, units], 7, 0.5) } : {}),
    ...(ids ? {} : { x: noise([time, batch, inputs], 1) }),
    ...(ids === 'embedded' ? { table: noise([rows, inputs], 8) } : {}),
  };
  const drawn = Int32Array.from(
    { length: time * batch },
    (_, index) => (index * 5 + 1) % (ids === 'embedded' ? rows : inputs),
  );
  const build = ({ x, ids: given, table, ...operands }: Readonly<Record<string, Value>>) => {
    const result = recurrent({
      ...(operands as Pick<RecurrentOptions, 'kernel' | 'recurrentKernel' | 'bias'>),
      cell,
      resetAfter,
      input: x ?? { given, 'one-hot': oneHot(given!, inputs), embedded: table && embedding(given!, table) }[ids!]!,
      gateActivation: activations[gateActivation],
      activation: activations[activation],
      training: true,
    });
    const sums = uses.flatMap((name, index) => {
      const value = result[name];
      if (!value) return [];
      return [reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) })];
    });
    return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
  };
  await expectGradients(varied, build, ids ? { ids: tensor(drawn, [time, batch]) } : {});
}

describe.each(cells)('$name', (kind) => {
  test('several steps and rows, initial and final states', () => check(kind, {}));
  test('one step', () => check(kind, { time: 1 }));
  test('one row', () => check(kind, { batch: 1 }));
  test('one step of one row', () => check(kind, { time: 1, batch: 1 }));
  test('without initial states and biases', () => check(kind, { states: false, biases: false }));
  test('the output alone', () => check(kind, { uses: ['output'] }));
  test('the final hidden state alone', () => check(kind, { uses: ['finalHidden'] }));
  test('ids', () => check(kind, { ids: 'given' }));
  test('ids behind a one-hot input', () => check(kind, { ids: 'one-hot', states: false }));
  test('an embedding of few rows, whose product with the kernel is taken first', () =>
    check(kind, { ids: 'embedded' }));
  test('an embedding of many rows', () => check(kind, { ids: 'embedded', time: 1 }));
  test('other activations', () => check(kind, { gateActivation: 'softsign', activation: 'own' }));
  // One step only: without anything that saturates, products of states grow beyond what differences resolve.
  test('activations that let everything through', () =>
    check(kind, { time: 1, gateActivation: 'identity', activation: 'identity' }));
});

test('an LSTM through its final cell state alone', () => check(cells[1], { uses: ['finalCell'] }));

test('a graph that was not built for training has no gradients', () => {
  const kernel = input('kernel', [3, 4], 'f32');
  const { output } = recurrent({
    cell: 'simple',
    input: input('x', [2, 1, 3], 'f32'),
    kernel,
    recurrentKernel: input('recurrentKernel', [4, 4], 'f32'),
    gateActivation: activations.sigmoid,
    activation: activations.tanh,
    training: false,
  });
  expect(() => gradients(reduceSum(output, { axis: 'all' }), [kernel])).toThrow(
    expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('built for training') }),
  );
});
