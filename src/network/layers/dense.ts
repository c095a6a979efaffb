/** A linear map of the features of each step. */
import * as v from 'valibot';
import { matmul } from '../../compute/operations/index.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { outputActivationOption } from '../activations.js';
import { initializer, initializerOption } from '../initializers.js';
import { activate } from './activation.js';
import { featuresOf, type Layer, none, type ParameterSpecification } from './layer.js';

const schema = v.strictObject({
  units: wholeNumber(1),
  activation: v.optional(outputActivationOption, 'identity'),
  useBias: v.optional(v.boolean(), true),
  kernelInitializer: v.optional(initializerOption, 'xavierUniform'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
});
export type DenseOptions = v.InferInput<typeof schema>;

/**
 * activation(x · kernel + bias) at every step: `[batch, time, features]` becomes `[batch, time, units]`, and
 * `[batch, features]` `[batch, units]`.
 *
 * @param options `units`; `activation`: default 'identity', so that a last dense layer gives logits, which is what
 *   the losses want; `useBias`: default true; `kernelInitializer`: default 'xavierUniform'; `biasInitializer`:
 *   default 'zeros'
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.dense({ units: 65 });
 */
export function dense(options: DenseOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.dense');
  const { units, useBias } = settings;
  return {
    kind: 'dense',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return { kind: 'vectors', features: units, sequence: input.sequence };
    },
    parameters: (input) => {
      const kernel: ParameterSpecification = {
        shape: [featuresOf(input), units],
        group: 'kernel',
        initializer: initializer(settings.kernelInitializer),
      };
      if (!useBias) return { kernel };
      return { kernel, bias: { shape: [units], group: 'bias', initializer: initializer(settings.biasInitializer) } };
    },
    states: none,
    apply: ({ input, parameters: { kernel, bias } }) => ({
      output: activate(settings.activation, matmul(input, kernel!, bias ? { bias } : {})),
      states: {},
    }),
  };
}
