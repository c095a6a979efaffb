/**
 * Options of the public functions: plain objects, checked strictly against one valibot schema that also
 * gives the TypeScript type and the defaults.
 */
import { closest } from 'fastest-levenshtein';
import * as v from 'valibot';
import { isTypedArray, MnemeError, printKind } from './errors.js';

/** A schema of a strict object of options. */
export type OptionsSchema = v.GenericSchema<unknown, unknown> & { readonly entries?: Record<string, unknown> };

/**
 * Checks `options` against `schema` and fills in the defaults.
 *
 * @param where the function the options were given to, as the user wrote it: `layers.lstm`
 * @throws {MnemeError} `invalid-option`, naming the option, what was expected and found, and for an unknown
 *   option the nearest right name
 */
export function parseOptions<S extends v.GenericSchema>(schema: S, options: unknown, where: string): v.InferOutput<S> {
  if (isTypedArray(options)) {
    throw new MnemeError('invalid-option', `${where}: options must be an object, got ${printKind(options)}.`);
  }
  const result = v.safeParse(schema, options ?? {});
  if (result.success) return result.output;
  const isUnknown = ({ type, expected }: v.BaseIssue<unknown>) => type === 'strict_object' && expected === 'never';
  // A misspelt name is also a missing one: the first is what the user needs to hear.
  const issue = result.issues.find(isUnknown) ?? result.issues[0];
  const path = v.getDotPath(issue) ?? '';
  if (isUnknown(issue)) {
    const names = entryNames(schema);
    const unknown = path || String(issue.received).replaceAll('"', '');
    const hint = names.length > 0 ? ` Did you mean '${nearestName(unknown, names)}'? Known: ${names.join(', ')}.` : '';
    throw new MnemeError('invalid-option', `${where}: unknown option '${unknown}'.${hint}`);
  }
  if (issue.type === 'strict_object' && path && issue.received === 'undefined') {
    throw new MnemeError('invalid-option', `${where}: option '${path}' is missing.`);
  }
  const subject = path ? `option '${path}'` : 'options';
  // A check or a custom schema says in its message what it expects.
  const expected = issue.type === 'custom' ? issue.message : (issue.expected ?? issue.message);
  throw new MnemeError('invalid-option', `${where}: ${subject} must be ${expected}, got ${issue.received}.`);
}

/** The name in `known` nearest to `name`: for messages about misspelt names. */
export function nearestName(name: string, known: readonly string[]): string {
  return closest(name.slice(0, longestName), known);
}

/** Comparing takes the square of it. */
const longestName = 100;

function entryNames(schema: unknown): string[] {
  const entries = (schema as OptionsSchema).entries;
  return entries ? Object.keys(entries) : [];
}

const described = <T>(what: string, test: (value: T) => boolean) => v.check<T, string>(test, what);

/** A whole number of at least `minimum`. */
export const wholeNumber = (minimum = 0) =>
  v.pipe(
    v.number(),
    described<number>(`a whole number of at least ${minimum}`, (x) => Number.isSafeInteger(x) && x >= minimum),
  );

/** Finite numbers in [minimum, maximum], strictly above `above` and below `below`; each bound is optional. */
export interface NumberRange {
  readonly minimum?: number;
  readonly above?: number;
  readonly maximum?: number;
  readonly below?: number;
}

export const isWithin = (x: number, { minimum = x, above, maximum = x, below }: NumberRange): boolean =>
  Number.isFinite(x) &&
  x >= minimum &&
  x <= maximum &&
  x > (above ?? Number.NEGATIVE_INFINITY) &&
  x < (below ?? Number.POSITIVE_INFINITY);

/** ` at least 0 and below 1`; nothing for all finite numbers. */
export function printRange({ minimum, above, maximum, below }: NumberRange): string {
  const parts = [
    minimum === undefined ? '' : `at least ${minimum}`,
    above === undefined ? '' : `above ${above}`,
    maximum === undefined ? '' : `at most ${maximum}`,
    below === undefined ? '' : `below ${below}`,
  ].filter((part) => part !== '');
  return parts.length > 0 ? ` ${parts.join(' and ')}` : '';
}

/** A finite number within a range. */
export const finiteNumber = (range: NumberRange = {}) =>
  v.pipe(
    v.number(),
    described<number>(`a finite number${printRange(range)}`, (x) => isWithin(x, range)),
  );
