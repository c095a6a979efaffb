// exp, expm1, log, log1p, tanh, sigmoid and erf: the same operations, hence the same bits, at every width.
//
// NaN gives NaN, infinities the limits. Results below the smallest normal number are flushed to zero where the thread
// flushes denormals (the engine's do) and denormal otherwise. The polynomials are our own minimax fits (Lawson's iteration,
// coefficients rounded to float one after another, the rest refitted); native/test/simd_test.cpp measures the errors.
#ifndef MNEME_SIMD_FUNCTIONS
#define MNEME_SIMD_FUNCTIONS

#include "simd/lanes16.h"
#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Adding this (1.5 * 2^23) and subtracting it again rounds to whole numbers: it leaves no bits for a fraction.
constexpr float wholeNumberShift = 12582912.0f;

// e^x = 2^n e^r with r = x - n ln 2, |r| <= ln 2 / 2. ln 2 is subtracted in two parts, the first of few bits, so that
// n times it is exact. 1 ulp.
MNEME_INLINE Vector exp(Vector x) noexcept {
  // Beyond these limits the result is 0 or infinite anyhow, and n would leave the range of timesPowerOfTwo.
  const Vector y = lower(broadcast(89.0f), higher(broadcast(-104.0f), x));
  const Vector shift = broadcast(wholeNumberShift);
  const Vector n = subtract(fma(y, broadcast(1.44269504088896341f), shift), shift);
  Vector r = fnma(n, broadcast(0.693359375f), y);
  r = fnma(n, broadcast(-2.12194440e-4f), r);
  Vector p = broadcast(0.001382013550028205f);
  p = fma(p, r, broadcast(0.008368685841560364f));
  p = fma(p, r, broadcast(0.04166827350854874f));
  p = fma(p, r, broadcast(0.1666652113199234f));
  p = fma(p, r, broadcast(0.4999999403953552f));
  const Vector one = broadcast(1.0f);
  return timesPowerOfTwo(fma(multiply(p, r), r, add(r, one)), n);
}

// e^x - 1 = 2^n ((e^r - 1) + (1 - 2^-n)), with n and r as in exp: where n is 0 nothing is added, so that nothing cancels near
// zero. 2 ulp.
MNEME_INLINE Vector expm1(Vector x) noexcept {
  // Below -17.4 the result is -1 to the last bit; from 89 on it is infinite.
  const Vector y = lower(broadcast(89.0f), higher(broadcast(-30.0f), x));
  const Vector shift = broadcast(wholeNumberShift), one = broadcast(1.0f);
  const Vector n = subtract(fma(y, broadcast(1.44269504088896341f), shift), shift);
  Vector r = fnma(n, broadcast(0.693359375f), y);
  r = fnma(n, broadcast(-2.12194440e-4f), r);
  Vector p = broadcast(0.0013870695838704705f);
  p = fma(p, r, broadcast(0.00836627185344696f));
  p = fma(p, r, broadcast(0.04166743531823158f));
  p = fma(p, r, broadcast(0.1666654646396637f));
  p = fma(p, r, broadcast(0.4999999701976776f));
  p = fma(p, multiply(r, r), r);
  const Vector rest = subtract(one, timesPowerOfTwo(one, negate(n)));
  // Minus zero has lost its sign on the way.
  return copySign(timesPowerOfTwo(add(p, rest), n), x);
}

