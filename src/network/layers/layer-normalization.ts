/** Layer normalisation over the features of each step. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { map, reduceSum } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { initializerOption } from '../initializers.js';
import { featuresOf, type Layer, none } from './layer.js';
import { parameter } from './parameter.js';

const schema = v.strictObject({
  epsilon: v.optional(finiteNumber({ above: 0 }), 1e-5),
  useGain: v.optional(v.boolean(), true),
  useBias: v.optional(v.boolean(), true),
  gainInitializer: v.optional(initializerOption, 'ones'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
});
export type LayerNormalizationOptions = v.InferInput<typeof schema>;

/**
 * gain·(x − mean) / sqrt(variance + epsilon) + bias over the features of every step of every row by itself (Ba, Kiros and Hinton
 * 2016, equation 3). The shape stays. For normalisation within a recurrent cell see `layerNormalization` of `layers.lstm`.
 *
 * Parameters: `gain [features]`, `bias [features]`. Both count as biases, so that what decays kernels leaves them alone.
 *
 * @param options
 * - `epsilon`: above 0, default 1e-5 as in PyTorch and DL4J (Keras: 1e-3)
 * - `useGain`, `useBias`: default true; PyTorch's `elementwise_affine` is both, Keras' names are `scale` and `center`
 * - `gainInitializer`: default 'ones'; `biasInitializer`: default 'zeros'
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.layerNormalization();
 */
export function layerNormalization(options: LayerNormalizationOptions = {}): Layer {
  const settings = parseOptions(schema, options, 'layers.layerNormalization');
  const { epsilon, useGain, useBias } = settings;
  return {
    kind: 'layerNormalization',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: (input) => ({
      ...(useGain ? { gain: parameter('bias', [featuresOf(input)], settings.gainInitializer) } : {}),
      ...(useBias ? { bias: parameter('bias', [featuresOf(input)], settings.biasInitializer) } : {}),
    }),
    states: none,
    apply: ({ input, parameters: { gain, bias } }) => {
      const normal = normalized(input, epsilon);
      const scaled = gain ? map((x, factor) => x.mul(factor), normal, gain) : normal;
      return { output: bias ? map((x, shift) => x.add(shift), scaled, bias) : scaled, states: {} };
    },
  };
}

/** (x − mean) / sqrt(variance + epsilon) over the last axis. */
function normalized(x: Value, epsilon: number): Value {
  const features = x.shape[x.shape.length - 1]!;
  const perRow = (value: Value) => reshape(value, [...x.shape.slice(0, -1), 1]);
  const average = { axis: 'columns', scale: 1 / features } as const;
  const mean = perRow(reduceSum(x, average));
  const variance = perRow(reduceSum([x, mean], { ...average, expression: (a, m) => a.sub(m).square() }));
  return map((a, m, spread) => a.sub(m).div(spread.add(epsilon).sqrt()), x, mean, variance);
}
