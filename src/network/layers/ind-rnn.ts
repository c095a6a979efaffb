/** The independently recurrent network. */
import * as v from 'valibot';
import { finiteNumber, parseOptions } from '../../options.js';
import { activationOf, activationOption } from '../activations.js';
import { initializerOption, initializers } from '../initializers.js';
import { elementwiseRecurrentEntries, elementwiseRecurrentLayer } from './elementwise-recurrent.js';
import type { Layer } from './layer.js';

const schema = v.strictObject({
  ...elementwiseRecurrentEntries,
  activation: v.optional(activationOption, 'relu'),
  recurrentInitializer: v.optional(initializerOption, initializers.uniform({ low: 0, high: 1 })),
  recurrentLimit: v.optional(finiteNumber({ above: 0 })),
});
export type IndRnnOptions = v.InferInput<typeof schema>;

/**
 * The independently recurrent network (Li, Li, Cook, Zhu and Gao 2018, equation 3), whose units see each other in the next
 * layer only: `[batch, time, features]`, or ids as if one-hot, become `[batch, time, units]`.
 *
 *     h' = activation(x·W + u⊙h + b)
 *
 * Parameters: `kernel [features, units]`, `recurrentKernel [units]` (u), `bias [units]`. State: `hidden [batch, units]`.
 *
 * @param options
 * - `units`
 * - `activation`: default 'relu', as in the paper
 * - `recurrentInitializer`: how u starts, default U(0, 1), as in the authors' code for all layers but the last
 * - `recurrentLimit`: u counts as within ±`recurrentLimit`, and what lies beyond does not learn any more; above 0, default
 *   none. Over T steps 2^(1/T) keeps gradients from growing more than twofold (section 4.1)
 * - `dropout`, `dropConnect`, `useBias`, `kernelInitializer`, `biasInitializer`: as in `layers.lstm`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.indRnn({ units: 128, recurrentLimit: 2 ** (1 / 784) });
 */
export function indRnn(options: IndRnnOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.indRnn');
  const { recurrentInitializer, recurrentLimit } = settings;
  const activation = activationOf(settings.activation);
  return elementwiseRecurrentLayer({
    kind: 'indRnn',
    options: settings,
    gates: 1,
    recurrent: recurrentInitializer,
    step: ({ sequences: [x], perUnit: [u], states: [h] }) => {
      const weight = recurrentLimit === undefined ? u! : u!.min(recurrentLimit).max(-recurrentLimit);
      return activation.expression(x!.add(weight.mul(h!)));
    },
  });
}
