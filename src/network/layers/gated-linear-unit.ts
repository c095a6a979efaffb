/** Half of the features, each let through by one of the other half. */
import * as v from 'valibot';
import { map, slice } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { featuresOf, type Layer, none } from './layer.js';

const schema = v.strictObject({});
export type GatedLinearUnitOptions = v.InferInput<typeof schema>;

/**
 * a·sigmoid(b), where a is the first half of the features of each step and b the second (GLU; Dauphin, Fan, Auli and
 * Grangier 2016, equation 1): `[batch, time, features]` becomes `[batch, time, features / 2]`, and `[batch, features]`
 * `[batch, features / 2]`. As in PyTorch and Keras.
 *
 * @throws {MnemeError} `invalid-option`; `invalid-shape` when a network gives it an odd number of features
 * @example
 * [layers.dense({ units: 2 * 64 }), layers.gatedLinearUnit()];
 */
export function gatedLinearUnit(options: GatedLinearUnitOptions = {}): Layer {
  return {
    kind: 'gatedLinearUnit',
    options: parseOptions(schema, options, 'layers.gatedLinearUnit'),
    signal: (input) => {
      const features = featuresOf(input);
      if (features % 2 === 0) return { kind: 'vectors', features: features / 2, sequence: input.sequence };
      throw new MnemeError('invalid-shape', `expected an even number of features, to be halved, got ${features}.`);
    },
    parameters: none,
    states: none,
    apply: ({ input }) => {
      const axis = input.shape.length - 1;
      const length = input.shape[axis]! / 2;
      const half = (start: number) => slice(input, { axis, start, length });
      return { output: map((a, b) => a.mul(b.sigmoid()), half(0), half(length)), states: {} };
    },
  };
}
