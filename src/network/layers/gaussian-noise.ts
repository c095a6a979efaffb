/** Random numbers added while training. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import { parseOptions } from '../../options.js';
import { rateOption } from '../rates.js';
import type { Layer } from './layer.js';
import { disturbed, noiseLayer } from './noise.js';

const schema = v.strictObject({ deviation: rateOption({ minimum: 0 }) });
export type GaussianNoiseOptions = v.InferInput<typeof schema>;

/**
 * While training, adds to each number another one drawn from N(0, deviation²), anew for every row, step and feature.
 *
 * @param options `deviation`: at least 0, or `scheduled(...)`; `stddev` in Keras' and DL4J's GaussianNoise
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.gaussianNoise({ deviation: 0.1 });
 */
export function gaussianNoise(options: GaussianNoiseOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.gaussianNoise');
  return noiseLayer('gaussianNoise', settings, (context) => disturbed(context, 'deviation', added, { kind: 'normal' }));
}

const added = (deviation: Expression, x: Expression, normal: Expression): Expression => x.add(normal.mul(deviation));
