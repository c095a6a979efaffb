/** What `examples/vanishing-gradient.js` shows. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { finished } from '../cli/mneme.js';

const directory = mkdtempSync(join(tmpdir(), 'mneme-gradient-'));
afterAll(() => rmSync(directory, { recursive: true }));
const example = fileURLToPath(new URL('../../examples/vanishing-gradient.js', import.meta.url));
const run = (...words: string[]) => finished(spawn(process.execPath, [example, ...words]));

it('shows what a cell keeps over 100 steps, as a table and as a picture', async () => {
  const picture = join(directory, 'gradient.svg');
  const { code, stdout, stderr } = await run('--out', picture);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const rows = Object.fromEntries(
    stdout.split('\n').flatMap((line) => {
      const [, name, numbers] = /^(\S.*?)\s{2,}(\d.*)$/.exec(line) ?? [];
      return name && numbers ? [[name, numbers.trim().split(/\s+/).map(Number)]] : [];
    }),
  );
  expect(rows.distance).toEqual([0, 1, 2, 5, 10, 20, 50, 100]);
  const after100 = (name: string): number => rows[name]!.at(-1)!;
  const [zero, one, five] = [0, 1, 5].map((bias) => after100(`LSTM, forget bias ${bias}`));
  // A forget gate of 0.5 leaves 0.5^100 = 8e-31 along the cell alone; of 0.993 a half.
  expect(zero).toBeLessThan(1e-8);
  expect(one).toBeGreaterThan(1e4 * zero!);
  expect(five).toBeGreaterThan(0.1);
  expect(after100('GRU')).toBeLessThan(1e-8);
  expect(after100('simple RNN')).toBeLessThan(1e-3);

  const svg = readFileSync(picture, 'utf8');
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" .*<\/svg>\n$/s);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const curves = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points]) => points!.split(' '));
  expect(curves.map((points) => points.length)).toEqual([101, 101, 101, 101, 101]);
  for (const name of ['simple RNN', 'GRU', 'LSTM, forget bias 5']) expect(svg).toContain(`>${name}</text>`);
});

it('refuses steps that are none', async () => {
  const { code, stderr } = await run('--steps', 'many');
  expect(code).toBe(1);
  expect(stderr).toBe('--steps must be a whole number of at least 1, got many.\n');
});
