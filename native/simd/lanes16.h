// Sixteen virtual lanes, as many Vectors as that takes: reductions add in the same order at every width.
//
// Lane l takes elements l, l+16, ...; at the end the lanes fold 8, 4, 2, 1.
#ifndef MNEME_SIMD_LANES16
#define MNEME_SIMD_LANES16

#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

struct Lanes16 {
  static constexpr int parts = 16 / Vector::width;
  Vector part[parts];
};

MNEME_INLINE Lanes16 broadcast16(float x) noexcept {
  Lanes16 result;
  for (int i = 0; i < Lanes16::parts; ++i) result.part[i] = broadcast(x);
  return result;
}
MNEME_INLINE Lanes16 load16(const float* p) noexcept {
  Lanes16 result;
  for (int i = 0; i < Lanes16::parts; ++i) result.part[i] = load(p + i * Vector::width);
  return result;
}
// The first `count` (0..16) elements; the other lanes are zero and their memory is not touched.
MNEME_INLINE Lanes16 loadFirst16(const float* p, int count) noexcept {
  Lanes16 result;
  for (int i = 0; i < Lanes16::parts; ++i) {
    const int left = count - i * Vector::width;
    if (left >= Vector::width) {
      result.part[i] = load(p + i * Vector::width);
    } else if (left > 0) {
      result.part[i] = loadFirst(p + i * Vector::width, left);
    } else {
      result.part[i] = zero();
    }
  }
  return result;
}
MNEME_INLINE void store16(float* p, Lanes16 x) noexcept {
  for (int i = 0; i < Lanes16::parts; ++i) store(p + i * Vector::width, x.part[i]);
}
MNEME_INLINE void storeFirst16(float* p, Lanes16 x, int count) noexcept {
  for (int i = 0; i < Lanes16::parts; ++i) {
    const int left = count - i * Vector::width;
    if (left >= Vector::width) {
      store(p + i * Vector::width, x.part[i]);
    } else if (left > 0) {
      storeFirst(p + i * Vector::width, x.part[i], left);
    }
  }
}
// Sixteen words of ones followed by as many of zeros: read from place 16 - n, the first n lanes are ones.
inline constexpr int32_t laneMasks[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

// The first `count` lanes, zero in the others.
MNEME_INLINE Lanes16 onlyFirst(Lanes16 x, int count) noexcept {
  const int32_t* mask = laneMasks + 16 - count;
  for (int part = 0; part < Lanes16::parts; ++part)
    x.part[part] = fromBits(bitAnd(bitsOf(x.part[part]), loadIntegers(mask + part * Vector::width)));
  return x;
}

MNEME_INLINE Lanes16 add(Lanes16 a, Lanes16 b) noexcept {
  for (int i = 0; i < Lanes16::parts; ++i) a.part[i] = add(a.part[i], b.part[i]);
  return a;
}
// a b + c, rounded once.
MNEME_INLINE Lanes16 fma(Lanes16 a, Lanes16 b, Lanes16 c) noexcept {
  for (int i = 0; i < Lanes16::parts; ++i) c.part[i] = fma(a.part[i], b.part[i], c.part[i]);
  return c;
}
MNEME_INLINE Lanes16 maximum(Lanes16 a, Lanes16 b) noexcept {
  for (int i = 0; i < Lanes16::parts; ++i) a.part[i] = maximum(a.part[i], b.part[i]);
  return a;
}

MNEME_INLINE float foldSum(Lanes16 x) noexcept {
  float lanes[16];
  store16(lanes, x);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
// NaN in any lane gives NaN.
MNEME_INLINE float foldMaximum(Lanes16 x) noexcept {
  float lanes[16];
  store16(lanes, x);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] = lanes[i] != lanes[i] || lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  return lanes[0];
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#endif
