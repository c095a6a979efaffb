/** What an initializer is, and how one is declared: settings, which are plain data, and the function they stand for. */
import * as v from 'valibot';
import type { Shape } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import { parseOptions } from '../../options.js';
import type { Product } from '../orthogonal-blocks.js';

/** Random numbers of one parameter: each call goes on where the last ended. */
export interface RandomNumbers {
  /** In [0, 1). */
  uniform(count: number): Float64Array;
  /** Mean 0, deviation 1. */
  normal(count: number): Float64Array;
}

/** Values for a parameter of that shape, row-major. `multiply` is the engine's, for those that need many products. */
export type Initializer = (shape: Shape, random: RandomNumbers, multiply?: Product) => Float64Array;

type Entries = v.ObjectEntries;
type Schema<Kind extends string, E extends Entries> = v.StrictObjectSchema<
  { readonly kind: v.LiteralSchema<Kind, undefined> } & E,
  undefined
>;
type Settings<E extends Entries> = v.InferOutput<v.StrictObjectSchema<E, undefined>>;

/**
 * Declares an initializer.
 *
 * @param entries the schema of its settings
 * @param initializer the function for settings with their defaults
 */
export function rule<const Kind extends string, const E extends Entries>(
  kind: Kind,
  entries: E,
  initializer: (settings: Settings<E>) => Initializer,
) {
  const schema = v.strictObject({ kind: v.literal(kind), ...entries }) as unknown as Schema<Kind, E>;
  return {
    schema,
    initializer: initializer as (settings: unknown) => Initializer,
    /** Checks the settings and fills in the defaults. */
    make: (settings: v.InferInput<v.StrictObjectSchema<E, undefined>> = {} as never): { kind: Kind } & Settings<E> =>
      parseOptions(schema, { ...settings, kind }, `initializers.${kind}`) as unknown as { kind: Kind } & Settings<E>,
  } as const;
}

/**
 * The setting of initializers that look at the shape of a matrix: where a kernel holds the gates of a recurrent layer
 * side by side, whether each gate's block of columns is a matrix of its own, or all of them together are one, as in Keras.
 */
export const gates = v.optional(v.picklist(['each', 'together']), 'each');

/** Applies `inner` to each of `count` equal blocks of columns: the gates of a recurrent layer. */
export function gateBlocks(inner: Initializer, count: number): Initializer {
  if (count === 1) return inner;
  return (shape, random, multiply) => {
    const width = shape.at(-1)! / count;
    const rows = shape.length === 1 ? 1 : shape[0]!;
    const result = new Float64Array(rows * width * count);
    for (let block = 0; block < count; block++) {
      const values = inner([...shape.slice(0, -1), width], random, multiply);
      for (let row = 0; row < rows; row++) {
        result.set(values.subarray(row * width, (row + 1) * width), (row * count + block) * width);
      }
    }
    return result;
  };
}

/** The extents of a matrix. @throws {MnemeError} `invalid-option` for a vector */
export function matrix(shape: Shape): [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (shape.length === 2 && rows !== undefined && columns !== undefined) return [rows, columns];
  throw new MnemeError(
    'invalid-option',
    `This initializer needs a matrix, but the parameter has the shape [${shape.join(', ')}]: use 'zeros', 'uniform' or 'normal'.`,
  );
}
