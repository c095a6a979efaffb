// Vectors of 16 floats. Included by vector.h, which says what everything is.
#pragma once

namespace mneme::avx512 {

struct Vector {
  static constexpr int width = 16;
  __m512 lanes;
};
struct Integers {
  __m512i lanes;
};
struct Mask {
  __mmask16 lanes;
};

MNEME_INLINE __mmask16 firstLanes(int count) noexcept { return static_cast<__mmask16>(_bzhi_u32(0xffffu, count)); }

MNEME_INLINE Vector load(const float* p) noexcept { return {_mm512_loadu_ps(p)}; }
MNEME_INLINE void store(float* p, Vector x) noexcept { _mm512_storeu_ps(p, x.lanes); }
MNEME_INLINE Vector loadFirst(const float* p, int count) noexcept { return {_mm512_maskz_loadu_ps(firstLanes(count), p)}; }
MNEME_INLINE void storeFirst(float* p, Vector x, int count) noexcept { _mm512_mask_storeu_ps(p, firstLanes(count), x.lanes); }
MNEME_INLINE Vector broadcast(float x) noexcept { return {_mm512_set1_ps(x)}; }
MNEME_INLINE Vector zero() noexcept { return {_mm512_setzero_ps()}; }
MNEME_INLINE Integers loadIntegers(const int32_t* p) noexcept { return {_mm512_loadu_si512(p)}; }
MNEME_INLINE void storeIntegers(int32_t* p, Integers x) noexcept { _mm512_storeu_si512(p, x.lanes); }
MNEME_INLINE Integers broadcastInteger(int32_t x) noexcept { return {_mm512_set1_epi32(x)}; }
MNEME_INLINE void prefetch(const void* p) noexcept { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

MNEME_INLINE Vector add(Vector a, Vector b) noexcept { return {_mm512_add_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector subtract(Vector a, Vector b) noexcept { return {_mm512_sub_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector multiply(Vector a, Vector b) noexcept { return {_mm512_mul_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector divide(Vector a, Vector b) noexcept { return {_mm512_div_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector squareRoot(Vector a) noexcept { return {_mm512_sqrt_ps(a.lanes)}; }
MNEME_INLINE Vector fma(Vector a, Vector b, Vector c) noexcept { return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
MNEME_INLINE Vector fnma(Vector a, Vector b, Vector c) noexcept { return {_mm512_fnmadd_ps(a.lanes, b.lanes, c.lanes)}; }

MNEME_INLINE Mask less(Vector a, Vector b) noexcept { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_LT_OQ)}; }
MNEME_INLINE Mask lessOrEqual(Vector a, Vector b) noexcept { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_LE_OQ)}; }
MNEME_INLINE Mask equal(Vector a, Vector b) noexcept { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_EQ_OQ)}; }
MNEME_INLINE Mask isNan(Vector a) noexcept { return {_mm512_cmp_ps_mask(a.lanes, a.lanes, _CMP_UNORD_Q)}; }
MNEME_INLINE Mask equalIntegers(Integers a, Integers b) noexcept { return {_mm512_cmpeq_epi32_mask(a.lanes, b.lanes)}; }
MNEME_INLINE Mask both(Mask a, Mask b) noexcept { return {static_cast<__mmask16>(a.lanes & b.lanes)}; }
MNEME_INLINE Mask either(Mask a, Mask b) noexcept { return {static_cast<__mmask16>(a.lanes | b.lanes)}; }
MNEME_INLINE bool any(Mask a) noexcept { return a.lanes != 0; }
MNEME_INLINE Vector select(Mask m, Vector a, Vector b) noexcept { return {_mm512_mask_blend_ps(m.lanes, b.lanes, a.lanes)}; }

MNEME_INLINE Vector lower(Vector a, Vector b) noexcept { return {_mm512_min_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector higher(Vector a, Vector b) noexcept { return {_mm512_max_ps(a.lanes, b.lanes)}; }
MNEME_INLINE Vector minimum(Vector a, Vector b) noexcept { return select(isNan(a), a, lower(a, b)); }
MNEME_INLINE Vector maximum(Vector a, Vector b) noexcept { return select(isNan(a), a, higher(a, b)); }

MNEME_INLINE Integers bitsOf(Vector a) noexcept { return {_mm512_castps_si512(a.lanes)}; }
MNEME_INLINE Vector fromBits(Integers a) noexcept { return {_mm512_castsi512_ps(a.lanes)}; }
MNEME_INLINE Vector toFloats(Integers a) noexcept { return {_mm512_cvtepi32_ps(a.lanes)}; }
MNEME_INLINE Integers truncate(Vector a) noexcept { return {_mm512_cvttps_epi32(a.lanes)}; }
MNEME_INLINE Integers addIntegers(Integers a, Integers b) noexcept { return {_mm512_add_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers subtractIntegers(Integers a, Integers b) noexcept { return {_mm512_sub_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers multiplyLow(Integers a, Integers b) noexcept { return {_mm512_mullo_epi32(a.lanes, b.lanes)}; }
MNEME_INLINE Integers multiplyHigh(Integers a, Integers b) noexcept {
  const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a.lanes, b.lanes), 32);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.lanes, 32), _mm512_srli_epi64(b.lanes, 32));
  return {_mm512_mask_blend_epi32(0xaaaa, even, odd)};
}
MNEME_INLINE Integers bitAnd(Integers a, Integers b) noexcept { return {_mm512_and_si512(a.lanes, b.lanes)}; }
MNEME_INLINE Integers bitOr(Integers a, Integers b) noexcept { return {_mm512_or_si512(a.lanes, b.lanes)}; }
MNEME_INLINE Integers bitXor(Integers a, Integers b) noexcept { return {_mm512_xor_si512(a.lanes, b.lanes)}; }
template <int n>
MNEME_INLINE Integers shiftLeft(Integers a) noexcept { return {_mm512_slli_epi32(a.lanes, n)}; }
template <int n>
MNEME_INLINE Integers shiftRight(Integers a) noexcept { return {_mm512_srli_epi32(a.lanes, n)}; }
template <int n>
MNEME_INLINE Integers shiftRightSigned(Integers a) noexcept { return {_mm512_srai_epi32(a.lanes, n)}; }

MNEME_INLINE Vector absolute(Vector a) noexcept { return {_mm512_abs_ps(a.lanes)}; }
MNEME_INLINE Vector negate(Vector a) noexcept { return fromBits(bitXor(bitsOf(a), broadcastInteger(INT32_MIN))); }
MNEME_INLINE Vector copySign(Vector magnitude, Vector sign) noexcept {
  // 0xd8: where the mask (third operand) is 1 take the second, else the first.
  return {_mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(magnitude.lanes), _mm512_castps_si512(sign.lanes),
                                                        _mm512_set1_epi32(INT32_MIN), 0xd8))};
}
MNEME_INLINE Vector floor(Vector a) noexcept { return {_mm512_roundscale_ps(a.lanes, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
MNEME_INLINE Vector timesPowerOfTwo(Vector x, Vector n) noexcept { return {_mm512_scalef_ps(x.lanes, n.lanes)}; }
// Pairs, then fours within the quarters of a register, then the quarters: after each of the four rounds a row holds twice
// as many neighbours of a column.
MNEME_INLINE void transpose(Vector (&x)[16]) noexcept {
  __m512 pairs[16], fours[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(x[i].lanes, x[i + 1].lanes);
    pairs[i + 1] = _mm512_unpackhi_ps(x[i].lanes, x[i + 1].lanes);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(pairs[i + j]), high = _mm512_castps_pd(pairs[i + 2 + j]);
      fours[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      fours[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 even0 = _mm512_shuffle_f32x4(fours[i], fours[4 + i], 0x88), odd0 = _mm512_shuffle_f32x4(fours[i], fours[4 + i], 0xdd);
    const __m512 even1 = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], 0x88), odd1 = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], 0xdd);
    x[i].lanes = _mm512_shuffle_f32x4(even0, even1, 0x88);
    x[4 + i].lanes = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
    x[8 + i].lanes = _mm512_shuffle_f32x4(even0, even1, 0xdd);
    x[12 + i].lanes = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
  }
}
MNEME_INLINE Vector fmaFromMemory(Vector a, const float* b, Vector c) noexcept {
  asm("vfmadd231ps %2, %1, %0" : "+v"(c.lanes) : "v"(a.lanes), "m"(*reinterpret_cast<const float(*)[16]>(b)));
  return c;
}
MNEME_INLINE void pin(Vector& x) noexcept { asm("" : "+v"(x.lanes)); }

}  // namespace mneme::avx512
