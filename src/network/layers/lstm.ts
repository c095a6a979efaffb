/** Long short-term memory. */
import * as v from 'valibot';
import { MnemeError } from '../../errors.js';
import { finiteNumber, parseOptions, wholeNumber } from '../../options.js';
import { activationOf, activationOption } from '../activations.js';
import { initializerOption, isGiven } from '../initializers.js';
import { dropoutRate } from './dropout.js';
import type { Layer } from './layer.js';
import { recurrentEntries, recurrentLayer } from './recurrent.js';

const entries = {
  ...recurrentEntries,
  gateActivation: v.optional(activationOption, 'sigmoid'),
  outputActivation: v.optional(activationOption),
  forgetBias: v.optional(v.union([finiteNumber(), v.literal('initializer')])),
  coupled: v.optional(v.boolean(), false),
  cellClip: v.optional(finiteNumber({ above: 0 })),
  projection: v.optional(wholeNumber(1)),
  projectionInitializer: v.optional(initializerOption),
  peepholeInitializer: v.optional(initializerOption),
  zoneout: v.optional(v.strictObject({ hidden: v.optional(dropoutRate, 0), cell: v.optional(dropoutRate, 0) })),
} as const;
export const schemas = {
  lstm: v.strictObject({ ...entries, peepholes: v.optional(v.boolean(), false) }),
  gravesLstm: v.strictObject(entries),
} as const;
export type LstmOptions = v.InferInput<typeof schemas.lstm>;

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000): `[batch, time, features]`, or ids as if one-hot, become
 * `[batch, time, units]`.
 *
 *     i, f, o = gateActivation(x·W + h·U + b)    g = activation(x·W + h·U + b)
 *     c' = f·c + i·g                             h' = o·outputActivation(c')
 *
 * Parameters: `kernel [features, 4·units]`, `recurrentKernel [units, 4·units]`, `bias [4·units]`, gates in the order
 * i, f, g, o. States: `hidden` and `cell`, `[batch, units]`. All options may be combined.
 *
 * @param options
 * - `units`
 * - `activation`: of g, default 'tanh'; `gateActivation`: default 'sigmoid'; `outputActivation`: what c goes through on its
 *   way out, default `activation`, as in Keras and DL4J
 * - `peepholes`: whether the gates see the cell state: the sums of i and f have p·c, that of o has p·c' (Gers, Schraudolph and
 *   Schmidhuber 2002, Graves 2013); default false. A parameter more, `peephole [3, units]` for i, f and o, of the weight group
 *   'recurrent'; `peepholeInitializer`: default 'zeros'
 * - `coupled`: whether the forget gate is 1 - i (CIFG of Greff et al. 2017; GRU-like); default false. The gates are then i, g, o,
 *   in kernels of 3·units columns and peepholes `[2, units]`
 * - `cellClip`: c' stays within ± this number, above 0; where it would not, it has no gradient. Default: none
 * - `projection`: h' is multiplied by a matrix to so many numbers (LSTMP, Sak, Senior and Beaufays 2014; PyTorch's `proj_size`),
 *   which are the output and what is fed back. A parameter more, `projection [units, projection]`, of the weight group
 *   'projection', and `recurrentKernel [projection, 4·units]`; `projectionInitializer`: default 'xavierUniform'
 * - `forgetBias`: what the forget gate's bias starts with, default 1 (Jozefowicz, Zaremba and Sutskever 2015), as Keras'
 *   `unit_forget_bias` and DL4J's `forgetGateBiasInit`; 'initializer': what `biasInitializer` gives, as in PyTorch. Not with
 *   coupled gates
 * - `dropout`: probability, or `scheduled(...)`, to drop each number of the layer's input while training, anew for every row
 *   and step; at least 0 and below 1, default 0. Between stacked layers this is PyTorch's `dropout`; Keras draws its input
 *   mask once a sequence: `variationalDropout`; DL4J's is the probability to keep. What goes from step to step is not dropped.
 * - `variationalDropout`: `{ input, output }`, probabilities as `dropout`, with one mask a row for all steps (Gal and Ghahramani
 *   2016); of the output what is fed back is not dropped. `recurrentDropout`: likewise for the hidden state where the recurrent
 *   kernel multiplies it, as Keras' `recurrent_dropout`
 * - `zoneout`: `{ hidden, cell }`, the probability of each number of a state to stay what it was in a step while training;
 *   otherwise this share of the old state stays (Krueger et al. 2017). At least 0 and below 1, or `scheduled(...)`: outside of
 *   training the number that is scheduled counts, without its schedule
 * - `dropConnect`, `recurrentDropConnect`: probability, or `scheduled(...)`, to drop each weight of the kernel and of the
 *   recurrent kernel, anew in every training step, for all its rows and time steps together; the others are divided by 1
 *   minus it (Wan et al. 2013; Merity, Keskar and Socher 2017 for the recurrent one). At least 0 and below 1, default 0. DL4J's
 *   `DropConnect(p)` takes the probability to keep for both, and divides by nothing
 * - `layerNormalization`: true, or `{ epsilon, separateGates }` (defaults 1e-5 and false): layer normalisation (Ba, Kiros and
 *   Hinton 2016, equations 20 to 22 of the supplement) of both products over all gates together, or each gate by itself, and of the
 *   cell state on its way out:
 *
 *       s = inputGain·N(x·W) + recurrentGain·N(h·U) + b,    h' = o·activation(cellGain·N(c') + cellBias)
 *
 *   with the further parameters `inputGain`, `recurrentGain [4·units]`, `cellGain` and `cellBias [units]`. Default false
 * - `useBias`: default true
 * - `recompute`: whether training keeps, of T steps, only the states at every √T-th and computes what lies between again when
 *   gradients are taken (Chen et al. 2016): less memory for one more pass forward. Default false
 * - `kernelInitializer`: default 'xavierUniform'; `recurrentInitializer`: default 'orthogonal', both gate by gate;
 *   `biasInitializer`: default 'zeros', before `forgetBias` is set; a bias that is given keeps its own
 * - `initialStates`: 'zeros' (default), or 'learned': parameters `initialHidden` and `initialCell`, which start as zeros, of the
 *   weight group 'bias'; rows begin with them wherever they would begin with zeros
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.lstm({ units: 256, dropout: 0.2 });
 * layers.lstm({ units: 512, projection: 128, peepholes: true, zoneout: { hidden: 0.05, cell: 0.05 } });
 */
