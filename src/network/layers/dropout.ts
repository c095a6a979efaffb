/** Dropout: random numbers are set to zero while training. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import type { Value } from '../../compute/graph.js';
import { parseOptions } from '../../options.js';
import { rateOption } from '../rates.js';
import type { Layer, LayerContext } from './layer.js';
import { disturbed, noiseLayer } from './noise.js';

/** The schema of a dropout rate: the probability to drop, at least 0 and below 1, or scheduled. */
export const dropoutRate = rateOption({ minimum: 0, below: 1 });

const schema = v.strictObject({ rate: dropoutRate });
export type DropoutOptions = v.InferInput<typeof schema>;

/**
 * While training, sets each number to zero with probability `rate` and divides the others by 1 - rate, anew for
 * every row, step and feature (Srivastava et al. 2014; section 10 for the division). Otherwise it does nothing.
 *
 * @param options `rate`: the probability to drop, at least 0 and below 1, or `scheduled(...)` such a number; as `rate` in
 *   Keras and `p` in PyTorch. DL4J's `dropOut(p)` is the probability to keep: its 0.8 is 0.2 here
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.dropout({ rate: 0.2 });
 * layers.dropout({ rate: scheduled(0.5, schedules.ramp({ steps: 1000 })) });
 */
export function dropout(options: DropoutOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.dropout');
  return noiseLayer('dropout', settings, (context) => dropped(context, context.input, 'rate'));
}

/** A value with dropout by the rate of that name, where there is any to apply. */
export const dropped = (context: LayerContext, value: Value, rate: string): Value =>
  disturbed(context, rate, keptOrZero, { value });

/** `x` divided by the probability to keep it, or 0 where a uniform number is below the probability to drop it. */
export const keptOrZero = (rate: Expression, x: Expression, uniform: Expression): Expression =>
  uniform.less(rate).select(0, x.mul(constant(1).div(constant(1).sub(rate))));
