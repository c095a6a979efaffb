/** The gradient of every operation is that of what it computes. */
import { describe, expect, test } from 'vitest';
import type { Expression } from '../../src/compute/expression.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, reshape, type Value } from '../../src/compute/graph.js';
import {
  concatenate,
  embedding,
  logSoftmax,
  map,
  matmul,
  oneHot,
  pad,
  permuteRows,
  reduceMaximum,
  reduceSum,
  reverseSequence,
  sample,
  slice,
  softmax,
  softmaxCrossEntropy,
  sortRows,
  transpose,
} from '../../src/compute/operations/index.js';
import type { Shape } from '../../src/compute/tensor.js';
import { tensor } from '../../src/compute/tensor.js';
import { exact } from '../network/engines.js';
import { evaluateGraph } from '../network/evaluate-graph.js';
import { expectGradients, noise } from './finite-differences.js';

/** A loss that weighs every element of the values differently: the square of their sum with irregular weights. */
function weigh(...values: Value[]): Value {
  const sums = values.map((value, index) =>
    reduceSum(value, { axis: 'all', expression: (x) => x.mul(index + 0.7).add(x.square().mul(0.3)) }),
  );
  return map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
}

describe('matmul', () => {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      test(`${transposeA ? 'transposed ' : ''}a, ${transposeB ? 'transposed ' : ''}b, with and without bias`, async () => {
        const values = {
          a: noise(transposeA ? [4, 3] : [3, 4], 1),
          b: noise(transposeB ? [5, 4] : [4, 5], 2),
          bias: noise([5], 3),
        };
        await expectGradients(values, ({ a, b, bias }) => weigh(matmul(a!, b!, { transposeA, transposeB, bias })));
        const { bias: _, ...withoutBias } = values;
        await expectGradients(withoutBias, ({ a, b }) => weigh(matmul(a!, b!, { transposeA, transposeB })));
      });
    }
  }

  test('leading axes count as rows', async () => {
    await expectGradients({ a: noise([2, 3, 4], 1), b: noise([4, 2], 2) }, ({ a, b }) => weigh(matmul(a!, b!)));
  });

  test('a one-hot a picks rows of b', async () => {
    const ids = tensor(Int32Array.of(2, 0, 2, 1, 2, 2), [2, 3]);
    const values = { b: noise([4, 2], 1), bias: noise([2], 2) };
    await expectGradients(values, ({ ids, b, bias }) => weigh(matmul(oneHot(ids!, 4), b!, { bias })), { ids });
    const transposed = { b: noise([2, 4], 1) };
    const build = ({ ids, b }: Readonly<Record<string, Value>>) =>
      weigh(matmul(oneHot(ids!, 4), b!, { transposeB: true }));
    await expectGradients(transposed, build, { ids });
  });
});

describe('map', () => {
  test('values of every stretch, several results', async () => {
    const values = {
      full: noise([2, 3, 4], 1),
      scalar: noise([1], 2),
      columns: noise([4], 3),
      rows: noise([2, 3, 1], 4),
    };
    await expectGradients(values, ({ full, scalar, columns, rows }) =>
      weigh(
        ...map((x, s, c, r) => [x.mul(s).add(c.tanh()), x.sub(r).square().mul(c)], full!, scalar!, columns!, rows!),
      ),
    );
  });

  const functions: Readonly<Record<string, (x: Expression, y: Expression) => Expression>> = {
    negation: (x, y) => x.neg().mul(y),
    abs: (x, y) => x.abs().mul(y),
    exp: (x, y) => x.mul(y).exp(),
    log: (x, y) => x.square().add(1).log().mul(y),
    sqrt: (x, y) => x.square().add(1).sqrt().mul(y),
    tanh: (x, y) => x.tanh().mul(y),
    sigmoid: (x, y) => x.sigmoid().mul(y),
    'sign, floor and comparisons, which are flat': (x, y) =>
      x.sign().add(x.floor()).add(x.less(y)).add(x.equal(y)).mul(y),
    division: (x, y) => x.div(y.square().add(1)),
    minimum: (x, y) => x.min(y).mul(x),
    maximum: (x, y) => x.max(y).mul(y),
    'maximum with a number': (x, y) => x.max(0.1).mul(y),
    select: (x, y) => x.less(y).select(x.square(), y.mul(3)),
  };
  for (const [name, f] of Object.entries(functions)) {
    test(name, async () => {
      await expectGradients({ x: noise([3, 5], 1), y: noise([3, 5], 2) }, ({ x, y }) => weigh(map(f, x!, y!)));
    });
  }

  test('a value given twice', async () => {
    await expectGradients({ x: noise([4], 1) }, ({ x }) => weigh(map((a, b) => a.mul(b.exp()), x!, x!)));
  });
});

