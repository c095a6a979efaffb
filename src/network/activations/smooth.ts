/** Smooth relatives of the rectifier: about x far above 0, about 0 far below. */
import * as v from 'valibot';
import { constant, type Expression } from '../../compute/expression.js';
import { finiteNumber } from '../../options.js';
import { activation, adjustable } from './activation.js';

/**
 * log(1 + exp(`beta`·x)) / `beta`; Dugas et al. 2000. `beta`: default 1. Where `beta`·x is above `threshold` it is x: PyTorch
 * has 20 there, by default there is none, for nothing overflows.
 */
const softplus = adjustable(
  'softplus',
  v.strictObject({
    beta: v.optional(finiteNumber({ above: 0 }), 1),
    threshold: v.optional(finiteNumber()),
  }),
  (x, { beta, threshold }) => {
    const scaled = x.mul(beta);
    const result = logOfOnePlusExponential(scaled).div(beta);
    return threshold === undefined ? result : scaled.lessOrEqual(threshold).select(result, x);
  },
);

/** (x + sqrt(x² + `b`)) / 2; Barron 2021. `b`: default 4, as in Keras. For |x| up to 1e18. */
const squareplus = adjustable(
  'squareplus',
  v.strictObject({ b: v.optional(finiteNumber({ above: 0 }), 4) }),
  (x, { b }) => {
    const root = x.square().add(b).sqrt();
    // Below 0 the sum would cancel: (root + x) (root - x) = b.
    return x.less(0).select(constant(b / 2).div(root.sub(x)), root.add(x).mul(0.5));
  },
);

/** 0 up to -1, (x + 1)² / 4 up to 1, then x; Keras. */
const sparsePlus = activation('sparsePlus', (x) =>
  x.lessOrEqual(-1).select(0, x.less(1).select(x.add(1).square().mul(0.25), x)),
);

/** x·Φ(x) = x·(1 + erf(x / sqrt 2)) / 2; Hendrycks and Gimpel 2016. DL4J's GELU is `geluTanh`. */
const gelu = activation('gelu', (x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1)));

/** x·(1 + tanh(sqrt(2/π)·(x + 0.044715·x³))) / 2, the approximation in Hendrycks and Gimpel 2016. */
const geluTanh = activation('geluTanh', (x) => {
  // Farther out tanh is ±1 to the last bit, and the cube would leave the range of numbers.
  const near = x.max(-10).min(10);
  const inner = near
    .square()
    .mul(0.044715)
    .add(1)
    .mul(near)
    .mul(Math.sqrt(2 / Math.PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
});

/** x·sigmoid(x); Elfwing, Uchibe and Doya 2017; Ramachandran, Zoph and Le 2017. SiLU is another name of it. */
const swish = activation('swish', (x) => x.mul(x.sigmoid()));

/** x times x / 6 + 1/2 within [0, 1]; Howard et al. 2019. The gradient at -3 is 0, at 3 it is 1. */
const hardSwish = activation('hardSwish', (x) => x.mul(x.add(3).max(0).min(6).div(6)));

/**
 * x·tanh(log(1 + exp x)); Misra 2019. With e = exp x the hyperbolic tangent is n / (n + 2), n = e·(e + 2).
 */
const mish = activation('mish', (x) => {
  // From 20 on the quotient is 1 to the last bit, and its parts would at last be infinite.
  const exponential = x.min(20).exp();
  const numerator = exponential.mul(exponential.add(2));
  return x.mul(numerator.div(numerator.add(2)));
});

/** log(1 / (1 + exp(-x))) */
const logSigmoid = activation('logSigmoid', (x) => logOfOnePlusExponential(x.neg()).neg());

/**
 * log(1 + exp x) = max(x, 0) + log(1 + exp(-|x|)), which never overflows and keeps small values exact. The maximum and the
 * absolute value are written as choices whose slopes at 0 fit each other: 1/2 in all.
 */
function logOfOnePlusExponential(x: Expression): Expression {
  const isNegative = x.less(0);
  const larger = isNegative.select(0, x);
  return isNegative.select(x, x.neg()).exp().log1p().add(larger);
}

/** x + 1/2 from 0 on, below sigmoid(x): g in Feng et al. 2024, appendix B, which is positive everywhere. */
const linearSigmoid = activation('linearSigmoid', (x) => x.less(0).select(x.sigmoid(), x.add(0.5)));

export const smooth = {
  softplus,
  squareplus,
  sparsePlus,
  linearSigmoid,
  gelu,
  geluTanh,
  swish,
  hardSwish,
  mish,
  logSigmoid,
} as const;
