/** The commands that scripts rely on: their options, their output, their exit codes. */
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { finished, jsonLines, mneme, start, workshop } from './mneme.js';

const { path, text } = workshop();
const small = ['--text', text, '--layers', '1', '--units', '24', '--embedding', '8', '--batch', '8', '--steps', '20'];
const trained = path('trained.mneme');
let lines: Record<string, unknown>[];

beforeAll(async () => {
  const result = await mneme(['train', ...small, '--epochs', '8', '--seed', '3', '--out', trained, '--json']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  lines = jsonLines(result);
});

describe('train --json', () => {
  it('says first what is trained, and on what', () => {
    expect(lines[0]).toEqual({
      parameters: 29 * 8 + (8 + 24 + 1) * 4 * 24 + 25 * 29,
      vocabulary: 29,
      tokens: 9000,
      threads: expect.any(Number),
      isa: expect.any(String),
      engine: expect.stringMatching(/^(native|reference)$/),
    });
  });

  it('gives a line for every pass, and the losses fall', () => {
    const passes = lines.slice(1, -1);
    expect(passes.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const pass of passes) {
      expect(Object.keys(pass)).toEqual(['epoch', 'step', 'trainLoss', 'validationLoss', 'tokensPerSecond', 'seconds']);
      expect(Object.values(pass).every(Number.isFinite)).toBe(true);
    }
    const losses = passes.map(({ validationLoss }) => validationLoss as number);
    expect(losses[0]).toBeLessThan(Math.log(29));
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.5);
  });

  it('says last where the model is', () => expect(lines.at(-1)).toEqual({ model: trained }));

  it('reports the pass that the time cut short, and tells how long it took', async () => {
    const result = await mneme(['train', ...small, '--seconds', '0.5', '--out', path('timed.mneme'), '--json']);
    const passes = jsonLines(result).slice(1, -1);
    expect(passes.at(-1)!.seconds).toBeGreaterThan(0.4);
    expect(passes.at(-1)!.validationLoss).toEqual(expect.any(Number));
  });

  it('learns the same for the same seed, whatever the threads', async () => {
    const losses = async (seed: string, threads: string) => {
      const out = path(`seed-${seed}-${threads}.mneme`);
      const args = ['train', ...small, '--epochs', '1', '--seed', seed, '--threads', threads, '--dropout', '0.1'];
      return jsonLines(await mneme([...args, '--out', out, '--json']))[1]!.trainLoss;
    };
    const loss = await losses('5', '1');
    expect(await losses('5', '2')).toBe(loss);
    expect(await losses('6', '1')).not.toBe(loss);
  });

  it.each(['lstm', 'graves', 'gru', 'mingru', 'minlstm', 'rnn'])(
    'trains %s, one-hot, with every updater and a constant rate',
    async (cell) => {
      for (const updater of ['adam', 'rmsprop', 'adagrad', 'nesterovs', 'sgd']) {
        const choice = ['--cell', cell, '--embedding', '0', '--updater', updater, '--schedule', 'constant'];
        const args = [...small, ...choice, '--epochs', '2', '--clip-norm', '1', '--validation', '0', '--test', '0'];
        const passes = jsonLines(await mneme(['train', ...args, '--out', path(`${cell}.mneme`), '--json'])).slice(
          1,
          -1,
        );
        expect(passes).toHaveLength(2);
        expect(passes[0]!.validationLoss).toBeNull();
        expect(passes[1]!.trainLoss).toBeLessThan(passes[0]!.trainLoss as number);
      }
    },
  );
});

describe('train, for people', () => {
  it('writes plain lines where there is no terminal, and says how to go on', async () => {
    const result = await mneme(['train', ...small, '--epochs', '2', '--out', path('plain.mneme')]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^pass 1 .*validation \d\.\d+ nats, \d\.\d+ bits.*tokens\/s/m);
    expect(result.stdout).toContain(`mneme generate ${path('plain.mneme')}`);
    expect(result.stdout).not.toContain('\u001b');
  });
});

describe('Ctrl-C while training', () => {
  it('saves the model, says where, and exits with 130', async () => {
    const out = path('interrupted.mneme');
    const child = start(['train', ...small, '--epochs', '1000000', '--out', out, '--json']);
    child.stdout!.once('data', () => setTimeout(() => child.kill('SIGINT'), 300));
    const result = await finished(child);
    expect(result).toMatchObject({ code: 130, stderr: '' });
    expect(jsonLines(result).at(-1)).toEqual({ model: out });
    expect((await mneme(['inspect', out])).code).toBe(0);
  });
});

describe('generate', () => {
  const write = (...args: string[]) => mneme(['generate', trained, '--prime', 'The ', '--length', '40', ...args]);

  it('writes the prime and as many symbols as asked for', async () => {
    const { code, stdout } = await write('--seed', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^The [\s\S]{40}\n$/);
  });

  it('writes the same for the same seed and something else for another', async () => {
    const [first, same, other] = await Promise.all([write('--seed', '1'), write('--seed', '1'), write('--seed', '2')]);
    expect(same.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  });

  it('takes the likeliest symbol at temperature 0: what it has learnt', async () => {
    const { stdout } = await write('--prime', 'quick brown ', '--temperature', '0');
    expect(stdout).toMatch(/^quick brown fox /);
  });

  it('ends before the text to stop at', async () => {
    const { stdout } = await write('--prime', 'quick brown ', '--temperature', '0', '--stop', 'x ');
    expect(stdout).toBe('quick brown fo\n');
  });
});

describe('evaluate and inspect', () => {
  it('measures the part that was left for testing', async () => {
    const [result] = jsonLines(await mneme(['evaluate', trained, '--text', text, '--part', 'test', '--json']));
    const { loss, bits, perplexity, tokens } = result as Record<string, number>;
    expect(loss).toBeLessThan(Math.log(29));
    expect(bits).toBeCloseTo(loss! / Math.LN2, 12);
    expect(perplexity).toBeCloseTo(Math.exp(loss!), 12);
    expect(tokens).toBeGreaterThan(300);
  });

  it('prints the layers, and the program of a step', async () => {
    const { stdout } = await mneme(['inspect', trained, '--batch', '8', '--steps', '20', '--program']);
    expect(stdout).toMatch(/lstm\s+\[8, 20, 24\]/);
    expect(stdout).toMatch(/recurrentGradient|recurrent lstm grad/);
  });
});

describe('doctor', () => {
  it('names the engine and finds that it computes rightly', async () => {
    const { code, stdout } = await mneme(['doctor']);
    expect(stdout).toMatch(/^engine +(native|reference)/m);
    expect(stdout).toMatch(/^self test +passed/m);
    expect(code).toBe(0);
  });

  it('obeys MNEME_ENGINE, and reports a setting that cannot be had', async () => {
    expect((await mneme(['doctor'], { MNEME_ENGINE: 'reference' })).stdout).toMatch(/^engine +reference/m);
    const { code, stdout } = await mneme(['doctor'], { MNEME_ENGINE: 'nativ' });
    expect(code).toBe(1);
    expect(stdout).toContain("Did you mean 'native'?");
  });
});

describe('--help', () => {
  it.each(['train', 'generate', 'evaluate', 'inspect', 'bench', 'doctor'])('of %s shows an example', async (name) => {
    const { code, stdout } = await mneme([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Example:\n  mneme ${name}`);
  });

  it('leaves nothing behind', () => expect(existsSync('model.mneme')).toBe(false));
});
