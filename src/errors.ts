/**
 * The one error class of mneme. Every message says what is wrong, where, what was expected and what was
 * found, and what to do about it; `code` is stable and meant for programs.
 */

/** Stable error codes. */
export type ErrorCode =
  | 'invalid-option' // an option is unknown, misspelt, of the wrong type or out of range
  | 'invalid-argument' // an argument is of the wrong type, detached, or otherwise unusable
  | 'invalid-shape' // shapes do not fit together
  | 'out-of-range' // an index or id lies outside its range
  | 'out-of-memory' // refused before allocation: too large for this machine
  | 'not-finite' // NaN or Infinity where numbers are needed
  | 'invalid-program' // a program refused by an engine's verification
  | 'engine-unavailable' // the engine asked for cannot be loaded
  | 'disposed' // used after dispose
  | 'busy' // two operations at once on something that takes one
  | 'aborted' // stopped by an AbortSignal
  | 'file-missing'
  | 'file-invalid' // truncated, tampered with, or not of the format
  | 'file-write' // cannot be written
  | 'invalid-text' // not UTF-8, or symbols outside the vocabulary
  | 'insufficient-data' // empty, or shorter than one batch
  | 'internal'; // a fault of mneme itself: please report

/** The error that every public function throws or rejects with. */
export class MnemeError extends Error {
  override readonly name = 'MnemeError';
  readonly code: ErrorCode;

  /**
   * @param code stable code
   * @param message what is wrong, where, expected and found, and the remedy
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a value is, for messages: `null`, `number`, `Float32Array`. */
export function printKind(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'an object';
}

/** A value as messages show it: numbers and short texts as they are, everything else by its kind. Never throws. */
export function printValue(value: unknown): string {
  if (typeof value === 'string') return value.length <= 60 ? `'${value}'` : `'${value.slice(0, 60)}…'`;
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : printKind(value);
}

/** Whether it is a typed array, or a proxy of one, which fails whoever looks into it. */
export const isTypedArray = (value: unknown): boolean => value instanceof TypedArray;
const TypedArray: abstract new () => object = Object.getPrototypeOf(Uint8Array);

/**
 * @param where the function that was called, as the user wrote it
 * @throws {MnemeError} `invalid-argument` unless the condition holds: `where: expected such, got that.`
 */
export function requireArgument(condition: boolean, where: string, expected: string, got: unknown): asserts condition {
  if (!condition) {
    throw new MnemeError('invalid-argument', `${where}: expected ${expected}, got ${printValue(got)}.`);
  }
}

/** `1.5 GiB` */
export const printGibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
