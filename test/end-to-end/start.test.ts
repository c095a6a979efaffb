/** What `npm start` runs, for two seconds on a small text. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { argumentsOf, finished, mneme, workshop } from '../cli/mneme.js';

const { path, text } = workshop();
const example = fileURLToPath(new URL('../../examples/write-a-book.js', import.meta.url));
const run = (...args: string[]) => finished(spawn(process.execPath, [example, ...args]));

describe('npm start', () => {
  it('shows samples and validation loss, saves a model, and prints commands that work', async () => {
    const { code, stdout, stderr } = await run('--text', text, '--seconds', '2', '--out', path('book'));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    for (const when of ['before training', 'halfway', 'after training']) expect(stdout).toContain(`--- ${when}: `);
    expect(stdout).toMatch(/^pass \d+.*validation \d\.\d+ nats, \d\.\d+ bits/m);
    expect(stdout).toMatch(/^validation loss: \d\.\d+ nats, \d\.\d+ bits a character$/m);
    const commands = [...stdout.matchAll(/^ {2}npx mneme (.*)$/gm)].map(([, words]) => words!);
    expect(commands.length).toBeGreaterThan(1);
    for (const words of commands) {
      expect(await mneme(argumentsOf(words))).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('takes a text of a few words', async () => {
    const { code } = await run(
      '--text',
      fileURLToPath(new URL('../../CHANGELOG.md', import.meta.url)),
      '--seconds',
      '1',
      '--out',
      path('short'),
    );
    expect(code).toBe(0);
  });

  it('says in a sentence what is wrong with a text', async () => {
    const { code, stderr } = await run('--text', path('none.txt'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cannot read .*none\.txt: there is no such file\.\n$/);
  });
});
