/** What must be the same in a training that goes on as in the one that wrote the checkpoint. */
import { MnemeError } from '../errors.js';

/** What can be said of options in JSON: functions are left out, for nothing can be said of them. */
export const plain = (options: unknown): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(options, (_, value) => (Number.isFinite(value) ? value : plainValue(value))));

function plainValue(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value;
}

/**
 * @param checkpoint its path, for messages
 * @throws {MnemeError} `invalid-option`: the first thing that differs, as it was and as it is
 */
export function requireAgreement(checkpoint: string, was: unknown, is: unknown): void {
  const difference = firstDifference(was, is, '');
  if (!difference) return;
  const { path, before, now } = difference;
  throw new MnemeError(
    'invalid-option',
    `fit: '${path}' is ${print(now)}, but was ${print(before)} in the run that wrote ${checkpoint}. ` +
      'A run goes on as it was: make them the same, or begin anew in another directory.',
  );
}

interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly now: unknown;
}

function firstDifference(before: unknown, now: unknown, path: string): Difference | undefined {
  if (isObject(before) && isObject(now) && Array.isArray(before) === Array.isArray(now)) {
    const [was, is] = [new Map(Object.entries(before)), new Map(Object.entries(now))];
    for (const name of new Set([...was.keys(), ...is.keys()])) {
      const difference = firstDifference(was.get(name), is.get(name), path === '' ? name : `${path}.${name}`);
      if (difference) return difference;
    }
    return undefined;
  }
  return before === now ? undefined : { path, before, now };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function print(value: unknown): string {
  const text = value === undefined ? 'not given' : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
