/** Dropout that keeps mean and variance: for selu. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { parseOptions } from '../../options.js';
import { dropoutRate } from './dropout.js';
import type { Layer } from './layer.js';
import { disturbed, noiseLayer } from './noise.js';

const schema = v.strictObject({ rate: dropoutRate });
export type AlphaDropoutOptions = v.InferInput<typeof schema>;

/** What selu tends to far below 0: -λ·α. */
const lowest = -1.0507009873554805 * 1.6732632423543772;

/**
 * Alpha dropout (Klambauer, Unterthiner, Mayr and Hochreiter 2017, section 3), for networks of `selu`: while training, each
 * number becomes α' = -1.758, selu's lowest value, with probability `rate`, and all go through a·x + b, which gives inputs of
 * mean 0 and variance 1 that mean and variance again:
 *
 *     a = 1 / sqrt((1 - rate)·(1 + rate·α'²))    b = -a·α'·rate
 *
 * @param options `rate`: the probability to drop, at least 0 and below 1, or `scheduled(...)`; as in Keras' and PyTorch's
 *   AlphaDropout; DL4J's takes the probability to keep
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.alphaDropout({ rate: 0.1 });
 */
export function alphaDropout(options: AlphaDropoutOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.alphaDropout');
  return noiseLayer('alphaDropout', settings, (context) => disturbed(context, 'rate', keptOrLowest));
}

function keptOrLowest(rate: Expression, x: Expression, uniform: Expression): Expression {
  const variance = constant(1)
    .sub(rate)
    .mul(rate.mul(lowest * lowest).add(1));
  const a = constant(1).div(variance.sqrt());
  const b = a.mul(rate).mul(-lowest);
  return uniform.less(rate).select(lowest, x).mul(a).add(b);
}
