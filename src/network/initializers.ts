/**
 * How parameters start. An initializer is named in a layer's options, as `'orthogonal'` or, with settings, as
 * `initializers.uniform({ low: -0.08, high: 0.08 })`, which is plain data.
 *
 * Where a kernel holds several gates side by side, each gate's block `[rows, units]` is a matrix of its own, so that
 * `fanOut` is the units of the layer and not four times as many. Other programs see it otherwise:
 *
 * - Keras takes the whole kernel: `gates: 'together'`
 * - DL4J takes for both kernels of an LSTM fanIn = units and fanOut = features + units:
 *   `{ fanIn: units, fanOut: features + units }`
 * - PyTorch draws kernels and biases alike from U(±1/sqrt(units)): `torchUniform`
 */
import * as v from 'valibot';
import type { Shape } from '../compute/tensor.js';
import { nearestName } from '../options.js';
import { normal, torchUniform, truncatedNormal, uniform } from './initializers/distributions.js';
import { constant, identity, ones, zeros } from './initializers/fixed.js';
import { given, givenInitializer, givenSchema } from './initializers/given.js';
import { gateBlocks, type Initializer } from './initializers/initializer.js';
import { orthogonal } from './initializers/orthogonal.js';
import {
  glorotNormal,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  sigmoidUniform,
  varianceScaling,
  xavierFanIn,
  xavierLegacy,
  xavierNormal,
  xavierUniform,
} from './initializers/scaled.js';

export type { GivenFunction, NestedNumbers } from './initializers/given.js';
export type { Initializer, RandomNumbers } from './initializers/initializer.js';

/** One entry an initializer, but `given`. */
const rules = {
  zeros,
  ones,
  constant,
  identity,
  uniform,
  normal,
  truncatedNormal,
  torchUniform,
  xavierUniform,
  xavierNormal,
  glorotNormal,
  xavierFanIn,
  xavierLegacy,
  sigmoidUniform,
  lecunUniform,
  lecunNormal,
  heUniform,
  heNormal,
  varianceScaling,
  orthogonal,
} as const;

/**
 * Initializers with settings, for the `...Initializer` options of layers. All of them throw `MnemeError`
 * `invalid-option` for unknown settings and values out of range.
 *
 * `gain` (above 0, default 1) multiplies what is drawn. `fanIn` and `fanOut` (above 0) are the rows and columns of the
 * matrix unless given. `gates`: for the kernels of recurrent layers 'each' (default) gate's block is a matrix of its
 * own, or all 'together' are one, as in Keras.
 *
 * @example
 * layers.lstm({ units: 200, kernelInitializer: initializers.uniform({ low: -0.08, high: 0.08 }) });
 */
