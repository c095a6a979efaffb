// Vectors of 4 floats in the compiler's own vector types, for any processor. Included by vector.h, which says what
// everything is. Correct first: a fused multiply-add costs about ten times that of the other instruction sets.
#pragma once

namespace mneme::portable {

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef uint32_t Unsigned4 __attribute__((vector_size(16)));
typedef double Double4 __attribute__((vector_size(32)));
typedef int64_t Long4 __attribute__((vector_size(32)));
typedef uint64_t UnsignedLong4 __attribute__((vector_size(32)));

struct Vector {
  static constexpr int width = 4;
  Float4 lanes;
};
struct Integers {
  Int4 lanes;
};
struct Mask {
  Int4 lanes;
};

MNEME_INLINE Vector load(const float* p) noexcept {
  Vector x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
MNEME_INLINE void store(float* p, Vector x) noexcept { std::memcpy(p, &x, sizeof x); }
MNEME_INLINE Vector loadFirst(const float* p, int count) noexcept {
  Vector x = {Float4{}};
  for (int lane = 0; lane < 4; ++lane)
    if (lane < count) x.lanes[lane] = p[lane];
  return x;
}
MNEME_INLINE void storeFirst(float* p, Vector x, int count) noexcept {
  for (int lane = 0; lane < 4; ++lane)
    if (lane < count) p[lane] = x.lanes[lane];
}
MNEME_INLINE Vector broadcast(float x) noexcept { return {Float4{x, x, x, x}}; }
MNEME_INLINE Vector zero() noexcept { return {Float4{}}; }
MNEME_INLINE Integers loadIntegers(const int32_t* p) noexcept {
  Integers x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
MNEME_INLINE void storeIntegers(int32_t* p, Integers x) noexcept { std::memcpy(p, &x, sizeof x); }
MNEME_INLINE Integers broadcastInteger(int32_t x) noexcept { return {Int4{x, x, x, x}}; }
MNEME_INLINE void prefetch(const void* p) noexcept { __builtin_prefetch(p); }

MNEME_INLINE Vector add(Vector a, Vector b) noexcept { return {a.lanes + b.lanes}; }
MNEME_INLINE Vector subtract(Vector a, Vector b) noexcept { return {a.lanes - b.lanes}; }
MNEME_INLINE Vector multiply(Vector a, Vector b) noexcept { return {a.lanes * b.lanes}; }
MNEME_INLINE Vector divide(Vector a, Vector b) noexcept { return {a.lanes / b.lanes}; }
MNEME_INLINE Vector squareRoot(Vector a) noexcept {
  return {Float4{__builtin_sqrtf(a.lanes[0]), __builtin_sqrtf(a.lanes[1]), __builtin_sqrtf(a.lanes[2]), __builtin_sqrtf(a.lanes[3])}};
}

// One rounding without the instruction: the product of two floats is exact in double, the sum is rounded to odd (the last
// bit is set if anything was lost), and 53 bits rounded to odd, then to the nearest 24, are the nearest 24 (S. Boldo,
// G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
MNEME_INLINE Vector fma(Vector a, Vector b, Vector c) noexcept {
  const Double4 product = __builtin_convertvector(a.lanes, Double4) * __builtin_convertvector(b.lanes, Double4);
  const Double4 addend = __builtin_convertvector(c.lanes, Double4);
  const Double4 sum = product + addend;
  const Double4 virtualAddend = sum - product;
  const Double4 lost = (product - (sum - virtualAddend)) + (addend - virtualAddend);
  // Ordered comparisons: where the sum is infinite or NaN, `lost` is NaN and nothing is adjusted.
  const Long4 inexact = (lost < 0.0) | (lost > 0.0);
  const Long4 bits = reinterpret_cast<Long4>(sum);
  const Long4 even = (bits & 1) - 1;
  const Long4 towards =
      1 - 2 * reinterpret_cast<Long4>(reinterpret_cast<UnsignedLong4>(bits ^ reinterpret_cast<Long4>(lost)) >> 63);
  const Double4 odd = reinterpret_cast<Double4>(bits + (inexact & even & towards));
  return {__builtin_convertvector(odd, Float4)};
}

MNEME_INLINE Mask less(Vector a, Vector b) noexcept { return {a.lanes < b.lanes}; }
MNEME_INLINE Mask lessOrEqual(Vector a, Vector b) noexcept { return {a.lanes <= b.lanes}; }
MNEME_INLINE Mask equal(Vector a, Vector b) noexcept { return {a.lanes == b.lanes}; }
MNEME_INLINE Mask isNan(Vector a) noexcept { return {a.lanes != a.lanes}; }
MNEME_INLINE Mask equalIntegers(Integers a, Integers b) noexcept { return {a.lanes == b.lanes}; }
MNEME_INLINE Mask both(Mask a, Mask b) noexcept { return {a.lanes & b.lanes}; }
MNEME_INLINE Mask either(Mask a, Mask b) noexcept { return {a.lanes | b.lanes}; }
MNEME_INLINE bool any(Mask a) noexcept { return (a.lanes[0] | a.lanes[1] | a.lanes[2] | a.lanes[3]) != 0; }

MNEME_INLINE Integers bitsOf(Vector a) noexcept { return {reinterpret_cast<Int4>(a.lanes)}; }
MNEME_INLINE Vector fromBits(Integers a) noexcept { return {reinterpret_cast<Float4>(a.lanes)}; }
MNEME_INLINE Vector select(Mask m, Vector a, Vector b) noexcept {
  return fromBits({(m.lanes & bitsOf(a).lanes) | (~m.lanes & bitsOf(b).lanes)});
}
#if defined(__SSE2__)
// Where denormals are flushed the instruction flushes the one it returns, which a selection would not.
MNEME_INLINE Vector lower(Vector a, Vector b) noexcept { return {_mm_min_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector higher(Vector a, Vector b) noexcept { return {_mm_max_ps(a.lanes, b.lanes)}; }
#else
MNEME_INLINE Vector lower(Vector a, Vector b) noexcept { return select(less(a, b), a, b); }
MNEME_INLINE Vector higher(Vector a, Vector b) noexcept { return select(less(b, a), a, b); }
#endif
MNEME_INLINE Vector minimum(Vector a, Vector b) noexcept { return select(isNan(a), a, lower(a, b)); }
MNEME_INLINE Vector maximum(Vector a, Vector b) noexcept { return select(isNan(a), a, higher(a, b)); }

MNEME_INLINE Vector toFloats(Integers a) noexcept { return {__builtin_convertvector(a.lanes, Float4)}; }
MNEME_INLINE Integers truncate(Vector a) noexcept { return {__builtin_convertvector(a.lanes, Int4)}; }
// Wrapping arithmetic is unsigned arithmetic.
MNEME_INLINE Unsigned4 asUnsigned(Integers a) noexcept { return reinterpret_cast<Unsigned4>(a.lanes); }
MNEME_INLINE Integers asIntegers(Unsigned4 a) noexcept { return {reinterpret_cast<Int4>(a)}; }
MNEME_INLINE Integers addIntegers(Integers a, Integers b) noexcept { return asIntegers(asUnsigned(a) + asUnsigned(b)); }
MNEME_INLINE Integers subtractIntegers(Integers a, Integers b) noexcept { return asIntegers(asUnsigned(a) - asUnsigned(b)); }
MNEME_INLINE Integers multiplyLow(Integers a, Integers b) noexcept { return asIntegers(asUnsigned(a) * asUnsigned(b)); }
MNEME_INLINE Integers multiplyHigh(Integers a, Integers b) noexcept {
  const UnsignedLong4 product = __builtin_convertvector(asUnsigned(a), UnsignedLong4) * __builtin_convertvector(asUnsigned(b), UnsignedLong4);
  return asIntegers(__builtin_convertvector(product >> 32, Unsigned4));
}
MNEME_INLINE Integers bitAnd(Integers a, Integers b) noexcept { return {a.lanes & b.lanes}; }
MNEME_INLINE Integers bitOr(Integers a, Integers b) noexcept { return {a.lanes | b.lanes}; }
MNEME_INLINE Integers bitXor(Integers a, Integers b) noexcept { return {a.lanes ^ b.lanes}; }
template <int n>
MNEME_INLINE Integers shiftLeft(Integers a) noexcept { return asIntegers(asUnsigned(a) << n); }
template <int n>
MNEME_INLINE Integers shiftRight(Integers a) noexcept { return asIntegers(asUnsigned(a) >> n); }
template <int n>
MNEME_INLINE Integers shiftRightSigned(Integers a) noexcept { return {a.lanes >> n}; }

MNEME_INLINE Vector absolute(Vector a) noexcept { return fromBits(bitAnd(bitsOf(a), broadcastInteger(INT32_MAX))); }
MNEME_INLINE Vector negate(Vector a) noexcept { return fromBits(bitXor(bitsOf(a), broadcastInteger(INT32_MIN))); }
MNEME_INLINE Vector fnma(Vector a, Vector b, Vector c) noexcept { return fma(negate(a), b, c); }
MNEME_INLINE Vector copySign(Vector magnitude, Vector sign) noexcept {
  return fromBits(bitOr(bitsOf(absolute(magnitude)), bitAnd(bitsOf(sign), broadcastInteger(INT32_MIN))));
}
// From 2^23 on every float is whole (and may not fit an integer); the sign bit is kept for -0.
MNEME_INLINE Vector floor(Vector a) noexcept {
  const Mask small = less(absolute(a), broadcast(8388608.0f));
  const Vector whole = toFloats(truncate(select(small, a, zero())));
  const Vector lowered = subtract(whole, select(less(a, whole), broadcast(1.0f), zero()));
  return select(small, copySign(lowered, a), a);
}
// In two factors, for 2^n alone may be no normal number; the first product is exact.
MNEME_INLINE Vector timesPowerOfTwo(Vector x, Vector n) noexcept {
  const Integers whole = truncate(n), half = shiftRightSigned<1>(whole), bias = broadcastInteger(127);
  const Vector first = fromBits(shiftLeft<23>(addIntegers(half, bias)));
  const Vector second = fromBits(shiftLeft<23>(addIntegers(subtractIntegers(whole, half), bias)));
  return multiply(multiply(x, first), second);
}
MNEME_INLINE void transpose(Vector (&x)[4]) noexcept {
  const Vector from[4] = {x[0], x[1], x[2], x[3]};
  for (int i = 0; i < 4; ++i) x[i] = {Float4{from[0].lanes[i], from[1].lanes[i], from[2].lanes[i], from[3].lanes[i]}};
}
MNEME_INLINE Vector fmaFromMemory(Vector a, const float* b, Vector c) noexcept { return fma(a, load(b), c); }
MNEME_INLINE void pin(Vector&) noexcept {}

}  // namespace mneme::portable
