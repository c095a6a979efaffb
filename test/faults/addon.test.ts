/** The addon outlives whatever its process does to it, and takes no argument that it should not. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { encodeProgram } from '../../src/compute/engine/encoding.js';
import { counter, heavy, lookup, product } from '../compute/engine/programs.js';

const child = fileURLToPath(new URL('addon-child.mjs', import.meta.url));
const words = (program: Parameters<typeof encodeProgram>[0]) => Array.from(encodeProgram(program));
const input = JSON.stringify({
  heavy: words(heavy(512, 3)),
  programs: [counter(), lookup([4], 5, 3), product(3, 4, 5)].map(words),
});

/** Exit status, signal and what was printed. */
function run(...values: string[]) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child, ...values], {
    input,
    encoding: 'utf8',
  });
  return { status, signal, output: stdout.trim(), error: stderr };
}

test('an idle stream lets the process end', () => {
  expect(run('idle')).toMatchObject({ status: 0, signal: null });
});

test('a busy stream keeps the process until its work is done', () => {
  expect(run('busy')).toMatchObject({ status: 0, output: '1\n2\n3' });
});

test('process.exit and an uncaught exception in the middle of a step end the process as usual', () => {
  expect(run('exit')).toMatchObject({ status: 7, signal: null });
  expect(run('throw')).toMatchObject({ status: 1, signal: null, error: expect.stringContaining('on purpose') });
});

test('an exception from the function that settles is an uncaught exception', () => {
  expect(run('throwFromSettle')).toMatchObject({
    status: 1,
    signal: null,
    error: expect.stringContaining('on purpose'),
  });
});

test('a stream disposed of with steps in flight stops, and the process ends', () => {
  expect(run('disposed')).toMatchObject({ status: 0, output: 'true false' });
});

test('workers may load the addon, and be terminated in the middle of a step', () => {
  expect(run('workers')).toMatchObject({ status: 0, signal: null, output: 'survived' });
});

test('a worker may exit in the middle of a step', () => {
  expect(run('workerExits')).toMatchObject({ status: 0, signal: null, output: 'survived' });
});

test('a busy stream keeps its worker until its work is done', () => {
  expect(run('workerEnds')).toMatchObject({ status: 0, output: '1 2 3' });
});

test('a hundred thousand calls with arguments of every kind never crash', () => {
  const { status, signal, output, error } = run('hostileCalls', '100000');
  expect({ status, signal, error }).toMatchObject({ status: 0, signal: null });
  expect(output).toMatch(/^survived/);
});

test('programs changed at random are refused or run, never worse', () => {
  const { status, signal, output, error } = run('hostileWords', '20000');
  expect({ status, signal, error }).toMatchObject({ status: 0, signal: null });
  const [, ran, submitted] = output.match(/^survived, (\d+) of (\d+) ran/)!.map(Number);
  expect(ran).toBe(submitted);
  expect(ran).toBeGreaterThan(1000);
});