export const initializers = {
  /** 0; DL4J: ZERO. */
  zeros: zeros.make,
  /** 1; DL4J: ONES. */
  ones: ones.make,
  /** `value` everywhere. */
  constant: constant.make,
  /**
   * `gain` on the diagonal, 0 elsewhere, of matrices of any shape, as in Keras; DL4J: IDENTITY. On the recurrent kernel of
   * a simple RNN with relu it makes the iRNN (Le, Jaitly and Hinton 2015, section 2). `gain` may be any number; default 1.
   */
  identity: identity.make,
  /** U(low, high): in [low, high). Default: -0.05 and 0.05, as in Keras. */
  uniform: uniform.make,
  /** N(mean, deviation²). Default: 0 and 0.05, as in Keras. */
  normal: normal.make,
  /**
   * As `normal`, but what lies beyond two deviations is drawn again, as in Keras: what remains has 0.88 of the
   * deviation asked for.
   */
  truncatedNormal: truncatedNormal.make,
  /**
   * U(±1/sqrt(size)); `size` default the last extent of the parameter, which for kernels and biases of recurrent layers is
   * their units: so PyTorch starts RNN, LSTM and GRU. Its Linear has the `size` of its inputs, for kernel and bias.
   */
  torchUniform: torchUniform.make,
  /**
   * U(±gain·sqrt(6 / (fanIn + fanOut))); Glorot and Bengio 2010, equation 16. DL4J: XAVIER_UNIFORM, Keras:
   * glorot_uniform.
   */
  xavierUniform: xavierUniform.make,
  /** N(0, gain²·2 / (fanIn + fanOut)); the same paper, equation 12. DL4J: XAVIER; PyTorch: xavier_normal_. */
  xavierNormal: xavierNormal.make,
  /** The variance of `xavierNormal`, by a normal distribution cut at two deviations. Keras: glorot_normal. */
  glorotNormal: glorotNormal.make,
  /** N(0, gain²/fanIn). DL4J: XAVIER_FAN_IN and NORMAL; Caffe's xavier by its variance. */
  xavierFanIn: xavierFanIn.make,
  /** N(0, gain²/(fanIn + fanOut)). DL4J: XAVIER_LEGACY, which takes the whole kernel: `gates: 'together'`. */
  xavierLegacy: xavierLegacy.make,
  /** U(±4·gain·sqrt(6 / (fanIn + fanOut))), for sigmoid layers. DL4J: SIGMOID_UNIFORM. */
  sigmoidUniform: sigmoidUniform.make,
  /**
   * U(±gain·sqrt(3 / fanIn)); LeCun, Bottou, Orr and Müller 1998, section 4.6. Keras: lecun_uniform. DL4J's LECUN_UNIFORM
   * is U(±3/sqrt(fanIn)): `gain: Math.sqrt(3)`.
   */
  lecunUniform: lecunUniform.make,
  /**
   * N(0, gain²/fanIn), the same paper. DL4J: LECUN_NORMAL; Keras' lecun_normal is cut at two deviations: `truncated:
   * true`, with the same variance.
   */
  lecunNormal: lecunNormal.make,
  /** U(±gain·sqrt(6 / fanIn)); He, Zhang, Ren and Sun 2015. DL4J: RELU_UNIFORM, Keras: he_uniform. */
  heUniform: heUniform.make,
  /**
   * N(0, gain²·2/fanIn); the same paper, equation 10. DL4J: RELU, PyTorch: kaiming_normal_; Keras' he_normal is cut at two
   * deviations: `truncated: true`, with the same variance.
   */
  heNormal: heNormal.make,
  /**
   * Variance `scale` / n, with n by `mode` the 'fanIn' (default), 'fanOut' or 'fanAverage', and the `distribution`
   * 'truncatedNormal' (default; cut at two deviations), 'normal' or 'uniform'. Keras: VarianceScaling. DL4J's
   * VAR_SCALING_NORMAL_… cuts without making up for it: its variance is 0.774 of scale / n; its VAR_SCALING_UNIFORM_… are
   * U(±3/sqrt(n)): `scale: 3`; its UNIFORM is `scale: 1/3`.
   */
  varianceScaling: varianceScaling.make,
  /**
   * `gain` times a matrix with orthonormal columns, or rows where it has fewer of these, uniform among all such (Saxe,
   * McClelland and Ganguli 2013). Keras takes the gates of a kernel `together`.
   */
  orthogonal: orthogonal.make,
  /**
   * Your own values for the whole parameter, gates and all: a tensor, nested lists of numbers, a typed array (row-major), or a
   * function `(shape, random) => numbers` whose `random.uniform(count)` and `random.normal(count)` depend on the model's seed
   * and the parameter's name. A model file says that they were given, and holds them as the parameters they are.
   *
   * @throws {MnemeError} `not-finite`, `invalid-shape`, `invalid-argument`; `invalid-shape` when the network is made where the
   *   parameter has another shape
   * @example
   * layers.dense({ units: 2, kernelInitializer: initializers.given([[1, 0], [0, 1], [1, 1]]) });
   */
  given,
} as const;

type Kind = keyof typeof rules;
const schemas = Object.values(rules).map(({ schema }) => schema);
const settingsSchema = v.variant('kind', [...schemas, givenSchema]);

/** Those that need no settings. */
type Name = Exclude<Kind, 'constant'>;
const names = (Object.keys(rules) as Kind[]).filter((kind): kind is Name => kind !== 'constant');

/** The schema of an initializer in a layer's options: a name, or what `initializers` makes. */
export const initializerOption = v.pipe(
  v.custom<Name | v.InferInput<typeof settingsSchema>>(
    (option) => names.some((name) => name === option) || v.is(settingsSchema, option),
    ({ input }) => expected(input),
  ),
  v.transform((option) => (typeof option === 'string' ? option : v.parse(settingsSchema, option))),
);
export type InitializerOption = v.InferOutput<typeof initializerOption>;

/** What an option should have been, for messages. */
function expected(option: unknown): string {
  if (typeof option === 'string') return `one of ${names.join(', ')} (the nearest is '${nearestName(option, names)}')`;
  const kind = typeof option === 'object' && option !== null && 'kind' in option ? option.kind : undefined;
  const schema = schemas.find((candidate) => candidate.entries.kind.literal === kind);
  if (schema) {
    const [issue] = v.safeParse(schema, option).issues ?? [];
    return `what initializers.${kind} makes: its '${issue && v.getDotPath(issue)}' is not right`;
  }
  return 'the name of an initializer or what one of `initializers` makes; numbers and functions of your own go through initializers.given';
}

/** Whether an option gives the values themselves. */
export const isGiven = (option: InitializerOption): boolean => typeof option === 'object' && option.kind === 'given';

/**
 * The initializer that an option stands for.
 *
 * @param options `gates`: the blocks of columns that a recurrent layer's parameter consists of; `shape`: of the parameter,
 *   where given values are to be checked against it at once
 * @throws {MnemeError} `invalid-shape`
 */
export function initializer(
  option: InitializerOption,
  { gates = 1, shape }: { readonly gates?: number; readonly shape?: Shape } = {},
): Initializer {
  const settings = v.parse(settingsSchema, typeof option === 'string' ? { kind: option } : option);
  if (settings.kind === 'given') return givenInitializer(settings, shape);
  const inner = rules[settings.kind].initializer(settings);
  return 'gates' in settings && settings.gates === 'together' ? inner : gateBlocks(inner, gates);
}
