/** Dropout: random numbers are set to zero while training. */
import * as v from 'valibot';
import type { Value } from '../../compute/graph.js';
import { map } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { featuresOf, type Layer, type LayerContext, none } from './layer.js';

/** The schema of a dropout rate: the probability to drop, at least 0 and below 1. */
export const dropoutRate = finiteNumber({ minimum: 0, below: 1 });

const schema = v.strictObject({ rate: dropoutRate });
export type DropoutOptions = v.InferInput<typeof schema>;

/**
 * While training, sets each number to zero with probability `rate` and divides the others by 1 - rate, anew for
 * every row, step and feature (Srivastava et al. 2014, in the inverted form). Otherwise it does nothing. `rate` is
 * the probability to drop, as in Keras and PyTorch (DL4J: the probability to keep).
 *
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.dropout({ rate: 0.2 });
 */
export function dropout(options: DropoutOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.dropout');
  return {
    kind: 'dropout',
    options: settings,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: none,
    states: none,
    apply: (context) => ({ output: dropped(context, settings.rate), states: {} }),
  };
}

/** The context's input with dropout, where there is any to apply. */
export function dropped({ input, training, random }: LayerContext, rate: number): Value {
  if (!training || rate === 0) return input;
  const scale = 1 / (1 - rate);
  return map((x, uniform) => uniform.less(rate).select(0, x.mul(scale)), input, random(input.shape));
}
