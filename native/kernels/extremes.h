// The lowest and the highest of arrays, gathered block by block. No order changes them, so they are the same for every
// division of the work. To be included inside a target region.
#pragma once

#include <cmath>

#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Of one array and one member. NaN counts for nothing.
struct alignas(64) Extremes {
  float low[Vector::width];
  float high[Vector::width];

  void clear() noexcept {
    store(low, broadcast(INFINITY));
    store(high, broadcast(-INFINITY));
  }

  void gather(const float* x, int64_t count) noexcept {
    if (count < Vector::width) {
      for (int64_t i = 0; i < count; ++i) {
        low[0] = x[i] < low[0] ? x[i] : low[0];
        high[0] = x[i] > high[0] ? x[i] : high[0];
      }
      return;
    }
    Vector lowest = load(low), highest = load(high), lowestOdd = lowest, highestOdd = highest;
    int64_t i = 0;
    for (; i + 2 * Vector::width <= count; i += 2 * Vector::width) {
      const Vector even = load(x + i), odd = load(x + i + Vector::width);
      lowest = lower(even, lowest);
      highest = higher(even, highest);
      lowestOdd = lower(odd, lowestOdd);
      highestOdd = higher(odd, highestOdd);
    }
    if (i + Vector::width <= count) {
      lowest = lower(load(x + i), lowest);
      highest = higher(load(x + i), highest);
    }
    // The rest once more with some that were seen.
    const Vector last = load(x + count - Vector::width);
    store(low, lower(last, lower(lowest, lowestOdd)));
    store(high, higher(last, higher(highest, highestOdd)));
  }

  // Zero of either sign gives the same bits.
  float lowest() const noexcept {
    float result = low[0];
    for (const float x : low) result = x < result ? x : result;
    return result + 0.0f;
  }
  float highest() const noexcept {
    float result = high[0];
    for (const float x : high) result = x > result ? x : result;
    return result + 0.0f;
  }
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
