// The parts of a softmax over one row. Sums run in 16 lanes, in chunks of 4096 elements. To be included inside a target region.
#pragma once

#include "simd/functions.h"
#include "simd/lanes16.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

constexpr int64_t softmaxChunk = 4096;

// The largest of a row. NaN is passed over here: it turns up in the exponentials.
inline float rowMaximum(const float* x, int64_t count) noexcept {
  Lanes16 largest = broadcast16(-__builtin_inff());
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const Lanes16 value = load16(x + i);
    for (int part = 0; part < Lanes16::parts; ++part) largest.part[part] = higher(value.part[part], largest.part[part]);
  }
  float result = foldMaximum(largest);
  for (; i < count; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

// y = e^(x - shift) (y may be x), and their sum.
inline float rowExponentials(const float* x, float shift, float* y, int64_t count) noexcept {
  const Vector subtrahend = broadcast(shift);
  float total = 0.0f;
  for (int64_t start = 0; start < count; start += softmaxChunk) {
    const int64_t end = count - start < softmaxChunk ? count : start + softmaxChunk;
    Lanes16 sum = broadcast16(0.0f);
    int64_t i = start;
    for (; i + 16 <= end; i += 16) {
      Lanes16 value = load16(x + i);
      for (int part = 0; part < Lanes16::parts; ++part) value.part[part] = exp(subtract(value.part[part], subtrahend));
      store16(y + i, value);
      sum = add(sum, value);
    }
    if (i < end) {
      const int left = static_cast<int>(end - i);
      Lanes16 value = loadFirst16(x + i, left);
      for (int part = 0; part < Lanes16::parts; ++part) value.part[part] = exp(subtract(value.part[part], subtrahend));
      storeFirst16(y + i, value, left);
      sum = add(sum, onlyFirst(value, left));
    }
    const float chunk = foldSum(sum);
    total = start == 0 ? chunk : total + chunk;
  }
  return total;
}

// y = y * factor
inline void rowScale(float* y, float factor, int64_t count) noexcept {
  const Vector multiplier = broadcast(factor);
  int64_t i = 0;
  for (; i + Vector::width <= count; i += Vector::width) store(y + i, multiply(load(y + i), multiplier));
  if (i < count) storeFirst(y + i, multiply(loadFirst(y + i, static_cast<int>(count - i)), multiplier), static_cast<int>(count - i));
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
