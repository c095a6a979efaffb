/** The networks behind `mneme train`. */
import { expect, it } from 'vitest';
import { languageModel } from '../../src/cli/language-model.js';
import { arrays, characterVocabulary, evaluate, losses, tensor } from '../../src/index.js';

it("Graves' character model has 559,877 parameters, and says at first that any of 77 symbols may come", async () => {
  const vocabulary = characterVocabulary(Array.from({ length: 77 }, (_, id) => String.fromCodePoint(33 + id)));
  const model = languageModel(vocabulary, { cell: 'graves', layers: 2, units: 200, embedding: 0, dropout: 0, seed: 1 });
  // Both layers with their peepholes, and the scores.
  const first = 4 * 200 * (77 + 200 + 1) + 3 * 200;
  const second = 4 * 200 * (200 + 200 + 1) + 3 * 200;
  expect(model.parameterCount).toBe(first + second + 77 * (200 + 1));
  expect(model.parameterCount).toBe(559_877);

  const ids = Int32Array.from({ length: 8 * 51 }, (_, i) => (i * i * 31 + 7 * i) % 77);
  const rows = (offset: number) =>
    tensor(
      Int32Array.from({ length: 8 * 50 }, (_, i) => ids[Math.floor(i / 50) * 51 + (i % 50) + offset]!),
      [8, 50],
    );
  const batches = arrays({ inputs: rows(0), targets: rows(1), batch: 8 });
  const score = await evaluate(model, batches, { loss: losses.softmaxCrossEntropy({ reduction: 'sumOverTime' }) });
  model.dispose();
  // Scores spread by s cost about s²/2 nats a symbol: with outputs of 0.1 and weights of Glorot's, 0.1² = 0.007·200·0.1², below 1 %.
  expect(Math.abs(score / (50 * Math.log(77)) - 1)).toBeLessThan(0.01);
});
