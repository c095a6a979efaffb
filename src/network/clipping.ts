/** Keeping gradients small. */
import * as v from 'valibot';
import { constant, type Expression } from '../compute/expression.js';
import type { Value } from '../compute/graph.js';
import { map, reduceMaximum, reduceSum } from '../compute/operations/index.js';
import { MnemeError } from '../errors.js';
import { finiteNumber, parseOptions } from '../options.js';

const limit = v.optional(finiteNumber({ above: 0 }));
const schema = v.strictObject({
  element: limit,
  globalNorm: limit,
  layerNorm: limit,
  parameterNorm: limit,
  renormalize: v.optional(v.picklist(['layer', 'parameter'])),
  epsilon: v.optional(finiteNumber({ minimum: 0 }), 0),
  order: v.optional(v.picklist([1, 2, 'maximum']), 2),
});

interface NormOptions {
  readonly epsilon?: number | undefined;
  readonly order?: Order | undefined;
}

/**
 * The options of clipping, one of:
 * - `{ element }`: every number of the gradient is brought within ±element (DL4J: ClipElementWiseAbsoluteValue; Keras:
 *   clipvalue)
 * - `{ globalNorm, epsilon, order }`: the gradient is multiplied by min(1, globalNorm / (norm + epsilon)), with the norm of
 *   all parameters together (Pascanu, Mikolov and Bengio 2013; Keras: global_clipnorm)
 * - `{ layerNorm, epsilon, order }`: the same with the norm of each layer's parameters (DL4J: ClipL2PerLayer)
 * - `{ parameterNorm, epsilon, order }`: the same with the norm of each parameter (DL4J: ClipL2PerParamType; Keras: clipnorm)
 * - `{ renormalize: 'layer' }` or `'parameter'`: the gradient of each is divided by its norm, whatever that is, and stays
 *   where it is zero (DL4J: RenormalizeL2PerLayer, RenormalizeL2PerParamType)
 *
 * `epsilon` is 0 by default, as in Keras; PyTorch has 1e-6. `order` is 2 for the Euclidean norm (default), 1 for the sum
 * of the magnitudes, or 'maximum' for the largest of them.
 */
export type ClipOptions =
  | { readonly element: number }
  | ({ readonly globalNorm: number } & NormOptions)
  | ({ readonly layerNorm: number } & NormOptions)
  | ({ readonly parameterNorm: number } & NormOptions)
  | { readonly renormalize: 'layer' | 'parameter'; readonly order?: Order | undefined };

export type Order = 1 | 2 | 'maximum';
export type Clip = { readonly element: number } | NormClip;
export interface NormClip {
  /** What the norm is taken of. */
  readonly of: 'network' | 'layer' | 'parameter';
  /** Undefined: the gradient is divided by its norm, whatever that is. */
  readonly norm: number | undefined;
  readonly epsilon: number;
  readonly order: Order;
}

/**
 * The clipping that options ask for.
 * @throws {MnemeError} `invalid-option`
 */
export function clipOf(options: ClipOptions, where: string): Clip {
  const { element, globalNorm, layerNorm, parameterNorm, renormalize, ...how } = parseOptions(schema, options, where);
  const asked: readonly (Clip | undefined)[] = [
    element === undefined ? undefined : { element },
    globalNorm === undefined ? undefined : { of: 'network', norm: globalNorm, ...how },
    layerNorm === undefined ? undefined : { of: 'layer', norm: layerNorm, ...how },
    parameterNorm === undefined ? undefined : { of: 'parameter', norm: parameterNorm, ...how },
    renormalize && { of: renormalize, norm: undefined, ...how },
  ];
  const [clip, ...more] = asked.filter((one) => one !== undefined);
  if (clip && more.length === 0) return clip;
  throw new MnemeError(
    'invalid-option',
    `${where}: give one of 'element', 'globalNorm', 'layerNorm', 'parameterNorm' and 'renormalize'.`,
  );
}

/** Above it a norm in f32 has overflowed, and the gradient cannot be scaled to anything meaningful. */
export const largest = 3.4e38;

/** The norm `[1]` of a value. */
export function normOf(value: Value, order: Order = 2): Value {
  if (order === 'maximum') return reduceMaximum(value, { axis: 'all', expression: (x) => x.abs() });
  if (order === 1) return reduceSum(value, { axis: 'all', expression: (x) => x.abs() });
  return map((sum) => sum.sqrt(), reduceSum(value, { axis: 'all', expression: (x) => x.square() }));
}

/**
 * An element of the clipped gradient, given the norm that the clipping asks for. NaN where the norm has overflowed, so
 * that the step is refused and not taken with a gradient of zeros.
 *
 * @param factor multiplies the gradient before anything else: 1, or NaN to refuse the step
 */
export function clipped(
  clip: Clip | undefined,
  gradient: Expression,
  norm: Expression,
  factor: Expression | number = 1,
): Expression {
  if (!clip) return gradient.mul(factor);
  if ('element' in clip) return gradient.mul(factor).max(-clip.element).min(clip.element);
  return gradient.mul(norm.less(largest).select(scaleOf(clip, norm), Number.NaN).mul(factor));
}

function scaleOf({ norm: limit, epsilon }: NormClip, norm: Expression): Expression {
  if (limit !== undefined) return constant(limit).div(norm.add(epsilon)).min(1);
  return norm.equal(0).select(1, constant(1).div(norm));
}
