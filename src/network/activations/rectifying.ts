/** Rectifiers with a kink: x above some number, and something flatter below. At the kink the lower slope counts, as in PyTorch. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { activation, adjustable, numbered } from './activation.js';

/** max(x, 0); the gradient at 0 is 0. */
const relu = numbered(3, 'relu', (x) => x.max(0));

/** x within [0, 6]; Krizhevsky 2010. The gradient at both is 0. */
const relu6 = activation('relu6', (x) => x.max(0).min(6));

/** x above 0, else `slope`·x; Maas, Hannun and Ng 2013. `slope`: default 0.01, as in PyTorch and DL4J (Keras 3: 0.2). */
const leakyRelu = adjustable('leakyRelu', v.strictObject({ slope: v.optional(finiteNumber(), 0.01) }), (x, { slope }) =>
  above0(x, x.mul(slope)),
);

/**
 * x above `threshold`, else `value`; Konda, Memisevic and Krueger 2014. `threshold`: default 1, as in DL4J and Keras;
 * `value`: default 0. With any others it is PyTorch's Threshold.
 */
const thresholdedRelu = adjustable(
  'thresholdedRelu',
  v.strictObject({ threshold: v.optional(finiteNumber(), 1), value: v.optional(finiteNumber(), 0) }),
  // Written so that NaN stays NaN.
  (x, { threshold, value }) => x.lessOrEqual(threshold).select(value, x),
);

/** x above 0, else `alpha`·(exp(x) - 1); Clevert, Unterthiner and Hochreiter 2015. `alpha`: default 1. */
const elu = adjustable('elu', v.strictObject({ alpha: v.optional(finiteNumber(), 1) }), (x, { alpha }) =>
  above0(x, x.expm1().mul(alpha)),
);

/** scale·x above 0, else scale·alpha·(exp(x) - 1); Klambauer et al. 2017, equation 2, with the constants of equation 14. */
const selu = activation('selu', (x) => {
  const [scale, alpha] = [1.0507009873554805, 1.6732632423543772];
  return above0(x.mul(scale), x.expm1().mul(scale * alpha), x);
});

/** x above 0, else `alpha`·(exp(x / `alpha`) - 1): ELU with a slope of 1 on both sides of 0; Barron 2017. `alpha`: default 1. */
const celu = adjustable('celu', v.strictObject({ alpha: v.optional(finiteNumber({ above: 0 }), 1) }), (x, { alpha }) =>
  above0(x, x.div(alpha).expm1().mul(alpha)),
);

const above0 = (x: Expression, otherwise: Expression, of = x): Expression => constant(0).less(of).select(x, otherwise);

export const rectifying = { relu, relu6, leakyRelu, thresholdedRelu, elu, selu, celu } as const;