describe('reduce', () => {
  for (const axis of ['all', 'rows', 'columns'] as const) {
    test(`sum of an expression of stretched values: ${axis}`, async () => {
      const values = {
        full: noise([2, 3, 4], 1),
        scalar: noise([1], 2),
        columns: noise([4], 3),
        rows: noise([2, 3, 1], 4),
      };
      await expectGradients(values, ({ full, scalar, columns, rows }) =>
        weigh(
          reduceSum([full!, scalar!, columns!, rows!], {
            axis,
            scale: 0.3,
            expression: (x, s, c, r) => x.square().mul(s).add(c.mul(r)),
          }),
        ),
      );
    });
  }

  test('one axis only', async () => {
    await expectGradients({ x: noise([5], 1) }, ({ x }) => weigh(reduceSum(x!, { axis: 'columns' })));
    await expectGradients({ x: noise([5], 1) }, ({ x }) => weigh(reduceSum(x!, { axis: 'rows' })));
  });

  test('an expression that does not depend on the largest value still counts its elements', async () => {
    await expectGradients({ x: noise([3, 4], 1), c: noise([4], 2) }, ({ x, c }) =>
      weigh(reduceSum([x!, c!], { axis: 'all', expression: (_, c) => c.square() })),
    );
  });

  for (const axis of ['all', 'rows', 'columns'] as const) {
    test(`maximum of an expression of stretched values: ${axis}`, async () => {
      await expectGradients({ full: noise([2, 3, 4], 1), columns: noise([4], 2) }, ({ full, columns }) =>
        weigh(reduceMaximum([full!, columns!], { axis, scale: -0.3, expression: (x, c) => x.mul(c).exp() })),
      );
    });
  }

  test('equal maxima share the gradient', async () => {
    const given = { x: tensor([2, 1, 2, 0, 2, 1], [2, 3]) };
    const { gradient } = await evaluateGraph(exact, given, ({ x }) => {
      const largest = reduceMaximum(x!, { axis: 'columns' });
      return { gradient: gradients(reduceSum(largest, { axis: 'all' }), [x!])[0]! };
    });
    expect([...gradient!.data]).toEqual([0.5, 0, 0.5, 0, 1, 0]);
  });

  test('nothing flows through a floor', async () => {
    const given = { x: tensor([2.5, 1.5], [2]) };
    const { gradient } = await evaluateGraph(exact, given, ({ x }) => {
      const whole = map((a) => a.floor(), x!);
      return {
        gradient: gradients(
          reduceSum(
            map((a, w) => a.mul(w), x!, whole),
            { axis: 'all' },
          ),
          [x!],
        )[0]!,
      };
    });
    expect([...gradient!.data]).toEqual([2, 1]);
  });
});

describe('softmax and its logarithm', () => {
  for (const shape of [[2, 3, 4], [5], [3, 1]] as Shape[]) {
    test(`of [${shape}]`, async () => {
      await expectGradients({ x: noise(shape, 1, 2) }, ({ x }) => weigh(softmax(x!)));
      await expectGradients({ x: noise(shape, 1, 2) }, ({ x }) => weigh(logSoftmax(x!)));
    });
  }

  test('cross entropy against ids, alone and as a part of a loss', async () => {
    const targets = tensor(Int32Array.of(2, 0, 1, 1, 3, 0), [3, 2]);
    const values = { logits: noise([3, 2, 4], 1, 2) };
    await expectGradients(values, (v) => softmaxCrossEntropy(v.logits!, v.targets!, { scale: 0.2 }), { targets });
    await expectGradients(
      values,
      ({ logits, targets }) => map((x) => x.square(), softmaxCrossEntropy(logits!, targets!, { scale: 0.2 })),
      { targets },
    );
  });

  test('cross entropy of weighted rows, against smoothed ids and against probabilities', async () => {
    const ids = tensor(Int32Array.of(2, -7, 1, 0), [2, 2]);
    const values = { logits: noise([2, 2, 3], 1, 2) };
    const weights = tensor([0.5, 0, 2, 1], [2, 2]);
    await expectGradients(
      values,
      (v) => softmaxCrossEntropy(v.logits!, v.ids!, { scale: 0.3, weights: v.weights, smoothing: 0.2 }),
      { ids, weights },
    );
    const targets = noise([2, 2, 3], 2);
    await expectGradients(
      values,
      (v) => softmaxCrossEntropy(v.logits!, v.targets!, { scale: 0.3, weights: v.weights }),
      {
        targets,
        weights,
      },
    );
  });

  test('cross entropy against weights that do not add up to 1', async () => {
    const targets = tensor([0.2, 0.3, 0, 2, 0, 0.5], [2, 3]);
    await expectGradients(
      { logits: noise([2, 3], 1, 2) },
      (v) => softmaxCrossEntropy(v.logits!, v.targets!, { scale: 1.5 }),
      { targets },
    );
  });
});

