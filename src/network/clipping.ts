/** Keeping gradients small. */
import * as v from 'valibot';
import { constant, type Expression } from '../compute/expression.js';
import { finiteNumber } from '../options.js';

/**
 * The options of clipping, one or the other:
 * - `{ element }`: every number of the gradient is brought within ±element
 * - `{ globalNorm, epsilon }`: the whole gradient is multiplied by min(1, globalNorm / (norm + epsilon)), with the norm
 *   of all parameters together (Pascanu, Mikolov and Bengio 2013). `epsilon` is 0 by default, as in Keras; PyTorch
 *   has 1e-6
 */
export const clipOption = v.union([
  v.strictObject({ element: finiteNumber({ above: 0 }) }),
  v.strictObject({ globalNorm: finiteNumber({ above: 0 }), epsilon: v.optional(finiteNumber({ minimum: 0 }), 0) }),
]);
export type ClipOptions = v.InferInput<typeof clipOption>;
export type Clip = v.InferOutput<typeof clipOption>;

/** Above it a norm in f32 has overflowed, and the gradient cannot be scaled to anything meaningful. */
export const largest = 3.4e38;

/**
 * An element of the clipped gradient, given the norm of the whole gradient. NaN where the norm has overflowed, so that
 * the step is refused and not taken with a gradient of zeros.
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
  const scale = constant(clip.globalNorm).div(norm.add(clip.epsilon)).min(1);
  return gradient.mul(norm.less(largest).select(scale, Number.NaN).mul(factor));
}
