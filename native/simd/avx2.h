// Vectors of 8 floats. Included by vector.h, which says what everything is.
#pragma once

namespace mneme::avx2 {

struct Vector {
  static constexpr int width = 8;
  __m256 lanes;
};
struct Integers {
  __m256i lanes;
};
struct Mask {
  __m256 lanes;
};

MNEME_INLINE __m256i firstLanes(int count) noexcept {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

MNEME_INLINE Vector load(const float* p) noexcept { return {_mm256_loadu_ps(p)}; }
MNEME_INLINE void store(float* p, Vector x) noexcept { _mm256_storeu_ps(p, x.lanes); }
MNEME_INLINE Vector loadFirst(const float* p, int count) noexcept { return {_mm256_maskload_ps(p, firstLanes(count))}; }
MNEME_INLINE void storeFirst(float* p, Vector x, int count) noexcept { _mm256_maskstore_ps(p, firstLanes(count), x.lanes); }
MNEME_INLINE Vector broadcast(float x) noexcept { return {_mm256_set1_ps(x)}; }
MNEME_INLINE Vector zero() noexcept { return {_mm256_setzero_ps()}; }
MNEME_INLINE Integers loadIntegers(const int32_t* p) noexcept { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
MNEME_INLINE void storeIntegers(int32_t* p, Integers x) noexcept { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.lanes); }
MNEME_INLINE Integers broadcastInteger(int32_t x) noexcept { return {_mm256_set1_epi32(x)}; }
MNEME_INLINE void prefetch(const void* p) noexcept { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

MNEME_INLINE Vector add(Vector a, Vector b) noexcept { return {_mm256_add_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector subtract(Vector a, Vector b) noexcept { return {_mm256_sub_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector multiply(Vector a, Vector b) noexcept { return {_mm256_mul_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector divide(Vector a, Vector b) noexcept { return {_mm256_div_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector squareRoot(Vector a) noexcept { return {_mm256_sqrt_ps(a.lanes)}; }
MNEME_INLINE Vector fma(Vector a, Vector b, Vector c) noexcept { return {_mm256_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
MNEME_INLINE Vector fnma(Vector a, Vector b, Vector c) noexcept { return {_mm256_fnmadd_ps(a.lanes, b.lanes, c.lanes)}; }

MNEME_INLINE Mask less(Vector a, Vector b) noexcept { return {_mm256_cmp_ps(a.lanes, b.lanes, _CMP_LT_OQ)}; }
MNEME_INLINE Mask lessOrEqual(Vector a, Vector b) noexcept { return {_mm256_cmp_ps(a.lanes, b.lanes, _CMP_LE_OQ)}; }
MNEME_INLINE Mask equal(Vector a, Vector b) noexcept { return {_mm256_cmp_ps(a.lanes, b.lanes, _CMP_EQ_OQ)}; }
MNEME_INLINE Mask isNan(Vector a) noexcept { return {_mm256_cmp_ps(a.lanes, a.lanes, _CMP_UNORD_Q)}; }
MNEME_INLINE Mask equalIntegers(Integers a, Integers b) noexcept { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.lanes, b.lanes))}; }
MNEME_INLINE Mask both(Mask a, Mask b) noexcept { return {_mm256_and_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Mask either(Mask a, Mask b) noexcept { return {_mm256_or_ps(a.lanes, b.lanes)}; }
MNEME_INLINE bool any(Mask a) noexcept { return _mm256_movemask_ps(a.lanes) != 0; }
MNEME_INLINE Vector select(Mask m, Vector a, Vector b) noexcept { return {_mm256_blendv_ps(b.lanes, a.lanes, m.lanes)}; }

MNEME_INLINE Vector lower(Vector a, Vector b) noexcept { return {_mm256_min_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector higher(Vector a, Vector b) noexcept { return {_mm256_max_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector minimum(Vector a, Vector b) noexcept { return select(isNan(a), a, lower(a, b)); }
MNEME_INLINE Vector maximum(Vector a, Vector b) noexcept { return select(isNan(a), a, higher(a, b)); }

MNEME_INLINE Integers bitsOf(Vector a) noexcept { return {_mm256_castps_si256(a.lanes)}; }
MNEME_INLINE Vector fromBits(Integers a) noexcept { return {_mm256_castsi256_ps(a.lanes)}; }
MNEME_INLINE Vector toFloats(Integers a) noexcept { return {_mm256_cvtepi32_ps(a.lanes)}; }
MNEME_INLINE Integers truncate(Vector a) noexcept { return {_mm256_cvttps_epi32(a.lanes)}; }
MNEME_INLINE Integers addIntegers(Integers a, Integers b) noexcept { return {_mm256_add_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers subtractIntegers(Integers a, Integers b) noexcept { return {_mm256_sub_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers multiplyLow(Integers a, Integers b) noexcept { return {_mm256_mullo_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers multiplyHigh(Integers a, Integers b) noexcept {
  const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a.lanes, b.lanes), 32);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.lanes, 32), _mm256_srli_epi64(b.lanes, 32));
  return {_mm256_blend_epi32(even, odd, 0xaa)};
}
MNEME_INLINE Integers bitAnd(Integers a, Integers b) noexcept { return {_mm256_and_si256(a.lanes, b.lanes)}; }
MNEME_INLINE Integers bitOr(Integers a, Integers b) noexcept { return {_mm256_or_si256(a.lanes, b.lanes)}; }
MNEME_INLINE Integers bitXor(Integers a, Integers b) noexcept { return {_mm256_xor_si256(a.lanes, b.lanes)}; }
template <int n>
MNEME_INLINE Integers shiftLeft(Integers a) noexcept { return {_mm256_slli_epi32(a.lanes, n)}; }
template <int n>
MNEME_INLINE Integers shiftRight(Integers a) noexcept { return {_mm256_srli_epi32(a.lanes, n)}; }
template <int n>
MNEME_INLINE Integers shiftRightSigned(Integers a) noexcept { return {_mm256_srai_epi32(a.lanes, n)}; }

MNEME_INLINE Vector absolute(Vector a) noexcept { return fromBits(bitAnd(bitsOf(a), broadcastInteger(INT32_MAX))); }
MNEME_INLINE Vector negate(Vector a) noexcept { return fromBits(bitXor(bitsOf(a), broadcastInteger(INT32_MIN))); }
MNEME_INLINE Vector copySign(Vector magnitude, Vector sign) noexcept {
  return fromBits(bitOr(bitsOf(absolute(magnitude)), bitAnd(bitsOf(sign), broadcastInteger(INT32_MIN))));
}
MNEME_INLINE Vector floor(Vector a) noexcept { return {_mm256_floor_ps(a.lanes)}; }
// In two factors, for 2^n alone may be no normal number; the first product is exact.
MNEME_INLINE Vector timesPowerOfTwo(Vector x, Vector n) noexcept {
  const Integers whole = truncate(n), half = shiftRightSigned<1>(whole), bias = broadcastInteger(127);
  const Vector first = fromBits(shiftLeft<23>(addIntegers(half, bias)));
  const Vector second = fromBits(shiftLeft<23>(addIntegers(subtractIntegers(whole, half), bias)));
  return multiply(multiply(x, first), second);
}
// Pairs, then fours within the halves of a register, then the halves.
MNEME_INLINE void transpose(Vector (&x)[8]) noexcept {
  __m256 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(x[i].lanes, x[i + 1].lanes);
    pairs[i + 1] = _mm256_unpackhi_ps(x[i].lanes, x[i + 1].lanes);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m256d low = _mm256_castps_pd(pairs[i + j]), high = _mm256_castps_pd(pairs[i + 2 + j]);
      fours[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
      fours[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i].lanes = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x20);
    x[4 + i].lanes = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x31);
  }
}
MNEME_INLINE Vector fmaFromMemory(Vector a, const float* b, Vector c) noexcept { return fma(a, load(b), c); }
MNEME_INLINE void pin(Vector& x) noexcept { asm("" : "+x"(x.lanes)); }

}  // namespace mneme::avx2
