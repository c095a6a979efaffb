/** What docs/updaters-and-schedules.md says is there, is there. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scheduled, schedules, type Updater, updaters } from '../../src/index.js';

const page = readFileSync(new URL('../../docs/updaters-and-schedules.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row!.split(' | '));
const code = (cell: string) => [...cell.matchAll(/`([^`]*)`/g)].map(([, text]) => text!);
const firstWords = (names: readonly string[]) =>
  rows
    .flatMap(([first]) => code(first!))
    .map((text) => /^\w+/.exec(text)![0])
    .filter((name) => names.includes(name));

describe('the page on updaters and schedules', () => {
  it('names all of them', () => {
    expect(firstWords(Object.keys(updaters)).sort()).toEqual(Object.keys(updaters).sort());
    expect(firstWords(Object.keys(schedules)).sort()).toEqual(Object.keys(schedules).sort());
  });

  const calls = rows.flatMap(([, ...cells]) => cells.flatMap(code)).filter((text) => /^\w+\(/.test(text));
  it.each(calls)('%s is an updater', (call) => {
    const { name } = new Function('updaters', `return updaters.${call}`)(updaters) as { name: string };
    expect(call.startsWith(`${name}(`)).toBe(true);
  });

  it.each(rows.map(([first]) => code(first!)[0]!).filter((text) => /^\w+\(\{/.test(text)))(
    '%s has these options and no others',
    (signature) => {
      const [, kind, options] = /^(\w+)\(\{ (.*) \}\)$/.exec(signature)!;
      const make = schedules[kind as keyof typeof schedules] as (options: object) => unknown;
      expect(() => make({ nothing: 1 })).toThrow(`Known: ${options}.`);
    },
  );

  it('shows a program that runs', () => {
    const [, program] = /^```js\nimport [^\n]*\n(.*?)^```$/ms.exec(page)!;
    const body = program!.replace('export const updater =', 'return');
    const make = new Function('scheduled', 'schedules', 'updaters', body) as (...names: unknown[]) => Updater;
    const { options } = make(scheduled, schedules, updaters);
    expect(JSON.parse(JSON.stringify(options))).toMatchObject({
      learningRate: { value: 0.5, schedule: { kind: 'oneCycle', steps: 2000 } },
      momentum: { value: 0.95, schedule: { kind: 'oneCycle', peak: 0.9 } },
    });
  });
});
