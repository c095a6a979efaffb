/** The minimal long short-term memory whose gates do not look back. */
import * as v from 'valibot';
import { finiteNumber, parseOptions } from '../../options.js';
import { activationOf, activationOption } from '../activations.js';
import { isGiven } from '../initializers.js';
import { elementwiseRecurrentEntries, elementwiseRecurrentLayer } from './elementwise-recurrent.js';
import type { Layer } from './layer.js';

const schema = v.strictObject({
  ...elementwiseRecurrentEntries,
  activation: v.optional(activationOption, 'linearSigmoid'),
  forgetBias: v.optional(v.union([finiteNumber(), v.literal('initializer')]), 'initializer'),
});
export type MinLstmOptions = v.InferInput<typeof schema>;

/**
 * minLSTM (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, section 3.2 and appendix B): gates and candidate depend on the
 * input only, and the gates are normalised, so that their sum is 1. `[batch, time, features]`, or ids as if one-hot, become
 * `[batch, time, units]`.
 *
 *     f, i = sigmoid(x·W + b)    n = activation(x·W + b)    h' = f/(f + i)⊙h + i/(f + i)⊙n
 *
 * i/(f + i) is computed as sigmoid(log i - log f), which is exact also where both gates are too small for a number. Of the
 * paper's parallel scan the same holds as in `layers.minGru`.
 *
 * Parameters: `kernel [features, 3·units]`, `bias [3·units]`, in the order f, i, n. State: `hidden [batch, units]`.
 *
 * @param options
 * - `units`
 * - `activation`: of the candidate, default 'linearSigmoid', the paper's g
 * - `forgetBias`: what the forget gate's bias starts with; default 'initializer': what `biasInitializer` gives. Larger ones
 *   make it remember from the start
 * - `dropout`, `dropConnect`, `useBias`, `kernelInitializer`, `biasInitializer`: as in `layers.lstm`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.minLstm({ units: 256, forgetBias: 1 });
 */
export function minLstm(options: MinLstmOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.minLstm');
  const { units, forgetBias } = settings;
  const activation = activationOf(settings.activation);
  const logSigmoid = activationOf('logSigmoid').expression;
  return elementwiseRecurrentLayer({
    kind: 'minLstm',
    options: settings,
    gates: 3,
    bias: (bias) =>
      forgetBias === 'initializer' || isGiven(settings.biasInitializer)
        ? bias
        : { ...bias, initializer: (...given) => bias.initializer(...given).fill(forgetBias, 0, units) },
    step: ({ sequences: [forget, input, candidate], states: [h] }) => {
      const share = logSigmoid(input!).sub(logSigmoid(forget!)).sigmoid();
      return h!.add(share.mul(activation.expression(candidate!).sub(h!)));
    },
  });
}
