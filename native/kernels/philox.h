// Philox 4x32-10, a counter-based generator (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), many
// counters at once. To be included inside a target region.
#pragma once

#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

constexpr uint32_t philoxFactor0 = 0xD2511F53u, philoxFactor1 = 0xCD9E8D57u;
constexpr uint32_t philoxKeyStep0 = 0x9E3779B9u, philoxKeyStep1 = 0xBB67AE85u;
constexpr int philoxRounds = 10;

// What all counters of one call have in common.
struct PhiloxStream {
  uint32_t seedLow, seedHigh, step, purpose;
};

// Four words for each of Vector::width counters.
struct PhiloxWords {
  Integers word[4];
};

MNEME_INLINE Integers word(uint32_t value) noexcept { return broadcastInteger(static_cast<int32_t>(value)); }

// Of the counters (index, index + 1, ...) where the low halves are given one a lane and do not overflow.
MNEME_INLINE PhiloxWords philox(const PhiloxStream& stream, Integers indexLow, uint32_t indexHigh) noexcept {
  Integers a = indexLow, b = word(indexHigh), c = word(stream.step), d = word(stream.purpose);
  uint32_t key0 = stream.seedLow, key1 = stream.seedHigh;
  for (int round = 0; round < philoxRounds; ++round) {
    const Integers high0 = multiplyHigh(a, word(philoxFactor0)), low0 = multiplyLow(a, word(philoxFactor0));
    const Integers high1 = multiplyHigh(c, word(philoxFactor1)), low1 = multiplyLow(c, word(philoxFactor1));
    a = bitXor(bitXor(high1, b), word(key0));
    c = bitXor(bitXor(high0, d), word(key1));
    b = low1;
    d = low0;
    key0 += philoxKeyStep0;
    key1 += philoxKeyStep1;
  }
  return {{a, b, c, d}};
}

// The upper 24 bits of a word as a float: exact.
MNEME_INLINE Vector upperBits(Integers x) noexcept { return toFloats(shiftRight<8>(x)); }
MNEME_INLINE Vector uniform(Integers x) noexcept { return multiply(upperBits(x), broadcast(0x1p-24f)); }

// Uniform element `element` of a stream: in [0, 1).
inline float uniformElement(const PhiloxStream& stream, int64_t element) noexcept {
  const uint64_t index = static_cast<uint64_t>(element) / 4;
  const PhiloxWords words = philox(stream, word(static_cast<uint32_t>(index)), static_cast<uint32_t>(index >> 32));
  float lanes[Vector::width];
  store(lanes, uniform(words.word[element % 4]));
  return lanes[0];
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
