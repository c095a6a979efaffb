/** Cross entropy of sigmoids: any number of classes at once. */
import * as v from 'valibot';
import { constant, expressionOf } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';
import { beforeSigmoid } from './logits.js';
import { numberOrList } from './number-list.js';

const schema = v.strictObject({
  ...elementwiseEntries,
  labelSmoothing: v.optional(finiteNumber({ minimum: 0, maximum: 1 }), 0),
  positiveWeight: v.optional(numberOrList({ minimum: 0 }), 1),
});

/**
 * -p·t·log σ(x) - (1 - t)·log(1 - σ(x)), in nats, with targets t in [0, 1] and x the network's logits; a sigmoid at its
 * end is seen and not applied twice. Computed from log σ(x) = -max(-x, 0) - log(1 + exp(-|x|)), which never overflows.
 *
 * @param options
 * - `positiveWeight`: p, which makes up for classes that are rarely there: one number, or one a feature; default 1.
 *   PyTorch's pos_weight
 * - `labelSmoothing`: ε in [0, 1], default 0: t becomes (1 - ε)·t + ε / 2 (as in Keras)
 * - see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.sigmoidCrossEntropy(), updater: updaters.adam() });
 */
export const sigmoidCrossEntropy = elementwise(
  'sigmoidCrossEntropy',
  schema,
  (x, target, { labelSmoothing, positiveWeight }) => {
    const t = target.mul(1 - labelSmoothing).add(labelSmoothing / 2);
    const share = t.mul(expressionOf(positiveWeight).sub(1)).add(1);
    // max(-x, 0) as (|x| - x) / 2: its derivative at 0 is -1/2, as it must be.
    const cost = x.abs().sub(x).mul(0.5).add(x.abs().neg().exp().log1p());
    return constant(1).sub(t).mul(x).add(share.mul(cost));
  },
  { before: beforeSigmoid },
);
