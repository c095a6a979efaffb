/** A function applied to what comes in. */
import * as v from 'valibot';
import type { Value } from '../../compute/graph.js';
import { logSoftmax, map, softmax } from '../../compute/operations/index.js';
import { parseOptions } from '../../options.js';
import { activationOf, type OutputActivationOption, outputActivationOption } from '../activations.js';
import { featuresOf, type Layer, none } from './layer.js';

const schema = v.strictObject({ activation: outputActivationOption });
export type ActivationOptions = v.InferInput<typeof schema>;

/**
 * Applies an activation to every number, or 'softmax' or 'logSoftmax' to the features of every step. The shape stays.
 *
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.activation({ activation: 'softsign' });
 */
export function activation(options: ActivationOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.activation');
  return {
    kind: 'activation',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: none,
    states: none,
    apply: ({ input }) => ({ output: activate(settings.activation, input), states: {} }),
  };
}

/** `value` through the activation of that option. */
export function activate(option: OutputActivationOption, value: Value): Value {
  if (option === 'identity') return value;
  if (option === 'softmax') return softmax(value);
  if (option === 'logSoftmax') return logSoftmax(value);
  const { expression } = activationOf(option);
  return map((x) => expression(x), value);
}
