/** Gated recurrent units. */
import * as v from 'valibot';
import { parseOptions } from '../../options.js';
import { activationOf, activationOption } from '../activations.js';
import type { Layer } from './layer.js';
import { recurrentEntries, recurrentLayer } from './recurrent.js';

const schema = v.strictObject({
  ...recurrentEntries,
  gateActivation: v.optional(activationOption, 'sigmoid'),
  resetAfter: v.optional(v.boolean(), true),
});
export type GruOptions = v.InferInput<typeof schema>;

/**
 * Gated recurrent units (Cho et al. 2014): `[batch, time, features]`, or ids as if one-hot, become
 * `[batch, time, units]`.
 *
 *     r, z = gateActivation(x·W + h·U + b)
 *     n = activation(x·W + b + r·(h·U + recurrentBias))   with resetAfter, as PyTorch and Keras compute it
 *     n = activation(x·W + b + (r·h)·U)                   without, as in the paper
 *     h' = (1 - z)·n + z·h
 *
 * Parameters: `kernel [features, 3·units]`, `recurrentKernel [units, 3·units]`, `bias [3·units]`, and with resetAfter
 * `recurrentBias [3·units]`; gates in the order r, z, n. State: `hidden [batch, units]`.
 *
 * @param options
 * - `units`
 * - `activation`: default 'tanh'; `gateActivation`: default 'sigmoid'
 * - `resetAfter`: whether the reset gate acts after the recurrent product; default true
 * - `layerNormalization`: as in `layers.lstm`, with resetAfter only (same paper, equations 23 to 26): of r and z together and of n by
 *   itself, or each gate by itself: inputGain·N(x·W) + b and recurrentGain·N(h·U) + recurrentBias in the place of x·W + b and
 *   h·U + recurrentBias, with the further parameters `inputGain` and `recurrentGain [3·units]`. Default false
 * - `dropout`, `variationalDropout`, `recurrentDropout`, `zoneout` (its `hidden`), `dropConnect`,
 *   `recurrentDropConnect`, `initialStates`, `useBias`, `recompute`, `kernelInitializer`, `recurrentInitializer`,
 *   `biasInitializer` (of both biases): as in `layers.lstm`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.gru({ units: 128 });
 */
export function gru(options: GruOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.gru');
  return recurrentLayer({
    kind: 'gru',
    cell: 'gru',
    gates: 3,
    options: settings,
    activation: activationOf(settings.activation),
    gateActivation: activationOf(settings.gateActivation),
    resetAfter: settings.resetAfter,
  });
}
