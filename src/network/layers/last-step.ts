/** From a sequence to one vector a row. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import { map, oneHot, reduceSum, slice, transpose } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { featuresOf, type Layer, none, printSignal } from './layer.js';

const schema = v.strictObject({});

/**
 * Keeps the last step of a sequence: `[batch, time, features]` becomes `[batch, features]`. Where rows have lengths, it is
 * each row's own last step; a row of length 0 becomes zeros, or directly after a recurrent layer the state that the row
 * started from.
 *
 * Directly after a recurrent layer it takes the layer's final hidden state, so that no gradient of zeros for all other
 * steps is made; directly after `bidirectional` the final hidden states of both directions, as Keras does without
 * `return_sequences` and PyTorch in `h_n`: of the backward layer that is the output at the first step, which has seen the
 * whole row.
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
    apply: ({ input, last, lengths }) => ({ output: last ?? lastOf(input, lengths), states: {} }),
  };
}

function lastOf(value: Value, lengths: Value | undefined): Value {
  const [time, batch, features] = value.shape as [number, number, number];
  if (!lengths) return reshape(slice(value, { axis: 0, start: time - 1, length: 1 }), [batch, features]);
  // Column l of the first is 1 where a row has l steps, so the second marks the last step of each.
  const ofLength = oneHot(lengths, time + 1);
  const isLast = transpose(slice(ofLength, { axis: 1, start: 1, length: time }));
  const kept = map((x, chosen) => chosen.equal(0).select(0, x), value, reshape(isLast, [time, batch, 1]));
  return reshape(reduceSum([reshape(kept, [time, batch * features])], { axis: 'rows' }), [batch, features]);
}
