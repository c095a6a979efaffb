/** What those layers have in common that disturb their input while training, by a rate that may be scheduled. */
import { constant, type Expression } from '../../compute/expression.js';
import type { Value } from '../../compute/graph.js';
import { map } from '../../compute/operations/index.js';
import type { Shape } from '../../compute/tensor.js';
import type { Rate } from '../rates.js';
import { featuresOf, type Layer, type LayerContext, none } from './layer.js';

/** What a disturbed element is, given the rate, the element and its random number. */
export type Disturbance = (rate: Expression, x: Expression, noise: Expression) => Expression;

/** A layer without parameters whose rates are its options, and whose shape stays; `noisy` is asked while training. */
export function noiseLayer(
  kind: string,
  options: Readonly<Record<string, Rate>>,
  noisy: (context: LayerContext) => Value,
): Layer {
  return {
    kind,
    options,
    rates: options,
    signal: (input) => {
      featuresOf(input);
      return input;
    },
    parameters: none,
    states: none,
    apply: (context) => ({ output: context.training ? noisy(context) : context.input, states: {} }),
  };
}

/**
 * Applies a disturbance to every element: the rate of that name is a constant of the expression, or an operand where it is
 * scheduled. A rate of 0 leaves the value as it is.
 *
 * @param options `value`: default the layer's input; `kind` of the random numbers: default 'uniform'; their `shape`: default
 *   that of the value, or one that stretches over it
 */
export function disturbed(
  context: LayerContext,
  name: string,
  disturbance: Disturbance,
  { value = context.input, kind = 'uniform', shape = value.shape }: DisturbanceOptions = {},
): Value {
  const rate = context.training ? context.rate(name) : 0;
  if (rate === 0) return value;
  const noise = context.random(shape, kind);
  return typeof rate === 'number'
    ? map((x, drawn) => disturbance(constant(rate), x, drawn), value, noise)
    : map((first, x, drawn) => disturbance(first, x, drawn), rate, value, noise);
}

interface DisturbanceOptions {
  readonly value?: Value;
  readonly kind?: 'uniform' | 'normal';
  readonly shape?: Shape;
}
