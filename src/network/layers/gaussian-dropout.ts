/** Dropout's normal twin: random factors of mean 1. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { parseOptions } from '../../options.js';
import { dropoutRate } from './dropout.js';
import type { Layer } from './layer.js';
import { disturbed, noiseLayer } from './noise.js';

const schema = v.strictObject({ rate: dropoutRate });
export type GaussianDropoutOptions = v.InferInput<typeof schema>;

/**
 * While training, multiplies each number by another one drawn from N(1, rate / (1 - rate)): mean and variance of what
 * dropout of that rate multiplies by (Srivastava et al. 2014, section 10).
 *
 * @param options `rate`: at least 0 and below 1, or `scheduled(...)`; as in Keras' and DL4J's GaussianDropout
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.gaussianDropout({ rate: 0.2 });
 */
export function gaussianDropout(options: GaussianDropoutOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.gaussianDropout');
  return noiseLayer('gaussianDropout', settings, (context) =>
    disturbed(context, 'rate', multiplied, { kind: 'normal' }),
  );
}

const multiplied = (rate: Expression, x: Expression, normal: Expression): Expression =>
  x.mul(normal.mul(rate.div(constant(1).sub(rate)).sqrt()).add(1));
