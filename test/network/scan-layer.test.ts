/** Cells of the user's own as layers. */
import { expect, test } from 'vitest';
import {
  arrays,
  cell,
  createTrainer,
  layers,
  losses,
  one,
  sequential,
  sigmoid,
  split,
  tanh,
  tensor,
  updaters,
} from '../../src/index.js';

/** The minimal gated unit of the design's sketch. */
const lightCell = cell('light', {
  parameters: ({ units }, features) => ({ w: [features, 2 * units], u: [units, 2 * units] }),
  states: ({ units }) => ({ h: [units] }),
  step: ({ w, u }, { h }, x) => {
    const [update, candidate] = split(x.matmul(w).add(h.matmul(u)), 2);
    const z = sigmoid(update);
    const next = z.mul(h).add(one.sub(z).mul(tanh(candidate)));
    return { output: next, h: next };
  },
});

test('a cell of twenty lines learns, off the event loop', async () => {
  const model = sequential(
    [layers.scan({ cell: lightCell, units: 8 }), layers.lastStep(), layers.dense({ units: 1 })],
    {
      seed: 1,
      input: { features: 1 },
    },
  );
  // The sum of ten numbers.
  const rows = 64;
  const x = Float32Array.from({ length: rows * 10 }, (_, index) => ((index * 7919) % 101) / 101 - 0.5);
  const y = Float32Array.from({ length: rows }, (_, row) =>
    x.subarray(10 * row, 10 * row + 10).reduce((a, b) => a + b, 0),
  );
  const trainer = createTrainer(model, {
    loss: losses.meanSquaredError(),
    updater: updaters.adam({ learningRate: 0.02 }),
  });
  const data = arrays({ inputs: tensor(x, [rows, 10, 1]), targets: tensor(y, [rows, 1]), batch: 16 });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const history = await trainer.fit(data, { epochs: 60 });
  clearInterval(timer);
  const losses_ = history.epochs.map(({ trainLoss }) => trainLoss);
  expect(losses_.at(-1)!).toBeLessThan(losses_[0]! / 50);
});
