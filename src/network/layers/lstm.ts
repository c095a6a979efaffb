/** Long short-term memory. */
import * as v from 'valibot';
import { finiteNumber, parseOptions } from '../../options.js';
import { activationOf, activationOption } from '../activations.js';
import { isGiven } from '../initializers.js';
import type { Layer } from './layer.js';
import { recurrentEntries, recurrentLayer } from './recurrent.js';

const schema = v.strictObject({
  ...recurrentEntries,
  gateActivation: v.optional(activationOption, 'sigmoid'),
  forgetBias: v.optional(v.union([finiteNumber(), v.literal('initializer')]), 1),
});
export type LstmOptions = v.InferInput<typeof schema>;

/**
 * Long short-term memory without peepholes (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and
 * Cummins 2000): `[batch, time, features]`, or ids as if one-hot, become `[batch, time, units]`.
 *
 *     i, f, o = gateActivation(x·W + h·U + b)    g = activation(x·W + h·U + b)
 *     c' = f·c + i·g                             h' = o·activation(c')
 *
 * Parameters: `kernel [features, 4·units]`, `recurrentKernel [units, 4·units]`, `bias [4·units]`, gates in the order
 * i, f, g, o. States: `hidden` and `cell`, `[batch, units]`.
 *
 * @param options
 * - `units`
 * - `activation`: default 'tanh'; `gateActivation`: default 'sigmoid'
 * - `forgetBias`: what the forget gate's bias starts with, default 1 (Jozefowicz, Zaremba and Sutskever 2015), as Keras'
 *   `unit_forget_bias` and DL4J's `forgetGateBiasInit`; 'initializer': what `biasInitializer` gives, as in PyTorch
 * - `dropout`: probability, or `scheduled(...)`, to drop each number of the layer's input while training, anew for every row
 *   and step; at least 0 and below 1, default 0. Between stacked layers this is PyTorch's `dropout`; Keras draws its input
 *   mask once a sequence; DL4J's is the probability to keep. What goes from step to step is not dropped.
 * - `dropConnect`, `recurrentDropConnect`: probability, or `scheduled(...)`, to drop each weight of the kernel and of the
 *   recurrent kernel, anew in every training step, for all its rows and time steps together; the others are divided by 1
 *   minus it (Wan et al. 2013; Merity, Keskar and Socher 2017 for the recurrent one). At least 0 and below 1, default 0. DL4J's
 *   `DropConnect(p)` takes the probability to keep for both, and divides by nothing
 * - `useBias`: default true
 * - `kernelInitializer`: default 'xavierUniform'; `recurrentInitializer`: default 'orthogonal', both gate by gate;
 *   `biasInitializer`: default 'zeros', before `forgetBias` is set; a bias that is given keeps its own
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.lstm({ units: 256, dropout: 0.2 });
 */
export function lstm(options: LstmOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.lstm');
  const { units, forgetBias } = settings;
  return recurrentLayer({
    kind: 'lstm',
    cell: 'lstm',
    gates: 4,
    options: settings,
    activation: activationOf(settings.activation),
    gateActivation: activationOf(settings.gateActivation),
    bias: (bias) =>
      forgetBias === 'initializer' || isGiven(settings.biasInitializer)
        ? bias
        : { ...bias, initializer: (...given) => bias.initializer(...given).fill(forgetBias, units, 2 * units) },
  });
}
