/** A leaky rectifier that learns its slope. */
import * as v from 'valibot';
import { constant } from '../../compute/expression.js';
import { map } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { featuresOf, type Layer, none } from './layer.js';

const schema = v.strictObject({
  initialSlope: v.optional(finiteNumber(), 0.25),
  shared: v.optional(v.boolean(), false),
});
export type ParametricReluOptions = v.InferInput<typeof schema>;

/**
 * x above 0, else slope·x, with a slope for each feature that is learned (PReLU; He, Zhang, Ren and Sun 2015, equation 1).
 * The shape stays. At 0 the gradient is the slope, as in PyTorch.
 *
 * Parameter: `slope [features]`, or `[1]` where it is shared. It counts as a bias, so that what decays kernels leaves it
 * alone: decay would push it to 0 and make this a plain rectifier (same paper, section 2.1).
 *
 * @param options
 * - `initialSlope`: what every slope starts with, default 0.25 as in the paper and PyTorch (Keras: 0)
 * - `shared`: one slope for all features, which is PyTorch's default; default false
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.parametricRelu();
 */
export function parametricRelu(options: ParametricReluOptions = {}): Layer {
  const settings = parseOptions(schema, options, 'layers.parametricRelu');
  return {
    kind: 'parametricRelu',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: (input) => {
      const shape = [settings.shared ? 1 : featuresOf(input)];
      const initializer = () => new Float64Array(shape[0]!).fill(settings.initialSlope);
      return { slope: { shape, group: 'bias', initializer } };
    },
    states: none,
    apply: ({ input, parameters: { slope } }) => ({
      output: map((x, a) => constant(0).less(x).select(x, x.mul(a)), input, slope!),
      states: {},
    }),
  };
}
