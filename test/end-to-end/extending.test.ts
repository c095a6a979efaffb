/** What docs/extending.md shows of updaters and schedules, run as it stands there. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { finished } from '../cli/mneme.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/extending.md`, 'utf8');

/** The programs in a section of the page. */
const programs = (section: string): string[] => {
  const [text] = page.split(`\n## ${section}\n`)[1]!.split('\n## ');
  return [...text!.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]!);
};

/** Prints the parameters after three steps with the first updater, and with the second. */
const compare = (own: string, builtIn: string) => `
import * as mneme from 'mneme';
const after = async (updater) => {
  const model = mneme.createNetwork([mneme.layers.dense({ units: 3 })], { input: { features: 5, sequence: false }, seed: 7 });
  const trainer = mneme.createTrainer(model, { loss: mneme.losses.meanSquaredError(), updater });
  const numbers = (count, by) => mneme.tensor(Float32Array.from({ length: count }, (_, at) => Math.sin(at * by)), [4, count / 4]);
  for (let step = 1; step <= 3; step++) {
    await trainer.step({ inputs: numbers(20, step), targets: numbers(12, step + 0.5), continues: false });
  }
  const parameters = await model.readParameters();
  trainer.dispose();
  model.dispose();
  return [...parameters];
};
console.log(JSON.stringify([await after(${own}), await after(${builtIn})]));
`;

async function run(program: string): Promise<[own: number[], builtIn: number[]]> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
  const { code, stdout, stderr } = await finished(child);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('the page on extending mneme', () => {
  const [signSgd, ownAdam] = programs('An updater');
  const [schedule] = programs('A schedule');

  it('shows an updater of a plain function', async () => {
    const [own, lion] = await run(
      signSgd! + compare('signSgd()', 'mneme.updaters.lion({ learningRate: 1e-3, beta1: 0 })'),
    );
    expect(own).toEqual(lion);
  });

  it('shows an updater with options and states that gives the bits of the one that is built in', async () => {
    const [own, adam] = await run(ownAdam! + compare('ownAdam()', 'mneme.updaters.adam()'));
    expect(own).toEqual(adam);
  });

  it('shows a schedule of a plain function', async () => {
    const builtIn = 'mneme.updaters.sgd({ learningRate: 0.1, momentum: 0.9 })';
    const [own, inFirstEpoch] = await run(schedule! + compare('sgd', builtIn));
    expect(own).toEqual(inFirstEpoch);
  });
});