// log(2^n (1 + f)) = n ln 2 + f - f^2/2 + f^3 R(f) for 1 + f between sqrt(1/2) and sqrt(2).
MNEME_INLINE Vector logarithmOfParts(Vector n, Vector f) noexcept {
  Vector p = broadcast(-0.07638188451528549f);
  p = fma(p, f, broadcast(0.12764763832092285f));
  p = fma(p, f, broadcast(-0.13160189986228943f));
  p = fma(p, f, broadcast(0.14201273024082184f));
  p = fma(p, f, broadcast(-0.1662331521511078f));
  p = fma(p, f, broadcast(0.20001250505447388f));
  p = fma(p, f, broadcast(-0.250008225440979f));
  p = fma(p, f, broadcast(0.3333333134651184f));
  const Vector square = multiply(f, f);
  Vector low = multiply(multiply(p, f), square);
  low = fma(n, broadcast(-2.12194440e-4f), low);
  low = fnma(square, broadcast(0.5f), low);
  return fma(n, broadcast(0.693359375f), add(low, f));
}
// The whole n with x / 2^n between sqrt(1/2) and sqrt(2).
MNEME_INLINE Integers exponentAround1(Vector x) noexcept {
  return shiftRightSigned<23>(subtractIntegers(bitsOf(x), broadcastInteger(0x3f3504f3)));
}
// x / 2^n - 1 for that n, exactly.
MNEME_INLINE Vector fractionAround1(Vector x, Integers n) noexcept {
  return subtract(fromBits(subtractIntegers(bitsOf(x), shiftLeft<23>(n))), broadcast(1.0f));
}

// 1 ulp. Denormals count as zero, whether the thread flushes them or not.
MNEME_INLINE Vector log(Vector x) noexcept {
  const Integers n = exponentAround1(x);
  Vector result = logarithmOfParts(toFloats(n), fractionAround1(x, n));
  // Infinity and NaN stay themselves, zero gives minus infinity, negative numbers give NaN.
  const Vector smallest = broadcast(1.17549435e-38f);
  const Vector infinity = broadcast(__builtin_inff());
  result = select(less(x, infinity), result, x);
  result = select(less(x, smallest), negate(infinity), result);
  return select(lessOrEqual(x, negate(smallest)), broadcast(__builtin_nanf("")), result);
}

// log(1 + x), with n from the rounded sum but f = (1 + x) / 2^n - 1 = x 2^-n + (2^-n - 1) from x itself, rounded once. 2 ulp.
MNEME_INLINE Vector log1p(Vector x) noexcept {
  const Vector one = broadcast(1.0f), infinity = broadcast(__builtin_inff());
  const Vector sum = add(one, x);
  const Integers n = exponentAround1(sum);
  const Vector inverse = fromBits(shiftLeft<23>(subtractIntegers(broadcastInteger(127), n)));
  // From 2^25 on 1 does not count, and 2^-n would at last be no normal number.
  const Vector f = select(less(x, broadcast(33554432.0f)), fma(x, inverse, subtract(inverse, one)), fractionAround1(sum, n));
  // Minus zero has lost its sign on the way.
  Vector result = copySign(logarithmOfParts(toFloats(n), f), x);
  // Infinity and NaN stay themselves, -1 gives minus infinity, anything below NaN.
  result = select(less(x, infinity), result, x);
  result = select(lessOrEqual(x, negate(one)), negate(infinity), result);
  return select(less(x, negate(one)), broadcast(__builtin_nanf("")), result);
}

// Some vectors in lockstep, one operation on all of them after the other: a function of one vector is a chain of dependent
// instructions, and a processor looks ahead over too few of them to find the next chain by itself.
#define MNEME_EACH _Pragma("GCC unroll 8") for (int i = 0; i < count; ++i)

// 1 / (1 + e^-x): exact to a few ulp (relative) down to -87, where it nears the smallest normal number.
// e^-x = 2^n e^-r with r = x + n ln 2.
template <int count>
MNEME_INLINE void sigmoids(Vector (&x)[count]) noexcept {
  const Vector one = broadcast(1.0f), shift = broadcast(wholeNumberShift);
  Vector n[count], p[count];
  MNEME_EACH x[i] = lower(broadcast(104.0f), higher(broadcast(-89.0f), x[i]));
  MNEME_EACH n[i] = subtract(fnma(x[i], broadcast(1.44269504088896341f), shift), shift);
  // One part of ln 2 is enough: its error, n * 2e-9, is below half an ulp of e^-r up to |n| = 30 and 4 ulp at the far end.
  MNEME_EACH x[i] = fma(n[i], broadcast(0.693147180559945309f), x[i]);
  MNEME_EACH p[i] = fnma(broadcast(0.008312659338116646f), x[i], broadcast(0.041890617460012436f));
  MNEME_EACH p[i] = fnma(p[i], x[i], broadcast(0.16667114198207855f));
  MNEME_EACH p[i] = fnma(p[i], x[i], broadcast(0.4999922811985016f));
  MNEME_EACH p[i] = fnma(p[i], x[i], one);
  MNEME_EACH p[i] = fnma(p[i], x[i], one);
  MNEME_EACH p[i] = add(timesPowerOfTwo(p[i], n[i]), one);
  MNEME_EACH x[i] = divide(one, p[i]);
}
MNEME_INLINE Vector sigmoid(Vector x) noexcept {
  Vector alone[1] = {x};
  sigmoids(alone);
  return alone[0];
}

