/**
 * How parameters start. An initializer is named in a layer's options, as `'orthogonal'` or, with settings, as
 * `initializers.uniform({ low: -0.08, high: 0.08 })`, which is plain data.
 *
 * `fanIn` and `fanOut` are the rows and columns of the matrix. Where a kernel holds several gates side by side, each
 * gate's block `[rows, units]` is drawn as a matrix of its own, so that `fanOut` is the units of the layer and not four
 * times as many (Keras takes the whole kernel, PyTorch draws everything from U(±1/sqrt(units))).
 */
import * as v from 'valibot';
import { elementCount, type Shape } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { finiteNumber, parseOptions } from '../options.js';
import { orthogonalMatrix } from './orthogonal.js';

/** Random numbers of one parameter: each call goes on where the last ended. */
export interface RandomNumbers {
  /** In [0, 1). */
  uniform(count: number): Float64Array;
  /** Mean 0, deviation 1. */
  normal(count: number): Float64Array;
}

/** Values for a parameter of that shape, row-major. */
export type Initializer = (shape: Shape, random: RandomNumbers) => Float64Array;

const gain = v.optional(finiteNumber({ above: 0 }), 1);
const schemas = {
  zeros: v.strictObject({ kind: v.literal('zeros') }),
  uniform: v.strictObject({
    kind: v.literal('uniform'),
    low: v.optional(finiteNumber(), -0.05),
    high: v.optional(finiteNumber(), 0.05),
  }),
  normal: v.strictObject({
    kind: v.literal('normal'),
    mean: v.optional(finiteNumber(), 0),
    deviation: v.optional(finiteNumber({ minimum: 0 }), 0.05),
  }),
  xavierUniform: v.strictObject({ kind: v.literal('xavierUniform'), gain }),
  xavierNormal: v.strictObject({ kind: v.literal('xavierNormal'), gain }),
  orthogonal: v.strictObject({ kind: v.literal('orthogonal'), gain }),
} as const;

type Kind = keyof typeof schemas;
type Settings<K extends Kind> = v.InferOutput<(typeof schemas)[K]>;

/** One entry an initializer. */
const rules: { readonly [K in Kind]: (settings: Settings<K>) => Initializer } = {
  zeros: () => (shape) => new Float64Array(elementCount(shape)),
  uniform:
    ({ low, high }) =>
    (shape, random) =>
      random.uniform(elementCount(shape)).map((x) => low + (high - low) * x),
  normal:
    ({ mean, deviation }) =>
    (shape, random) =>
      random.normal(elementCount(shape)).map((x) => mean + deviation * x),
  xavierUniform: ({ gain }) => {
    return (shape, random) => {
      const limit = gain * Math.sqrt(6 / fans(shape));
      return random.uniform(elementCount(shape)).map((x) => limit * (2 * x - 1));
    };
  },
  xavierNormal: ({ gain }) => {
    return (shape, random) => {
      const deviation = gain * Math.sqrt(2 / fans(shape));
      return random.normal(elementCount(shape)).map((x) => deviation * x);
    };
  },
  orthogonal: ({ gain }) => {
    return (shape, random) => {
      const [rows, columns] = matrix(shape);
      return orthogonalMatrix(rows, columns, random.normal).map((x) => gain * x);
    };
  },
};

/**
 * Initializers with settings, for the `...Initializer` options of layers.
 *
 * - `zeros()`
 * - `uniform({ low = -0.05, high = 0.05 })`: U(low, high)
 * - `normal({ mean = 0, deviation = 0.05 })`
 * - `xavierUniform({ gain = 1 })`: U(±gain·sqrt(6 / (fanIn + fanOut))); Glorot and Bengio 2010, equation 16
 * - `xavierNormal({ gain = 1 })`: N(0, gain²·2 / (fanIn + fanOut)); same paper, equation 12; DL4J's XAVIER
 * - `orthogonal({ gain = 1 })`: orthonormal rows or columns; Saxe, McClelland and Ganguli 2013
 *
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.lstm({ units: 200, kernelInitializer: initializers.uniform({ low: -0.08, high: 0.08 }) });
 */
export const initializers = {
  zeros: maker('zeros'),
  uniform: maker('uniform'),
  normal: maker('normal'),
  xavierUniform: maker('xavierUniform'),
  xavierNormal: maker('xavierNormal'),
  orthogonal: maker('orthogonal'),
} as const;

/** The schema of an initializer in a layer's options: a name, or what `initializers` makes. */
export const initializerOption = v.union([
  v.picklist(Object.keys(schemas) as Kind[]),
  v.variant('kind', Object.values(schemas)),
]);
export type InitializerOption = v.InferOutput<typeof initializerOption>;

/** The initializer that an option stands for. */
export function initializer(option: InitializerOption): Initializer {
  const settings = v.parse(v.variant('kind', Object.values(schemas)), plain(option));
  return (rules[settings.kind] as (settings: unknown) => Initializer)(settings);
}

const plain = (option: InitializerOption) => (typeof option === 'string' ? { kind: option } : option);

/**
 * Applies `inner` to each of `count` equal blocks of columns: the gates of a recurrent layer.
 */
export function gateBlocks(inner: Initializer, count: number): Initializer {
  return (shape, random) => {
    const [rows, columns] = matrix(shape);
    const width = columns / count;
    const result = new Float64Array(rows * columns);
    for (let block = 0; block < count; block++) {
      const values = inner([rows, width], random);
      for (let row = 0; row < rows; row++) {
        result.set(values.subarray(row * width, (row + 1) * width), row * columns + block * width);
      }
    }
    return result;
  };
}

function maker<K extends Kind>(kind: K) {
  return (settings: Omit<v.InferInput<(typeof schemas)[K]>, 'kind'> = {} as never): Settings<K> =>
    parseOptions(schemas[kind], { ...settings, kind }, `initializers.${kind}`) as Settings<K>;
}

/** fanIn + fanOut. */
function fans(shape: Shape): number {
  const [rows, columns] = matrix(shape);
  return rows + columns;
}

function matrix(shape: Shape): [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (shape.length === 2 && rows !== undefined && columns !== undefined) return [rows, columns];
  throw new MnemeError(
    'invalid-option',
    `This initializer needs a matrix, but the parameter has the shape [${shape.join(', ')}]: use 'zeros', 'uniform' or 'normal'.`,
  );
}
