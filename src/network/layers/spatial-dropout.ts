/** Dropout of whole features of a sequence. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { MnemeError } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { dropoutRate, keptOrZero } from './dropout.js';
import { featuresOf, type Layer, type LayerContext, printSignal } from './layer.js';
import { disturbed, noiseLayer } from './noise.js';

const schema = v.strictObject({ rate: dropoutRate });
export type SpatialDropoutOptions = v.InferInput<typeof schema>;

/**
 * As `dropout`, but what is dropped is a feature of a row for all its steps, drawn anew for every row and training step
 * (Tompson et al. 2015, section 3.2). Where neighbouring steps are alike, single numbers that are dropped can be guessed from
 * their neighbours; whole features cannot.
 *
 * @param options `rate`: the probability to drop, at least 0 and below 1, or `scheduled(...)`; as in Keras' SpatialDropout1D;
 *   DL4J's SpatialDropout takes the probability to keep
 * @throws {MnemeError} `invalid-option`; `invalid-shape` for what is no sequence
 * @example
 * layers.spatialDropout({ rate: 0.2 });
 */
export function spatialDropout(options: SpatialDropoutOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.spatialDropout');
  return {
    ...noiseLayer('spatialDropout', settings, overTime),
    signal: (input) => {
      featuresOf(input);
      if (!input.sequence) throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(input)}.`);
      return input;
    },
  };
}

/** One random number for the features of a row stretches over the steps when each is seen as one long row. */
function overTime(context: LayerContext): Value {
  const [time, batch, features] = context.input.shape as [number, number, number];
  const value = reshape(context.input, [time, batch * features]);
  const dropped = disturbed(context, 'rate', keptOrZero, { value, shape: [batch * features] });
  return reshape(dropped, [time, batch, features]);
}
