/** The command line in a pseudo-terminal, as a person meets it. `script` (util-linux) makes the terminal. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { finished, jsonLines, mneme, start, workshop } from '../cli/mneme.js';

const { path, text } = workshop();
const main = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const small = ['--text', text, '--layers', '1', '--units', '16', '--embedding', '8', '--batch', '8', '--steps', '20'];

/** Under `script`, standard input is the keyboard and standard output the screen. */
function onTerminal(args: readonly string[]) {
  const command = [process.execPath, main, ...args].map((part) => `'${part}'`).join(' ');
  return spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], { stdio: 'pipe' });
}

describe.skipIf(process.platform !== 'linux')('training on a terminal', () => {
  it('shows a bar with step, speed, loss and time left, and takes it away at the end', async () => {
    const { code, stdout } = await finished(onTerminal(['train', ...small, '--seconds', '2', '--out', path('bar')]));
    expect(code).toBe(0);
    expect(stdout).toMatch(/█+░* +\d+ % {2}step [\d,]+ {2}[\d,]+ tokens\/s {2}loss \d\.\d{3} {2}ETA 0:0\d/);
    const screen = stdout.slice(stdout.lastIndexOf('\u001b['));
    expect(screen).not.toContain('█');
    expect(screen).toContain(`The model is in ${path('bar')}`);
  });

  it('saves the model on Ctrl-C, says where and after which step, and exits with 130', async () => {
    const child = onTerminal(['train', ...small, '--epochs', '1000000', '--out', path('cut')]);
    const pressed = setInterval(() => started && child.stdin.write('\u0003') && clearInterval(pressed), 100);
    let started = false;
    child.stdout.on('data', (chunk) => {
      started ||= String(chunk).includes('loss');
    });
    const { code, stdout } = await finished(child);
    clearInterval(pressed);
    expect(code).toBe(130);
    expect(stdout).toMatch(/Interrupted after step [\d,]+\./);
    expect(stdout).toContain(`The model is in ${path('cut')}`);
    expect((await mneme(['generate', path('cut'), '--prime', 'The ', '--length', '5'])).code).toBe(0);
  });

  it('takes one Ctrl-C that arrives twice, as npx passes it on, for one: the model is saved', async () => {
    const child = start(['train', ...small, '--epochs', '1000000', '--out', path('twice'), '--json']);
    child.stdout!.once('data', () => {
      child.kill('SIGINT');
      child.kill('SIGTERM');
    });
    const result = await finished(child);
    expect(result.code).toBe(130);
    expect(jsonLines(result).at(-1)).toEqual({ model: path('twice') });
  });
});
