/** What the README tells people to type, typed, on a smaller book and for a shorter time. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { argumentsOf, finished, mneme, workshop } from '../cli/mneme.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(`${root}README.md`, 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]!);

const { path, text } = workshop();
const local = (words: string): string =>
  words.replaceAll('book.txt', path('book.txt')).replaceAll('book.mneme', path('book.mneme'));
// The README's program reads batches of 32 rows of 100 characters, and 8 of its validation part.
writeFileSync(path('book.txt'), `It was ${readFileSync(text, 'utf8').repeat(2)}`);

describe('the README', () => {
  it('shows a program that runs', async () => {
    const [program] = blocks('js').map((source) => local(source).replace('epochs: 10', 'epochs: 1'));
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program!], { cwd: root });
    const { code, stdout, stderr } = await finished(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/nats a character/);
  });

  it('shows commands that run, one after another', async () => {
    const commands = blocks('sh')
      .flatMap((block) => block.trim().split('\n'))
      .filter((line) => line.startsWith('npx mneme '));
    expect(commands.length).toBeGreaterThan(4);
    for (const command of commands) {
      const words = local(command).replace('--seconds 60', '--seconds 1').replace('npx mneme ', '');
      expect(await mneme(argumentsOf(words)), command).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    const named = [...readme.matchAll(/`(?:npm run )?((?:bench|test|check|build)[\w:]*)`/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
