/** A model file holds schedules as plain data, and of a schedule of the user's own the number alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadModel, sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import { type Rate, rateAt, scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { reference } from './engines.js';

const root = mkdtempSync(join(tmpdir(), 'mneme-rates-'));
afterAll(() => rmSync(root, { recursive: true }));

async function saved(rate: Rate): Promise<string> {
  const directory = join(mkdtempSync(join(root, 'case-')), 'model.mneme');
  const model = sequential([layers.dense({ units: 3 }), layers.dropout({ rate }), layers.dense({ units: 1 })], {
    input: { features: 2 },
    engine: reference(),
  });
  await model.save(directory);
  model.dispose();
  return directory;
}

async function loadedRate(directory: string): Promise<Rate> {
  const model = await loadModel(directory, { engine: reference() });
  const rate = model.network.layers[1]!.rates!.rate!;
  model.dispose();
  return rate;
}

describe('a model file', () => {
  it('brings a scheduled dropout back', async () => {
    const rate = await loadedRate(await saved(scheduled(0.5, schedules.step({ every: 2, factor: 0.5 }))));
    const at = (iteration: number) => rateAt(rate, { iteration, epoch: 0, fraction: 0, losses: [] });
    expect([1, 2, 3, 4, 5].map(at)).toEqual([0.5, 0.5, 0.25, 0.25, 0.125]);
  });

  it('has the number alone where the schedule is a function of the user’s own', async () => {
    expect(await loadedRate(await saved(scheduled(0.5, () => 0.5)))).toBe(0.5);
  });

  it('is refused where its schedule is none', async () => {
    const directory = await saved(scheduled(0.5, schedules.step({ every: 2 })));
    const file = join(directory, 'model.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"kind": ?"step"/, '"kind": "steps"'));
    await expect(loadedRate(directory)).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringContaining("layer 2: There is no schedule 'steps'. Did you mean 'step'?"),
    });
  });
});
