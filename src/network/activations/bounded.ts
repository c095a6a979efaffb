/** Activations with values between two limits, for gates and states. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { activation, adjustable, numbered } from './activation.js';

/** 1 / (1 + exp(-x)) */
const sigmoid = numbered(1, 'sigmoid', (x) => x.sigmoid());

/** Hyperbolic tangent. */
const tanh = numbered(2, 'tanh', (x) => x.tanh());

/** x / (1 + |x|) */
const softsign = numbered(5, 'softsign', (x) => x.div(x.abs().add(1)));

/** x / 6 + 1/2 within [0, 1]: that of PyTorch and Keras 3. `hardSigmoidFifth` is the steeper one. */
const hardSigmoid = activation('hardSigmoid', (x) => x.div(6).add(0.5).max(0).min(1));

/** x / 5 + 1/2 within [0, 1]: what DL4J, TensorFlow.js and Keras up to 2 call hard sigmoid (Courbariaux et al. 2015). */
const hardSigmoidFifth = activation('hardSigmoidFifth', (x) => x.mul(0.2).add(0.5).max(0).min(1));

/** (x + 1) / 2 within [0, 1]; Keras. Where it is not flat it is the derivative of `sparsePlus`. */
const sparseSigmoid = activation('sparseSigmoid', (x) => x.add(1).mul(0.5).max(0).min(1));

/** x within [`minimum`, `maximum`], by default [-1, 1]; the gradient at both is 0, as in PyTorch. */
const hardTanh = adjustable(
  'hardTanh',
  v.pipe(
    v.strictObject({ minimum: v.optional(finiteNumber(), -1), maximum: v.optional(finiteNumber(), 1) }),
    v.check(({ minimum, maximum }) => minimum < maximum, 'a minimum below the maximum'),
  ),
  (x, { minimum, maximum }) => x.max(minimum).min(maximum),
);

/**
 * 1.7159 · tanh(2x/3) with tanh y ≈ sign(y) · (1 - 1 / (1 + |y| + y² + 1.41645·y⁴)); DL4J's RATIONALTANH, from
 * arXiv:1508.01292v3. Computed as y·g / (1 + |y|·g) with g = 1 + |y| + 1.41645·|y|³, which is the same and loses nothing
 * near 0.
 */
const rationalTanh = activation('rationalTanh', (x) => {
  // Farther out the result is 1.7159 to the last bit, and the fourth power would leave the range of numbers.
  const y = x
    .mul(2 / 3)
    .max(-1e4)
    .min(1e4);
  const size = y.abs();
  const slope = size.square().mul(1.41645).add(1).mul(size).add(1);
  return y.mul(slope).div(size.mul(slope).add(1)).mul(1.7159);
});

/** max(tanh x, 0); DL4J's RECTIFIEDTANH. */
const rectifiedTanh = activation('rectifiedTanh', (x) => x.tanh().max(0));

export const bounded = {
  sigmoid,
  tanh,
  softsign,
  hardSigmoid,
  hardSigmoidFifth,
  sparseSigmoid,
  hardTanh,
  rationalTanh,
  rectifiedTanh,
} as const;
