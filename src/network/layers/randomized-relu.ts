/** A leaky rectifier with a slope that is drawn. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { map } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { featuresOf, type Layer, none } from './layer.js';

const schema = v.pipe(
  v.strictObject({
    minimum: v.optional(finiteNumber(), 1 / 8),
    maximum: v.optional(finiteNumber(), 1 / 3),
  }),
  v.check(({ minimum, maximum }) => minimum <= maximum, 'a minimum of at most the maximum'),
);
export type RandomizedReluOptions = v.InferInput<typeof schema>;

/**
 * x above 0, else slope·x (RReLU; Xu, Wang, Chen and Li 2015): while training the slope is drawn from U(`minimum`, `maximum`)
 * anew for every row, step and feature, otherwise it is their mean. The shape stays.
 *
 * @param options `minimum`: default 1/8; `maximum`: default 1/3, as in DL4J and PyTorch
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.randomizedRelu();
 */
export function randomizedRelu(options: RandomizedReluOptions = {}): Layer {
  const settings = parseOptions(schema, options, 'layers.randomizedRelu');
  const { minimum, maximum } = settings;
  const leaky = (x: Expression, slope: Expression | number) => constant(0).less(x).select(x, x.mul(slope));
  return {
    kind: 'randomizedRelu',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: none,
    states: none,
    apply: ({ input, training, random }) => ({
      output: training
        ? map((x, u) => leaky(x, u.mul(maximum - minimum).add(minimum)), input, random(input.shape))
        : map((x) => leaky(x, (minimum + maximum) / 2), input),
      states: {},
    }),
  };
}
