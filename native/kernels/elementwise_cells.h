// Cells of elementwiseRecurrence that have a number: the same formulas as their expression code, but in registers from the
// first operand to the last. What an instruction of an expression costs by itself shows where a step has few lanes.
// To be included inside a target region.
#pragma once

#include "simd/functions.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

enum class ElementwiseCell : int32_t { code = 0, minGru = 1 };

// Two vectors of lanes at a time, so that chains of dependent instructions overlap.
struct LanePair {
  static constexpr int count = 2;
  static constexpr int64_t width = count * Vector::width;
  Vector part[count];
};

template <bool whole>
MNEME_INLINE LanePair loadPair(const float* p, [[maybe_unused]] int64_t lanes) noexcept {
  LanePair pair;
  if constexpr (whole) {
    for (int i = 0; i < LanePair::count; ++i) pair.part[i] = load(p + i * Vector::width);
  } else {
    for (int i = 0; i < LanePair::count; ++i) {
      const auto left = static_cast<int>(lanes - i * Vector::width);
      pair.part[i] = left >= Vector::width ? load(p + i * Vector::width) : left > 0 ? loadFirst(p + i * Vector::width, left) : zero();
    }
  }
  return pair;
}
template <bool whole>
MNEME_INLINE void storePair(float* p, const LanePair& pair, [[maybe_unused]] int64_t lanes) noexcept {
  if constexpr (whole) {
    for (int i = 0; i < LanePair::count; ++i) store(p + i * Vector::width, pair.part[i]);
  } else {
    for (int i = 0; i < LanePair::count; ++i) {
      const auto left = static_cast<int>(lanes - i * Vector::width);
      if (left >= Vector::width) store(p + i * Vector::width, pair.part[i]);
      else if (left > 0) storeFirst(p + i * Vector::width, pair.part[i], left);
    }
  }
}

// minGRU: h' = h + z (n - h) with z = sigmoid(k) and n = x < 0 ? sigmoid(x) : x + 1/2.
struct MinGru {
  Vector gate[LanePair::count], candidate[LanePair::count];
  Vector slope[LanePair::count];  // of the candidate

  MNEME_INLINE MinGru(const LanePair& k, const LanePair& x) noexcept {
    constexpr int count = LanePair::count;
    Vector all[2 * count];
    for (int i = 0; i < count; ++i) {
      all[i] = k.part[i];
      all[count + i] = x.part[i];
    }
    sigmoids(all);
    for (int i = 0; i < count; ++i) {
      const Mask negative = less(x.part[i], zero());
      const Vector below = all[count + i];
      gate[i] = all[i];
      candidate[i] = select(negative, below, add(x.part[i], broadcast(0.5f)));
      slope[i] = select(negative, fnma(below, below, below), broadcast(1.0f));
    }
  }

  // Inputs: k, x, h; output h'.
  template <bool whole>
  static MNEME_INLINE void forward(const float* const* inputs, float* const* outputs, int64_t lane, int64_t lanes) noexcept {
    const MinGru step(loadPair<whole>(inputs[0] + lane, lanes), loadPair<whole>(inputs[1] + lane, lanes));
    LanePair h = loadPair<whole>(inputs[2] + lane, lanes);
    for (int i = 0; i < LanePair::count; ++i) h.part[i] = fma(step.gate[i], subtract(step.candidate[i], h.part[i]), h.part[i]);
    storePair<whole>(outputs[0] + lane, h, lanes);
  }

  // Inputs: k, x, h, dh'; outputs dk, dx, dh. All are read before anything is written.
  template <bool whole>
  static MNEME_INLINE void backward(const float* const* inputs, float* const* outputs, int64_t lane, int64_t lanes) noexcept {
    const MinGru step(loadPair<whole>(inputs[0] + lane, lanes), loadPair<whole>(inputs[1] + lane, lanes));
    const LanePair h = loadPair<whole>(inputs[2] + lane, lanes);
    LanePair d = loadPair<whole>(inputs[3] + lane, lanes);
    LanePair dGate, dCandidate;
    for (int i = 0; i < LanePair::count; ++i) {
      const Vector z = step.gate[i], through = multiply(d.part[i], z);
      dGate.part[i] = multiply(multiply(d.part[i], subtract(step.candidate[i], h.part[i])), fnma(z, z, z));
      dCandidate.part[i] = multiply(through, step.slope[i]);
      d.part[i] = subtract(d.part[i], through);
    }
    storePair<whole>(outputs[0] + lane, dGate, lanes);
    storePair<whole>(outputs[1] + lane, dCandidate, lanes);
    storePair<whole>(outputs[2] + lane, d, lanes);
  }
};

// One step of `lanes` lanes.
template <typename Cell>
void forwardStep(const float* const* inputs, float* const* outputs, int64_t lanes) noexcept {
  int64_t lane = 0;
  for (; lane + LanePair::width <= lanes; lane += LanePair::width) Cell::template forward<true>(inputs, outputs, lane, lanes - lane);
  if (lane < lanes) Cell::template forward<false>(inputs, outputs, lane, lanes - lane);
}
template <typename Cell>
void backwardStep(const float* const* inputs, float* const* outputs, int64_t lanes) noexcept {
  int64_t lane = 0;
  for (; lane + LanePair::width <= lanes; lane += LanePair::width) Cell::template backward<true>(inputs, outputs, lane, lanes - lane);
  if (lane < lanes) Cell::template backward<false>(inputs, outputs, lane, lanes - lane);
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
