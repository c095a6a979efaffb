/** Values of the user's own. */
import * as v from 'valibot';
import {
  elementCount,
  isNumericArray,
  isTensor,
  type NumericArray,
  printShape,
  type Shape,
  sameShape,
  type Tensor,
} from '../../compute/tensor.js';
import { MnemeError, printKind } from '../../errors.js';
import type { Initializer, RandomNumbers } from './initializer.js';

/** Numbers in lists of equal length, nested once for each axis. */
export type NestedNumbers = readonly (number | NestedNumbers)[];
/** Values for a parameter of that shape, row-major. `random` depends on the seed and the parameter's name. */
export type GivenFunction = (shape: Shape, random: RandomNumbers) => ArrayLike<number>;

/** What a layer's options hold of given values. In a file it is nothing: a loaded model has its parameters already. */
export interface GivenValues {
  readonly start: Initializer;
  /** Where it is known before a parameter asks. */
  readonly shape?: Shape | undefined;
  toJSON(): undefined;
}

export const givenSchema = v.strictObject({
  kind: v.literal('given'),
  values: v.optional(
    v.custom<GivenValues>(
      (option) =>
        typeof option === 'object' && option !== null && 'start' in option && typeof option.start === 'function',
      'what initializers.given makes',
    ),
  ),
});
export type Given = v.InferOutput<typeof givenSchema>;

export function given(source: Tensor | NumericArray | NestedNumbers | GivenFunction): Given {
  return { kind: 'given', values: { ...valuesOf(source), toJSON: () => undefined } };
}

/** @throws {MnemeError} `invalid-option` where they came from a file, `invalid-shape` */
export function givenInitializer({ values }: Given, shape: Shape | undefined): Initializer {
  if (!values) {
    return () => {
      throw new MnemeError(
        'invalid-option',
        "This layer's values were given by the program that made it, and a file does not hold them: give them again with initializers.given.",
      );
    };
  }
  if (shape && values.shape && !sameShape(values.shape, shape)) {
    throw new MnemeError(
      'invalid-shape',
      `initializers.given: the parameter has the shape ${printShape(shape)}, the values ${printShape(values.shape)}.`,
    );
  }
  return values.start;
}

function valuesOf(source: Parameters<typeof given>[0]): Pick<GivenValues, 'start' | 'shape'> {
  if (typeof source === 'function') {
    return { start: (shape, random) => checked(Float64Array.from(source(shape, random)), shape) };
  }
  if (isNested(source)) {
    const shape = shapeOf(source);
    return fixed(Float64Array.from(flat(source, shape)), shape);
  }
  if (isNumericArray(source)) return fixed(doubles(source));
  if (isTensor(source)) return fixed(doubles(source.data), source.shape);
  throw new MnemeError(
    'invalid-argument',
    `initializers.given: expected a tensor, a typed array, nested lists of numbers or a function, got ${printKind(source)}.`,
  );
}

const fixed = (data: Float64Array, shape?: Shape): Pick<GivenValues, 'start' | 'shape'> => {
  requireFinite(data);
  // A copy: whoever asks may change what it gets.
  return { start: (wanted) => checked(data, wanted).slice(), shape };
};

function checked(data: Float64Array, shape: Shape): Float64Array {
  if (data.length !== elementCount(shape)) {
    throw new MnemeError(
      'invalid-shape',
      `initializers.given: the parameter ${printShape(shape)} needs ${elementCount(shape)} numbers, got ${data.length}.`,
    );
  }
  return requireFinite(data);
}

function requireFinite(data: Float64Array): Float64Array {
  const wrong = data.findIndex((x) => !Number.isFinite(x));
  if (wrong < 0) return data;
  throw new MnemeError('not-finite', `initializers.given: element ${wrong} is ${data[wrong]}.`);
}

const isNested = (source: unknown): source is NestedNumbers => Array.isArray(source);
/** A detached array has no elements and cannot be gone through. */
const doubles = (data: NumericArray): Float64Array => (data.length > 0 ? Float64Array.from(data) : new Float64Array(0));

function shapeOf(list: NestedNumbers): Shape {
  const [first] = list;
  return [list.length, ...(isNested(first) ? shapeOf(first) : [])];
}

/** @throws {MnemeError} `invalid-shape` unless every list has the length of the others at its depth */
function flat(list: NestedNumbers, [length, ...inner]: Shape): number[] {
  const fits = (item: number | NestedNumbers) => (inner.length > 0 ? isNested(item) : typeof item === 'number');
  if (list.length !== length || !list.every(fits)) {
    throw new MnemeError(
      'invalid-shape',
      'initializers.given: nested lists of numbers must be of equal length and depth.',
    );
  }
  return list.flatMap((item) => (isNested(item) ? flat(item, inner) : [item]));
}
