/** The gradients of the cells with layer normalisation, through time, states and final states. */
import { describe, test } from 'vitest';
import type { Expression } from '../../src/compute/expression.js';
import type { Value } from '../../src/compute/graph.js';
import {
  map,
  type NormalizedRecurrentOptions,
  normalizedRecurrent,
  reduceSum,
} from '../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { expectGradients, noise } from './finite-differences.js';

const activations = {
  sigmoid: { kind: 1, expression: (x: Expression) => x.sigmoid() },
  tanh: { kind: 2, expression: (x: Expression) => x.tanh() },
  identity: { kind: 4, expression: (x: Expression) => x },
  own: { kind: 0, expression: (x: Expression) => x.sigmoid().mul(x) },
} as const;

const cells = [
  { name: 'simple RNN', cell: 'simple', gates: 1 },
  { name: 'LSTM', cell: 'lstm', gates: 4 },
  { name: 'GRU', cell: 'gru', gates: 3 },
] as const;

type Result = 'output' | 'finalHidden' | 'finalCell';

interface Variant {
  readonly time?: number;
  readonly batch?: number;
  readonly states?: boolean;
  readonly biases?: boolean;
  readonly separate?: boolean;
  /** Not growing from row to row. */
  readonly lengths?: readonly number[];
  /** What the loss is made of. */
  readonly uses?: readonly Result[];
  readonly gateActivation?: keyof typeof activations;
  readonly activation?: keyof typeof activations;
}

const units = 4;

async function check({ cell, gates }: (typeof cells)[number], variant: Variant): Promise<void> {
  const { time = 3, batch = 2, states = true, biases = true, separate = false, lengths } = variant;
  const { uses = ['output', 'finalHidden', 'finalCell'], gateActivation = 'sigmoid', activation = 'tanh' } = variant;
  const width = gates * units;
  const lstm = cell === 'lstm';
  const varied: Record<string, Tensor> = {
    input: noise([time, batch, width], 1),
    recurrentKernel: noise([units, width], 3, 0.7),
    recurrentGain: noise([width], 9, 0.7),
    ...(cell === 'simple' ? {} : { inputGain: noise([width], 8, 0.7) }),
    ...(lstm ? { cellGain: noise([units], 10, 0.7) } : {}),
    ...(biases ? { bias: noise([width], 4, 0.5) } : {}),
    ...(biases && cell === 'gru' ? { recurrentBias: noise([width], 5, 0.5) } : {}),
    ...(biases && lstm ? { cellBias: noise([units], 11, 0.5) } : {}),
    ...(states ? { initialHidden: noise([batch, units], 6, 0.5) } : {}),
    ...(states && lstm ? { initialCell: noise([batch, units], 7, 0.5) } : {}),
  };
  const fixed = lengths ? { lengths: tensor(Int32Array.from(lengths), [batch]) } : {};
  const build = (values: Readonly<Record<string, Value>>) => {
    const results = normalizedRecurrent({
      ...(values as unknown as Pick<NormalizedRecurrentOptions, 'input' | 'recurrentKernel' | 'recurrentGain'>),
      cell,
      separate,
      // Keeps third derivatives near 1, where differences are good.
      epsilon: 0.3,
      gateActivation: activations[gateActivation],
      activation: activations[activation],
      training: true,
    });
    const used = uses.flatMap((name) => results[name] ?? []);
    const sums = used.map((value, index) =>
      reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square().mul(0.3)) }),
    );
    return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...(sums as [Value]));
  };
  await expectGradients(varied, build, fixed);
}

describe.each(cells)('normalised $name', (kind) => {
  test('over several steps, from given states, to outputs and final states', () => check(kind, {}));
  test('each gate by itself', () => check(kind, { separate: true }));
  test('rows of unequal length', () => check(kind, { batch: 4, lengths: [3, 2, 2, 0] }));
  test('one step', () => check(kind, { time: 1 }));
  test('one row', () => check(kind, { batch: 1 }));
  test('from zero states', () => check(kind, { states: false }));
  test('one step from zero states', () => check(kind, { time: 1, states: false }));
  test('without biases', () => check(kind, { biases: false }));
  test('of the final state only', () => check(kind, { uses: ['finalHidden'] }));
  test('of the output only', () => check(kind, { uses: ['output'] }));
  test('with activations of one’s own', () => check(kind, { gateActivation: 'own', activation: 'own' }));
  test('with one activation of one’s own', () => check(kind, { activation: 'own' }));
});

test('a loss of the cell state alone', () => check(cells[1], { uses: ['finalCell'] }));
