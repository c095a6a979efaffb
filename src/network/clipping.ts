/** Keeping gradients small. */
import * as v from 'valibot';
import { constant, type Expression } from '../compute/expression.js';
import { MnemeError } from '../errors.js';
import { finiteNumber, parseOptions } from '../options.js';

const schema = v.strictObject({
  element: v.optional(finiteNumber({ above: 0 })),
  globalNorm: v.optional(finiteNumber({ above: 0 })),
  epsilon: v.optional(finiteNumber({ minimum: 0 }), 0),
});

/**
 * The options of clipping, one or the other:
 * - `{ element }`: every number of the gradient is brought within ±element
 * - `{ globalNorm, epsilon }`: the whole gradient is multiplied by min(1, globalNorm / (norm + epsilon)), with the norm
 *   of all parameters together (Pascanu, Mikolov and Bengio 2013). `epsilon` is 0 by default, as in Keras; PyTorch
 *   has 1e-6
 */
export type ClipOptions =
  | { readonly element: number }
  | { readonly globalNorm: number; readonly epsilon?: number | undefined };
export type Clip = { readonly element: number } | { readonly globalNorm: number; readonly epsilon: number };

/**
 * The clipping that options ask for.
 * @throws {MnemeError} `invalid-option`
 */
export function clipOf(options: ClipOptions, where: string): Clip {
  const { element, globalNorm, epsilon } = parseOptions(schema, options, where);
  if (element !== undefined && globalNorm === undefined) return { element };
  if (element === undefined && globalNorm !== undefined) return { globalNorm, epsilon };
  throw new MnemeError('invalid-option', `${where}: give either 'element' or 'globalNorm'.`);
}

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