export function lstm(options: LstmOptions): Layer {
  return lstmLayer('lstm', parseOptions(schemas.lstm, options, 'layers.lstm'));
}

type Settings = v.InferOutput<typeof schemas.lstm>;

/** The layer of either name. */
export function lstmLayer(
  kind: 'lstm' | 'gravesLstm',
  given: Omit<Settings, 'peepholes'> & { peepholes?: boolean },
): Layer {
  const { units, coupled, projection, cellClip, peepholes = kind === 'gravesLstm' } = given;
  refuseCombinations(`layers.${kind}`, given, peepholes);
  const forgetBias = given.forgetBias ?? (coupled ? 'initializer' : 1);
  const settings = { ...given, ...(coupled ? {} : { forgetBias }) };
  return recurrentLayer({
    kind,
    cell: 'lstm',
    gates: coupled ? 3 : 4,
    options: settings,
    activation: activationOf(settings.activation),
    gateActivation: activationOf(settings.gateActivation),
    variants: {
      ...{ peepholes, coupled, cellClip, projection },
      peepholeInitializer: settings.peepholeInitializer ?? 'zeros',
      projectionInitializer: settings.projectionInitializer ?? 'xavierUniform',
      outputActivation: activationOf(settings.outputActivation ?? settings.activation),
    },
    bias: (bias) =>
      forgetBias === 'initializer' || isGiven(settings.biasInitializer)
        ? bias
        : { ...bias, initializer: (...given) => bias.initializer(...given).fill(forgetBias, units, 2 * units) },
  });
}

/** Options that have nothing to act on. */
function refuseCombinations(where: string, settings: Omit<Settings, 'peepholes'>, peepholes: boolean): void {
  const refusals: readonly (readonly [refused: boolean, why: string])[] = [
    [
      settings.coupled && settings.forgetBias !== undefined,
      "forgetBias has no gate: with coupled gates the forget gate is 1 - i. Leave it out, or give 'biasInitializer' what i should start with.",
    ],
    [
      settings.peepholeInitializer !== undefined && !peepholes,
      'peepholeInitializer has no weights to start: set peepholes: true, or leave it out.',
    ],
    [
      settings.projectionInitializer !== undefined && settings.projection === undefined,
      'projectionInitializer has no weights to start: set projection to the numbers to project to, or leave it out.',
    ],
  ];
  for (const [refused, why] of refusals) if (refused) throw new MnemeError('invalid-option', `${where}: ${why}`);
}
