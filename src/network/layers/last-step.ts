/** From a sequence to one vector a row. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { slice } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { featuresOf, type Layer, none, printSignal } from './layer.js';

const schema = v.strictObject({});

/**
 * Keeps the last step of a sequence: `[batch, time, features]` becomes `[batch, features]`. Directly after a
 * recurrent layer it takes the layer's final hidden state, so that no gradient of zeros for all other steps is made.
 *
 * @throws {MnemeError} `invalid-option`
 * @example
 * sequential([layers.lstm({ units: 32 }), layers.lastStep(), layers.dense({ units: 6 })], { input: { features: 8 } });
 */
export function lastStep(options: v.InferInput<typeof schema> = {}): Layer {
  return {
    kind: 'lastStep',
    options: parseOptions(schema, options, 'layers.lastStep'),
    signal: (input) => {
      if (!input.sequence) {
        throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(input)}.`);
      }
      return { kind: 'vectors', features: featuresOf(input), sequence: false };
    },
    parameters: none,
    states: none,
    apply: ({ input }) => ({ output: lastOf(input), states: {} }),
  };
}

function lastOf(value: Value): Value {
  const finalHidden = value.node.outputs[1];
  if (value.node.operation?.name === 'recurrent' && value.output === 0 && finalHidden) return finalHidden;
  const [time, batch, features] = value.shape as [number, number, number];
  return reshape(slice(value, { axis: 0, start: time - 1, length: 1 }), [batch, features]);
}
