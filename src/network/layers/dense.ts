/** A linear map of the features of each step. */
import * as v from 'valibot';
import { matmul } from '../../compute/operations/index.js';
import { parseOptions, wholeNumber } from '../../options.js';
import { outputActivationOption } from '../activations.js';
import { initializerOption } from '../initializers.js';
import { activate } from './activation.js';
import { dropoutRate, dropped } from './dropout.js';
import { featuresOf, type Layer, none } from './layer.js';
import { parameter } from './parameter.js';

const schema = v.strictObject({
  units: wholeNumber(1),
  activation: v.optional(outputActivationOption, 'identity'),
  useBias: v.optional(v.boolean(), true),
  dropConnect: v.optional(dropoutRate, 0),
  kernelInitializer: v.optional(initializerOption, 'xavierUniform'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
});
export type DenseOptions = v.InferInput<typeof schema>;

/**
 * activation(x · kernel + bias) at every step: `[batch, time, features]` becomes `[batch, time, units]`, and
 * `[batch, features]` `[batch, units]`.
 *
 * Parameters: `kernel [features, units]`, `bias [units]`.
 *
 * @param options
 * - `units`
 * - `activation`: default 'identity', so that a last dense layer gives logits, which is what the losses want
 * - `useBias`: default true
 * - `dropConnect`: probability, or `scheduled(...)`, to drop each weight of the kernel, anew in every training step and for
 *   all rows together; the others are divided by 1 - dropConnect (Wan et al. 2013). At least 0 and below 1, default 0. DL4J's
 *   `DropConnect(p)` takes the probability to keep, and divides by nothing
 * - `kernelInitializer`: default 'xavierUniform'; `biasInitializer`: default 'zeros'
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
    rates: { dropConnect: settings.dropConnect },
    signal: (input) => {
      featuresOf(input);
      return { kind: 'vectors', features: units, sequence: input.sequence };
    },
    parameters: (input) => ({
      kernel: parameter('kernel', [featuresOf(input), units], settings.kernelInitializer),
      ...(useBias ? { bias: parameter('bias', [units], settings.biasInitializer) } : {}),
    }),
    states: none,
    apply: (context) => {
      const { kernel, bias } = context.parameters;
      const product = matmul(context.input, dropped(context, kernel!, 'dropConnect'), bias ? { bias } : {});
      return { output: activate(settings.activation, product), states: {} };
    },
  };
}
