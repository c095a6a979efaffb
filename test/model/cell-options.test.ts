/** Recurrent layers with their options go the way of every model: trained, saved, loaded, asked to write. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createTrainer,
  type Layer,
  layers,
  loadModel,
  losses,
  scheduled,
  schedules,
  sequential,
  textFromString,
  updaters,
} from '../../src/index.js';
import { onBothEngines } from './engines.js';

const root = mkdtempSync(join(tmpdir(), 'mneme-cell-options-'));
afterAll(() => rmSync(root, { recursive: true }));

const noise = {
  recurrentDropout: 0.05,
  recurrentDropConnect: 0.05,
  variationalDropout: { input: 0.05, output: scheduled(0.05, schedules.ramp({ steps: 5 })) },
  initialStates: 'learned',
} as const;
const stacks: readonly (readonly [name: string, stack: readonly Layer[]])[] = [
  [
    'peepholes and coupled gates',
    [layers.gravesLstm({ units: 10 }), layers.lstm({ units: 10, coupled: true, cellClip: 5 })],
  ],
  [
    'everything an LSTM has',
    [
      layers.lstm({
        ...{ units: 12, projection: 8, peepholes: true, cellClip: 10, outputActivation: 'softsign' },
        ...noise,
        zoneout: { hidden: 0.05, cell: scheduled(0.05, schedules.ramp({ steps: 5 })) },
      }),
    ],
  ],
  [
    'noise in GRU and simple RNN',
    [
      layers.gru({ units: 10, ...noise, zoneout: { hidden: 0.05 } }),
      layers.simpleRnn({ units: 10, ...noise, zoneout: { hidden: 0.05 } }),
    ],
  ],
];

onBothEngines((engine) => {
  describe.each(stacks)('%s', (name, stack) => {
    it('learn a text, are saved, and write the same after loading', async () => {
      const text = textFromString('row row row your boat\n'.repeat(20));
      const vocabulary = text.vocabulary.size;
      const model = sequential(
        [layers.embedding({ vocabulary, units: 8 }), ...stack, layers.dense({ units: vocabulary })],
        { seed: 12345, engine: engine() },
      );
      const trainer = createTrainer(model, {
        loss: losses.softmaxCrossEntropy(),
        updater: updaters.adam({ learningRate: 0.03 }),
        clip: { globalNorm: 5 },
      });
      const { epochs } = await trainer.fit(text.batches({ batch: 4, steps: 16 }), { epochs: 12 });
      // Below what the frequencies of the characters alone tell, 2.3.
      expect(epochs.at(-1)!.trainLoss).toBeLessThan(1.8);

      const directory = join(root, `${engine().name} ${name}.mneme`);
      await model.save(directory);
      const again = await loadModel(directory, { engine: engine() });
      const write = async (from: typeof model): Promise<string> => {
        let written = '';
        for await (const character of from.session().generate('row ', { temperature: 0, length: 40 })) {
          written += character;
        }
        return written;
      };
      expect(await write(again)).toBe(await write(model));
    });
  });
});
