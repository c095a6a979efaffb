/** The way of a text model as users go it: trained, saved, loaded, asked to write. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createTrainer,
  layers,
  loadModel,
  losses,
  openText,
  sequential,
  tensor,
  textFromString,
  updaters,
} from '../../src/index.js';
import { onBothEngines, reference } from './engines.js';

const root = mkdtempSync(join(tmpdir(), 'mneme-text-model-'));
afterAll(() => rmSync(root, { recursive: true }));

onBothEngines((engine) => {
  describe('a model of a text', () => {
    it('learns it, knows its vocabulary, is saved, and writes the same after loading', async () => {
      const path = join(root, 'nursery.txt');
      writeFileSync(path, 'row row row your boat\n'.repeat(60));
      const text = await openText(path);
      const model = sequential(
        [
          layers.embedding({ vocabulary: text.vocabulary.size, units: 8 }),
          layers.lstm({ units: 16 }),
          layers.dense({ units: text.vocabulary.size }),
        ],
        { seed: 12345, engine: engine() },
      );
      const trainer = createTrainer(model, {
        loss: losses.softmaxCrossEntropy(),
        updater: updaters.adam({ learningRate: 0.03 }),
        clip: { globalNorm: 5 },
      });
      const samples: string[] = [];
      const write = async (from: typeof model, length: number): Promise<string> => {
        let written = '';
        for await (const character of from.session().generate('row ', { temperature: 0, length })) written += character;
        return written;
      };
      const { epochs } = await trainer.fit(text.batches({ batch: 4, steps: 16 }), {
        epochs: 8,
        // Sessions run between the steps of the training.
        listeners: [{ onEpoch: async () => samples.push(await write(model, 10)) }],
      });
      expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.5);
      expect(samples).toHaveLength(8);
      expect(model.vocabulary).toBe(text.vocabulary);

      const directory = join(root, `${engine().name}.mneme`);
      await model.save(directory);
      const again = await loadModel(directory, { engine: engine() });
      const written = await write(again, 60);
      expect(written).toBe(await write(model, 60));
      expect(written).toContain('your boat\nrow row');
    });
  });
});

describe('a model', () => {
  it('keeps the vocabulary it was given, whatever it is trained on', async () => {
    const text = textFromString('abab'.repeat(10));
    const own = textFromString('ab').vocabulary;
    const model = sequential([layers.oneHot({ vocabulary: 2 }), layers.dense({ units: 2 })], {
      vocabulary: own,
      engine: reference(),
    });
    const trainer = createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.sgd() });
    await trainer.fit(text.batches({ batch: 2, steps: 4 }));
    expect(model.vocabulary).toBe(own);
  });

  it('counts its parameters: 558,677 in the example of Graves as DL4J has it', () => {
    const model = sequential(
      [layers.lstm({ units: 200 }), layers.lstm({ units: 200 }), layers.dense({ units: 77, activation: 'softmax' })],
      { input: { features: 77 }, engine: reference() },
    );
    expect(model.parameterCount).toBe(558_677);
    const summary = model.summary({ batch: 2, steps: 3, tokens: 1000 });
    expect(summary.layers.map(({ parameters }) => parameters)).toEqual([222_400, 320_800, 15_477]);
    expect(summary.text).toContain('558,677');
  });

  it('gives copies of its parameters by name', async () => {
    const model = sequential([layers.dense({ units: 2 })], { input: { features: 3 }, engine: reference() });
    const parameters = await model.parameters();
    expect([...parameters].map(([name, { shape }]) => [name, shape])).toEqual([
      ['dense/kernel', [3, 2]],
      ['dense/bias', [2]],
    ]);
    parameters.get('dense/kernel')!.data.fill(0);
    expect((await model.parameters()).get('dense/kernel')!.data.some((x) => x !== 0)).toBe(true);
    await model.network.setParameter('dense/bias', tensor([1, 2]));
    expect((await model.parameters()).get('dense/bias')).toEqual(tensor([1, 2]));
  });

  it('says what is wrong with its options', () => {
    const dense = [layers.dense({ units: 2 })];
    expect(() => sequential(dense, { vocabluary: 1 } as never)).toThrow(
      /sequential: unknown option 'vocabluary'. Did you mean 'vocabulary'/,
    );
    expect(() => sequential(dense, { vocabulary: 'abc' as never })).toThrow(/'vocabulary' must be a vocabulary/);
    expect(() => sequential(dense)).toThrow(/sequential: the first layer, dense, does not tell what it reads/);
    expect(() => sequential([])).toThrow(/sequential: a network needs at least one layer/);
    const model = sequential(dense, { input: { features: 1 }, engine: reference() });
    expect(() => model.summary({ batch: 1, step: 2 } as never)).toThrow(/Did you mean 'steps'/);
  });
});
