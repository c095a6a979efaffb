// What is to be learned, with which networks, and when it counts as learned.
import { arrays, generators, layers, losses } from 'mneme';
import { meanSquare, shareOfRows, shareOfSteps, shareOfStrings } from './scores.mjs';

/** The same examples again and again, in another order each time. */
const again = (make, batch) => {
  const made = new Map();
  return (seed) => {
    if (!made.has(seed)) made.set(seed, arrays({ ...make(seed), batch, shuffle: { seed } }));
    return made.get(seed);
  };
};
/** Examples that were never seen before. */
const fresh = (make, batch) => (seed, round) => arrays({ ...make(1000 * seed + round), batch });
/** Seeds of examples to be tested by: none that training comes to. */
const unseen = (seed) => 2 ** 32 + seed;

export const tasks = {
  'embedded-reber': {
    published:
      'LSTM of 276 weights 100 % after 8,440 sequences at best, Elman net 0 % after 200,000 (Hochreiter and Schmidhuber 1997)',
    goal: 'all of 256 strings that were not learned from',
    training: again((seed) => generators.embeddedReber({ examples: 256, seed }), 4),
    test: (seed) => generators.embeddedReber({ examples: 256, seed: unseen(seed) }),
    network: (recurrent) => [recurrent, layers.dense({ units: 7 })],
    input: { features: 7 },
    loss: losses.sigmoidCrossEntropy(),
    cells: {
      lstm: layers.lstm({ units: 10 }),
      gru: layers.gru({ units: 10 }),
      'simple RNN': layers.simpleRnn({ units: 20 }),
    },
    measure: 'share of strings',
    score: shareOfStrings,
    solved: (score) => score === 1,
    learningRate: 0.02,
    budget: 20_000,
  },
  adding: {
    published: 'LSTM of 93 weights with errors below 0.04 after 74,000 sequences (Hochreiter and Schmidhuber 1997)',
    goal: 'mean squared error below 0.01; always saying 1 has 0.1667',
    training: fresh((seed) => generators.adding({ examples: 1000, time: 100, seed }), 20),
    test: (seed) => generators.adding({ examples: 500, time: 100, seed: unseen(seed) }),
    network: (recurrent) => [recurrent, layers.lastStep(), layers.dense({ units: 1 })],
    input: { features: 2 },
    loss: losses.meanSquaredError(),
    cells: {
      lstm: layers.lstm({ units: 32 }),
      gru: layers.gru({ units: 32 }),
      'simple RNN': layers.simpleRnn({ units: 32 }),
    },
    measure: 'mean squared error',
    score: meanSquare,
    solved: (score) => score < 0.01,
    learningRate: 0.01,
    budget: 60_000,
  },
  'adding-400': {
    published:
      'LSTM of 93 weights with errors below 0.04 after 209,000 sequences at 500 steps (Hochreiter and Schmidhuber 1997)',
    goal: 'mean squared error below 0.01; always saying 1 has 0.1667',
    training: fresh((seed) => generators.adding({ examples: 1000, time: 400, seed }), 20),
    test: (seed) => generators.adding({ examples: 500, time: 400, seed: unseen(seed) }),
    network: (recurrent) => [recurrent, layers.lastStep(), layers.dense({ units: 1 })],
    input: { features: 2 },
    loss: losses.meanSquaredError(),
    cells: {
      lstm: layers.lstm({ units: 32 }),
      gru: layers.gru({ units: 32 }),
    },
    measure: 'mean squared error',
    score: meanSquare,
    solved: (score) => score < 0.01,
    learningRate: 0.01,
    budget: 100_000,
  },
  'temporal-order': {
    published: 'LSTM of 156 weights wrong for 1 of 2,560 after 31,390 sequences (Hochreiter and Schmidhuber 1997, 6a)',
    goal: 'all but one of 2,560 sequences',
    training: fresh((seed) => generators.temporalOrder({ examples: 1000, seed }), 20),
    test: (seed) => generators.temporalOrder({ examples: 2560, seed: unseen(seed) }),
    network: (recurrent) => [layers.oneHot({ vocabulary: 8 }), recurrent, layers.dense({ units: 4 })],
    loss: losses.softmaxCrossEntropy(),
    // An LSTM of 1997 forgot nothing: a forget gate that starts near 1 is nearest to it.
    cells: {
      lstm: layers.lstm({ units: 16, forgetBias: 3 }),
      gru: layers.gru({ units: 16 }),
      'simple RNN': layers.simpleRnn({ units: 16 }),
    },
    measure: 'share of sequences',
    score: shareOfRows,
    solved: (score) => score >= 2559 / 2560,
    learningRate: 0.003,
    budget: 60_000,
  },
  parity: {
    published: 'nothing in this form; guessing is right for half of the bits',
    goal: 'all bits of 500 sequences of 50',
    training: fresh((seed) => generators.parity({ examples: 1000, seed }), 20),
    test: (seed) => generators.parity({ examples: 500, seed: unseen(seed) }),
    network: (recurrent) => [layers.oneHot({ vocabulary: 2 }), recurrent, layers.dense({ units: 2 })],
    loss: losses.softmaxCrossEntropy(),
    cells: {
      lstm: layers.lstm({ units: 16 }),
      gru: layers.gru({ units: 16 }),
      'simple RNN': layers.simpleRnn({ units: 16 }),
    },
    measure: 'share of bits',
    score: shareOfSteps,
    solved: (score) => score === 1,
    learningRate: 0.01,
    budget: 60_000,
  },
  copying: {
    published:
      'LSTM no better than remembering nothing at a pause of 1,000 steps (Bai, Kolter and Koltun 2018); here 20 steps, three symbols',
    goal: 'all symbols of 500 sequences',
    training: fresh((seed) => generators.copying({ examples: 1000, delay: 20, symbols: 3, seed }), 20),
    test: (seed) => generators.copying({ examples: 500, delay: 20, symbols: 3, seed: unseen(seed) }),
    network: (recurrent) => [layers.oneHot({ vocabulary: 10 }), recurrent, layers.dense({ units: 9 })],
    loss: losses.softmaxCrossEntropy(),
    cells: { lstm: layers.lstm({ units: 48, forgetBias: 3 }), gru: layers.gru({ units: 48 }) },
    measure: 'share of steps',
    score: shareOfSteps,
    solved: (score) => score === 1,
    learningRate: 0.01,
    budget: 60_000,
  },
  'noisy-sine': {
    published: 'nothing in this form; repeating what came last has noise² + 1 - cos(2π/25) = 0.121',
    goal: 'mean squared error below 0.03, a third of the variance of the noise',
    training: fresh((seed) => generators.noisySine({ examples: 1000, noise: 0.3, seed }), 20),
    test: (seed) => generators.noisySine({ examples: 500, noise: 0.3, seed: unseen(seed) }),
    network: (recurrent) => [recurrent, layers.dense({ units: 1 })],
    input: { features: 1 },
    loss: losses.meanSquaredError(),
    cells: {
      lstm: layers.lstm({ units: 16 }),
      gru: layers.gru({ units: 16 }),
      'simple RNN': layers.simpleRnn({ units: 16 }),
    },
    measure: 'mean squared error',
    score: meanSquare,
    solved: (score) => score < 0.03,
    learningRate: 0.01,
    budget: 20_000,
  },
  'mackey-glass': {
    published: 'nothing in this form; the series has a variance of 0.05',
    goal: 'six steps ahead with a mean squared error below 0.002, the steps before a delay has passed included',
    training: again((seed) => generators.mackeyGlass({ examples: 200, time: 100, seed }), 10),
    test: (seed) => generators.mackeyGlass({ examples: 100, time: 100, seed: unseen(seed) }),
    network: (recurrent) => [recurrent, layers.dense({ units: 1 })],
    input: { features: 1 },
    loss: losses.meanSquaredError(),
    cells: {
      lstm: layers.lstm({ units: 24 }),
      gru: layers.gru({ units: 24 }),
      'simple RNN': layers.simpleRnn({ units: 24 }),
    },
    measure: 'mean squared error',
    score: meanSquare,
    solved: (score) => score < 0.002,
    learningRate: 0.01,
    budget: 20_000,
  },
};
