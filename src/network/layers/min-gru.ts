/** The minimal gated recurrent unit whose gates do not look back. */
import * as v from 'valibot';
import { parseOptions } from '../../options.js';
import { activationOf, activationOption, activations } from '../activations.js';
import { elementwiseRecurrentEntries, elementwiseRecurrentLayer } from './elementwise-recurrent.js';
import type { Layer } from './layer.js';

const schema = v.strictObject({
  ...elementwiseRecurrentEntries,
  activation: v.optional(activationOption, 'linearSigmoid'),
});
export type MinGruOptions = v.InferInput<typeof schema>;

/**
 * minGRU (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, section 3.1 and appendix B): gate and candidate depend on the
 * input only, so that one product makes them for all steps, and the rest is elementwise. `[batch, time, features]`, or ids as
 * if one-hot, become `[batch, time, units]`.
 *
 *     z = sigmoid(x·W + b)    n = activation(x·W + b)    h' = (1 - z)⊙h + z⊙n
 *
 * The paper runs this as a parallel scan over time, in logarithms so that products of many gates do not vanish. Here every
 * unit runs through time on its own: z lies in (0, 1), so that a step is a weighted mean and nothing can vanish or overflow
 * that the exact h would not, and units are enough to be done in parallel. The results are those of the paper's formula.
 *
 * Parameters: `kernel [features, 2·units]`, `bias [2·units]`, in the order z, n. State: `hidden [batch, units]`.
 *
 * @param options
 * - `units`
 * - `activation`: of the candidate, default 'linearSigmoid', the paper's g, which is positive; 'identity' is its simpler
 *   version (section 3.1)
 * - `dropout`, `dropConnect`, `useBias`, `kernelInitializer`, `biasInitializer`: as in `layers.lstm`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.minGru({ units: 256 });
 */
export function minGru(options: MinGruOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.minGru');
  const activation = activationOf(settings.activation);
  return elementwiseRecurrentLayer({
    kind: 'minGru',
    options: settings,
    gates: 2,
    cell: activation === activations.linearSigmoid ? 1 : 0,
    step: ({ sequences: [gate, candidate], states: [h] }) =>
      h!.add(gate!.sigmoid().mul(activation.expression(candidate!).sub(h!))),
  });
}
