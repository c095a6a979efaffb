// Whether all of an array is finite. To be included inside a target region.
#pragma once

#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// 0 * x is 0 for every finite x and NaN for all others. Four sums, so that one addition need not wait for the last.
inline bool areFinite(const float* x, int64_t count) noexcept {
  const Vector nothing = zero();
  Vector sum[4] = {nothing, nothing, nothing, nothing};
  int64_t i = 0;
  for (; i + 4 * Vector::width <= count; i += 4 * Vector::width)
    for (int part = 0; part < 4; ++part) sum[part] = fma(load(x + i + part * Vector::width), nothing, sum[part]);
  for (; i < count; i += Vector::width) {
    const int64_t left = count - i < Vector::width ? count - i : Vector::width;
    sum[0] = fma(loadFirst(x + i, static_cast<int>(left)), nothing, sum[0]);
  }
  return !any(isNan(add(add(sum[0], sum[1]), add(sum[2], sum[3]))));
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
