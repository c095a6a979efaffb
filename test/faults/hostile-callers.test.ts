/**
 * Whatever the public functions are given, and in whatever state: a result, or a `MnemeError` that says what is wrong. Calls are
 * those that are right with a part of them replaced, or have arguments of any kind. `npm run test:asan` does the same with the
 * sanitizers watching.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MnemeError } from '../../src/errors.js';
import { type Random, randomOf } from '../fuzz/random.js';
import { CallersError, hostileValue } from './hostile-values.mjs';
import { makeWorld, type PublicFunction } from './public-functions.js';

const calls = Number(process.env.MNEME_FUZZ_COUNT ?? 100_000);
const seed = Number(process.env.MNEME_FUZZ_SEED ?? 1);
/** A world is a new one after so many calls: what they did to it adds up. */
const perWorld = 1000;

const home = process.cwd();
const directory = mkdtempSync(join(tmpdir(), 'mneme-callers-'));
beforeAll(() => process.chdir(directory));
afterAll(() => {
  process.chdir(home);
  rmSync(directory, { recursive: true });
});

test('every public function answers hostile arguments with an error of mneme', { timeout: 3_600_000 }, async () => {
  const faults = new Map<string, string>();
  const worked = new Set<string>();
  for (let from = 0; from < calls; from += perWorld) {
    const world = await makeWorld();
    for (let call = from; call < Math.min(calls, from + perWorld); call++) {
      const random = randomOf(seed * 1_000_003 + call);
      const chosen = random.pick(world.functions);
      const { values, changed } = argumentsFor(random, chosen);
      const fault = await outcomeOf(chosen, values);
      if (fault === undefined && !changed) worked.add(chosen.name);
      if (fault) faults.set(`${chosen.name}: ${fault.split('\n')[0]}`, `call ${call}: ${fault}`);
    }
    await world.end();
  }
  expect([...faults].map(([what, where]) => `${what}\n${where}`).join('\n\n')).toBe('');
  expect(worked.size).toBeGreaterThan(0);
});

function argumentsFor(random: Random, { right }: PublicFunction): { values: unknown[]; changed: boolean } {
  if (!right || random.once(8)) {
    return { values: Array.from({ length: random.below(5) }, () => hostileValue(random.below)), changed: true };
  }
  if (random.once(8)) return { values: right(), changed: false };
  return { values: withChange(random, right()) as unknown[], changed: true };
}

/** The same with something in it replaced, added or left out. */
function withChange(random: Random, value: unknown): unknown {
  const plain = Array.isArray(value) || (typeof value === 'object' && value !== null && isPlain(value));
  if (!plain) return hostileValue(random.below);
  const copy = Object.assign(Array.isArray(value) ? [] : {}, value) as Record<string, unknown>;
  const keys = Object.keys(copy);
  const key = keys.length === 0 || random.once(10) ? '0' : random.pick(keys);
  if (random.once(12)) delete copy[key];
  else copy[key] = random.once(2) ? withChange(random, copy[key]) : hostileValue(random.below);
  return copy;
}

/** Not what other functions of mneme made: layers, losses and the like are whole. */
const isPlain = (value: object): boolean =>
  [Object.prototype, null].includes(Object.getPrototypeOf(value)) &&
  !Object.values(value).some((part) => typeof part === 'function');

/** What is wrong with how the function answered, or undefined. */
async function outcomeOf({ name, call }: PublicFunction, values: readonly unknown[]): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('never settles'), 60_000);
  });
  try {
    return await Promise.race([use(call(...values)), silence]);
  } catch (error) {
    // What the argument itself throws is the caller's: a trap, a revoked proxy, a class that is called like a function.
    const own = /revoked|Class constructor Hostile/.test(String((error as Error)?.message));
    if (own || error instanceof CallersError) return undefined;
    if (error instanceof MnemeError && error.code !== 'internal') return undefined;
    return `${error instanceof Error ? error.stack : `${name} threw ${typeof error}`}`;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a promise, and takes the first of what is iterated. */
async function use(result: unknown): Promise<undefined> {
  const value = await result;
  if (typeof value !== 'object' || value === null) return;
  if (Symbol.asyncIterator in value) {
    for await (const _ of value as AsyncIterable<unknown>) break;
  } else if (Symbol.iterator in value && 'next' in value) {
    for (const _ of value as Iterable<unknown>) break;
  }
}
