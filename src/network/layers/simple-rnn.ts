/** The simple recurrent network. */
import * as v from 'valibot';
import { parseOptions } from '../../options.js';
import { activationOf } from '../activations.js';
import type { Layer } from './layer.js';
import { recurrentEntries, recurrentLayer } from './recurrent.js';

const schema = v.strictObject(recurrentEntries);
export type SimpleRnnOptions = v.InferInput<typeof schema>;

/**
 * The simple recurrent network (Elman 1990), h' = activation(x·W + h·U + b): `[batch, time, features]`, or ids as if
 * one-hot, become `[batch, time, units]`.
 *
 * Parameters: `kernel [features, units]`, `recurrentKernel [units, units]`, `bias [units]`. State:
 * `hidden [batch, units]`.
 *
 * @param options `units`; `activation`: default 'tanh'; `layerNormalization`: as in `layers.lstm`, of the sum of both products (Ba,
 *   Kiros and Hinton 2016, equation 4): h' = activation(recurrentGain·N(x·W + h·U) + b), with the further parameter
 *   `recurrentGain [units]`, default false; `dropout`, `variationalDropout`, `recurrentDropout`, `zoneout` (its `hidden`), `dropConnect`,
 *   `recurrentDropConnect`, `initialStates`,
 *   `useBias`, `recompute`, `kernelInitializer`, `recurrentInitializer`, `biasInitializer`: as in `layers.lstm`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.simpleRnn({ units: 64, activation: 'relu' });
 */
export function simpleRnn(options: SimpleRnnOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.simpleRnn');
  const activation = activationOf(settings.activation);
  return recurrentLayer({
    kind: 'simpleRnn',
    cell: 'simple',
    gates: 1,
    options: settings,
    activation,
    gateActivation: activation,
  });
}
