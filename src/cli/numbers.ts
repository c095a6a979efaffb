/** Parsers of numeric options: the message says what was expected. */
import { InvalidArgumentError } from 'commander';

/** A whole number in [minimum, maximum]. */
export const wholeNumber =
  (minimum = 0, maximum = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = parse(text);
    if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
    const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };

/** A number in [minimum, maximum], or above `above`, or below `below`. */
export const number =
  (range: { readonly minimum?: number; readonly above?: number; readonly below?: number; readonly maximum?: number }) =>
  (text: string): number => {
    const value = parse(text);
    const inside =
      Number.isFinite(value) &&
      value >= (range.minimum ?? value) &&
      value <= (range.maximum ?? value) &&
      !(range.above !== undefined && value <= range.above) &&
      !(range.below !== undefined && value >= range.below);
    if (inside) return value;
    const parts = [
      range.minimum === undefined ? '' : `at least ${range.minimum}`,
      range.above === undefined ? '' : `above ${range.above}`,
      range.maximum === undefined ? '' : `at most ${range.maximum}`,
      range.below === undefined ? '' : `below ${range.below}`,
    ].filter((part) => part !== '');
    throw new InvalidArgumentError(`Expected a number ${parts.join(' and ')}.`);
  };

const parse = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));
