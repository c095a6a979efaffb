/** Options that are lists of numbers, and the constants that programs read them from. */
import * as v from 'valibot';
import { type Tensor, tensor } from '../../compute/tensor.js';
import { finiteNumber, isWithin, type NumberRange, printRange } from '../../options.js';

/** A list of numbers within a range, or a typed array of them. */
export const numberList = (range: NumberRange = {}) =>
  v.pipe(
    v.custom<ArrayLike<number>>(
      (value) =>
        isList(value) &&
        value.length > 0 &&
        Array.from(value).every((x) => typeof x === 'number' && isWithin(x, range)),
      `a list of finite numbers${printRange(range)}`,
    ),
    v.transform((values): readonly number[] => Array.from(values)),
  );

/** One number for all features, or a list of one for each. */
export const numberOrList = (range: NumberRange = {}) =>
  v.pipe(
    v.custom<number | ArrayLike<number>>(
      (value) => v.is(finiteNumber(range), value) || v.is(numberList(range), value),
      `a finite number${printRange(range)}, or a list of such numbers`,
    ),
    v.transform((value): number | readonly number[] => (typeof value === 'number' ? value : Array.from(value))),
  );

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** The lists among settings, in double precision: an engine rounds them to its own. */
export const listsAmong = (settings: object): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      Array.isArray(value) ? [[name, tensor(Float64Array.from(value))]] : [],
    ),
  );
