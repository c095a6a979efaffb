/** Parsers of numeric options: the message says what was expected. */
import { InvalidArgumentError } from 'commander';
import { isWithin, type NumberRange, printRange } from '../options.js';

/** A whole number in [minimum, maximum]. */
export const wholeNumber =
  (minimum = 0, maximum = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = parse(text);
    if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
    const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };

/** A number within a range. */
export const number =
  (range: NumberRange) =>
  (text: string): number => {
    const value = parse(text);
    if (isWithin(value, range)) return value;
    throw new InvalidArgumentError(`Expected a number${printRange(range)}.`);
  };

const parse = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));