// E / (E + 2) with E = e^2|x| - 1 computed as (e^2r - 1) 2^n + (2^n - 1), 2r = 2|x| - n ln 2, so that nothing cancels near
// zero. 3 ulp.
template <int count>
MNEME_INLINE void tanhs(Vector (&x)[count]) noexcept {
  const Vector one = broadcast(1.0f), two = broadcast(2.0f), shift = broadcast(wholeNumberShift);
  Vector n[count], r[count], p[count];
  // From 9.1 on the result is 1 to the last bit.
  MNEME_EACH r[i] = lower(broadcast(9.1f), absolute(x[i]));
  MNEME_EACH n[i] = subtract(fma(r[i], broadcast(2.88539008177792681f), shift), shift);
  MNEME_EACH r[i] = fnma(n[i], broadcast(0.346573590279972655f), r[i]);
  // The coefficients of e^y - 1 times powers of two.
  MNEME_EACH p[i] = fma(broadcast(64 * 0.0013870695838704705f), r[i], broadcast(32 * 0.00836627185344696f));
  MNEME_EACH p[i] = fma(p[i], r[i], broadcast(16 * 0.04166743531823158f));
  MNEME_EACH p[i] = fma(p[i], r[i], broadcast(8 * 0.1666654646396637f));
  MNEME_EACH p[i] = fma(p[i], r[i], broadcast(4 * 0.4999999701976776f));
  MNEME_EACH p[i] = fma(p[i], r[i], two);
  MNEME_EACH p[i] = multiply(p[i], r[i]);
  MNEME_EACH n[i] = timesPowerOfTwo(one, n[i]);
  MNEME_EACH p[i] = fma(p[i], n[i], subtract(n[i], one));
  MNEME_EACH x[i] = copySign(divide(p[i], add(p[i], two)), x[i]);
}
MNEME_INLINE Vector tanh(Vector x) noexcept {
  Vector alone[1] = {x};
  tanhs(alone);
  return alone[0];
}

#undef MNEME_EACH

// x + x P(x^2) up to 0.92; 1 - e^-Q(x), with Q = -log(1 - erf x), beyond. 1.5 ulp.
MNEME_INLINE Vector erf(Vector x) noexcept {
  const Vector one = broadcast(1.0f);
  // From 3.92 on the result is 1 to the last bit.
  const Vector y = lower(broadcast(3.95f), absolute(x));
  const Vector square = multiply(y, y);
  Vector p = broadcast(-0.0006003800081089139f);
  p = fma(p, square, broadcast(0.004995853640139103f));
  p = fma(p, square, broadcast(-0.026768580079078674f));
  p = fma(p, square, broadcast(0.11281877011060715f));
  p = fma(p, square, broadcast(-0.3761250078678131f));
  p = fma(p, square, broadcast(0.12837915122509003f));
  Vector q = broadcast(-0.00019592369790188968f);
  q = fma(q, y, broadcast(0.0030431177001446486f));
  q = fma(q, y, broadcast(-0.022226635366678238f));
  q = fma(q, y, broadcast(0.10393119603395462f));
  q = fma(q, y, broadcast(0.6371825337409973f));
  q = fma(q, y, broadcast(1.1276755332946777f));
  q = fma(q, y, broadcast(0.00019568420248106122f));
  const Vector large = subtract(one, exp(negate(q)));
  return copySign(select(less(y, broadcast(0.92f)), fma(p, y, y), large), x);
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#endif