describe('moving numbers', () => {
  test('embedding, with ids that occur twice and not at all', async () => {
    const ids = tensor(Int32Array.of(2, 0, 2, 4), [2, 2]);
    await expectGradients({ table: noise([5, 3], 1) }, ({ ids, table }) => weigh(embedding(ids!, table!)), { ids });
  });

  test('permuteRows', async () => {
    const order = tensor(Int32Array.of(2, 0, 3, 1), [4]);
    for (const inverse of [false, true]) {
      const values = { x: noise([4, 3], 1), sequence: noise([2, 4, 3], 2) };
      const build = ({ x, sequence, order }: Readonly<Record<string, Value>>) =>
        weigh(permuteRows(x!, order!, { axis: 0, inverse }), x!, permuteRows(sequence!, order!, { axis: 1, inverse }));
      await expectGradients(values, build, { order });
    }
  });

  test('reverseSequence, with rows of all lengths', async () => {
    const lengths = tensor(Int32Array.of(0, 3, 1, 2), [4]);
    await expectGradients(
      { x: noise([3, 4, 2], 1) },
      ({ x, lengths }) =>
        weigh(reverseSequence(x!, lengths), permuteRows(x!, sortRows(lengths!, 3).order, { axis: 1 }), x!),
      { lengths },
    );
  });

  test('transpose', async () => {
    await expectGradients({ x: noise([2, 3, 4], 1) }, ({ x }) => weigh(transpose(x!), x!));
  });

  for (const axis of [0, 1, 2]) {
    test(`concatenate along axis ${axis}`, async () => {
      const shape = (extent: number) => [2, 3, 2].with(axis, extent);
      await expectGradients({ a: noise(shape(1), 1), b: noise(shape(3), 2) }, ({ a, b }) =>
        weigh(concatenate([a!, b!, a!], axis)),
      );
    });

    test(`slice and pad along axis ${axis}`, async () => {
      await expectGradients({ x: noise([3, 4, 3], 1) }, ({ x }) => weigh(slice(x!, { axis, start: 1, length: 2 })));
      await expectGradients({ x: noise([3, 4, 3], 1) }, ({ x }) => weigh(pad(x!, { axis, start: 2, extent: 6 })));
    });
  }

  test('reshape', async () => {
    await expectGradients({ x: noise([2, 6], 1) }, ({ x }) => weigh(reshape(x!, [3, 4]), reshape(x!, [12])));
  });
});

describe('gradients', () => {
  test('of a value that the loss does not depend on are zeros', async () => {
    await expectGradients({ x: noise([3], 1), y: noise([2, 2], 2) }, ({ x }) => weigh(x!));
  });

  test('add up where a value is used several times', async () => {
    await expectGradients({ x: noise([3, 3], 1) }, ({ x }) => weigh(matmul(x!, x!), transpose(x!), softmax(x!)));
  });

  test('of values in between', async () => {
    const x = input('x', [3], 'f32');
    const y = map((a) => a.square(), x);
    const [dy] = gradients(reduceSum(y, { axis: 'all' }), [y]);
    expect(dy!.shape).toEqual([3]);
  });

  test('are refused for a loss that is not one number', () => {
    const x = input('x', [3], 'f32');
    expect(() => gradients(x, [x])).toThrow(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('one f32 number') }),
    );
  });

  test('do not flow through ids', () => {
    const logits = input('logits', [2, 3], 'f32');
    const ids = sample(logits, input('s', [3], 'f32'), input('seed', [2], 'i32'), input('step', [1], 'i32'));
    const table = input('table', [3, 2], 'f32');
    const [dLogits, dTable] = gradients(weigh(embedding(ids, table)), [logits, table]);
    expect(dLogits!.node.attributes.expressions).toMatchObject([{ kind: 'constant', number: 0 }]);
    expect(dTable!.node.operation!.name).toBe('embeddingGradient');
  });
});
