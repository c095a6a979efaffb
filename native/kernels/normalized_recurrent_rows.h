// What happens to one row at one step between the products: moments, normalisation, activations, and their ways back.
//
// To be included inside a target region, after normalized_recurrent_problem.h.
#pragma once

#include <type_traits>

#include "kernels/normalized_recurrent_problem.h"

namespace mneme::MNEME_TARGET_NAMESPACE::normalized {

// Calls body(whole, at, lanes) for the vectors of a row; `whole` is a type that says at compile time whether all lanes are there.
template <typename Body>
MNEME_INLINE void overRow(int64_t count, Body&& body) noexcept {
  int64_t at = 0;
  for (; at + Vector::width <= count; at += Vector::width) body(std::true_type{}, at, Vector::width);
  if (at < count) body(std::false_type{}, at, static_cast<int>(count - at));
}
template <typename Whole>
MNEME_INLINE Vector loadRow(Whole, const float* p, int lanes) noexcept { return loadLanes<Whole::value>(p, lanes); }
template <typename Whole>
MNEME_INLINE void storeRow(Whole, float* p, Vector x, int lanes) noexcept { storeLanes<Whole::value>(p, x, lanes); }

// Sums over a row, in 16 lanes and chunks of 4096: terms(i, lanes, term) gives those of `lanes` elements from i on.
template <int sums, typename Terms>
MNEME_INLINE void sumRow(int64_t count, float (&totals)[sums], Terms&& terms) noexcept {
  constexpr int64_t chunk = 4096;
  for (int64_t start = 0; start < count; start += chunk) {
    const int64_t end = count - start < chunk ? count : start + chunk;
    Lanes16 sum[sums], term[sums];
    for (Lanes16& one : sum) one = broadcast16(0.0f);
    int64_t i = start;
    for (; i + 16 <= end; i += 16) {
      terms(i, 16, term);
      for (int s = 0; s < sums; ++s) sum[s] = add(sum[s], term[s]);
    }
    if (i < end) {
      const int left = static_cast<int>(end - i);
      terms(i, left, term);
      for (int s = 0; s < sums; ++s) sum[s] = add(sum[s], onlyFirst(term[s], left));
    }
    for (int s = 0; s < sums; ++s) totals[s] = start == 0 ? foldSum(sum[s]) : totals[s] + foldSum(sum[s]);
  }
}

// Of `rows` rows at once: one alone waits for its additions.
template <int rows>
MNEME_INLINE void momentsOf(const float* const (&row)[rows], int64_t count, float epsilon, Moments* const (&moments)[rows]) noexcept {
  float total[rows];
  sumRow(count, total, [&](int64_t i, int lanes, Lanes16* term) __attribute__((always_inline)) {
    for (int r = 0; r < rows; ++r) term[r] = loadFirst16(row[r] + i, lanes);
  });
  const float n = static_cast<float>(count);
  for (int r = 0; r < rows; ++r) moments[r]->mean = total[r] / n;
  sumRow(count, total, [&](int64_t i, int lanes, Lanes16* term) __attribute__((always_inline)) {
    for (int r = 0; r < rows; ++r) {
      term[r] = loadFirst16(row[r] + i, lanes);
      for (Vector& x : term[r].part) {
        const Vector distance = subtract(x, broadcast(moments[r]->mean));
        x = multiply(distance, distance);
      }
    }
  });
  for (int r = 0; r < rows; ++r) moments[r]->reciprocal = 1.0f / __builtin_sqrtf(total[r] / n + epsilon);
}

MNEME_INLINE Vector normalize(Vector x, Moments moments) noexcept {
  return multiply(subtract(x, broadcast(moments.mean)), broadcast(moments.reciprocal));
}

// The way back through gain N(v), for one group: from the gradient of its result to that of v, `d` (which may be v). Adds to the
// gradients of the gain and, where it is not null, of the bias.
//   d = reciprocal (q - mean q - N(v) mean(q N(v))),  q = gradient gain
MNEME_INLINE void normalizeBackward(const float* gradient, const float* gain, const float* v, Moments moments, int64_t count, float* dGain,
                                    float* dBias, float* d) noexcept {
  float total[2];
  sumRow(count, total, [&](int64_t i, int lanes, Lanes16* term) __attribute__((always_inline)) {
    const Lanes16 flow = loadFirst16(gradient + i, lanes), gains = loadFirst16(gain + i, lanes), from = loadFirst16(v + i, lanes);
    Lanes16 gainSum = loadFirst16(dGain + i, lanes);
    for (int part = 0; part < Lanes16::parts; ++part) {
      const Vector normal = normalize(from.part[part], moments);
      term[0].part[part] = multiply(flow.part[part], gains.part[part]);
      term[1].part[part] = multiply(term[0].part[part], normal);
      gainSum.part[part] = fma(flow.part[part], normal, gainSum.part[part]);
    }
    storeFirst16(dGain + i, gainSum, lanes);
    if (dBias != nullptr) storeFirst16(dBias + i, add(loadFirst16(dBias + i, lanes), flow), lanes);
  });
  const float n = static_cast<float>(count);
  const Vector mean = broadcast(total[0] / n), slope = broadcast(total[1] / n), reciprocal = broadcast(moments.reciprocal);
  overRow(count, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
    const Vector q = multiply(loadRow(whole, gradient + at, lanes), loadRow(whole, gain + at, lanes));
    const Vector normal = normalize(loadRow(whole, v + at, lanes), moments);
    storeRow(whole, d + at, multiply(reciprocal, fnma(normal, slope, subtract(q, mean))), lanes);
  });
}

// Values follow from sums and derivatives from values, in registers; others are expressions, of which the sums are kept.
inline bool keepsValues(const Activation& activation) noexcept {
  return activation.kind == ActivationKind::sigmoid || activation.kind == ActivationKind::tanh || activation.kind == ActivationKind::relu ||
         activation.kind == ActivationKind::identity;
}

template <ActivationKind kind>
MNEME_INLINE void activateVectors(const float* x, float* y, int64_t count) noexcept {
  int64_t at = 0;
  if constexpr (kind == ActivationKind::sigmoid || kind == ActivationKind::tanh) {
    for (; at + 2 * Vector::width <= count; at += 2 * Vector::width) {
      Vector both[2] = {load(x + at), load(x + at + Vector::width)};
      if constexpr (kind == ActivationKind::sigmoid) sigmoids(both);
      else tanhs(both);
      store(y + at, both[0]);
      store(y + at + Vector::width, both[1]);
    }
  }
  overRow(count - at, [&](auto whole, int64_t from, int lanes) __attribute__((always_inline)) {
    storeRow(whole, y + at + from, activate<kind>(loadRow(whole, x + at + from, lanes)), lanes);
  });
}
template <ActivationKind kind>
MNEME_INLINE void activationSlopes(const float* value, float* d, int64_t count) noexcept {
  overRow(count, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
    storeRow(whole, d + at, activationBackward<kind>(loadRow(whole, d + at, lanes), loadRow(whole, value + at, lanes)), lanes);
  });
}

// Whether forward keeps the sums the gates are taken of, instead of the gates.
inline bool keepsSums(const Problem& problem) noexcept {
  return (!problem.simple() && !keepsValues(problem.gate)) || !keepsValues(problem.candidate);
}

// An activation as one member of the team uses it.
struct RowActivation {
  ActivationKind kind = ActivationKind::identity;
  Evaluator* evaluator = nullptr;  // of an expression

  RowActivation() = default;
  RowActivation(const Activation& activation, Layout& layout, bool build) noexcept : kind(activation.kind) {
    if (keepsValues(activation)) return;
    const Expression code = viewExpression(activation.code);
    char* memory = layout.take<char>(evaluatorBytes(code));
    if (build) evaluator = buildEvaluator(code, memory, {});
    kind = ActivationKind::expression;
  }

  // y = act(x); y may be x. With `derivative`, that of an expression goes there.
  void values(const float* x, float* y, int64_t count, float* derivative = nullptr) const noexcept {
    switch (kind) {
      case ActivationKind::sigmoid: return activateVectors<ActivationKind::sigmoid>(x, y, count);
      case ActivationKind::tanh: return activateVectors<ActivationKind::tanh>(x, y, count);
      case ActivationKind::relu: return activateVectors<ActivationKind::relu>(x, y, count);
      case ActivationKind::identity: return activateVectors<ActivationKind::identity>(x, y, count);
      default: evaluateActivation(*evaluator, x, y, derivative, count);
    }
  }
  // d = d act'(x), by the values or, of an expression, the derivatives.
  void slopes(const float* values, const float* derivative, float* d, int64_t count) const noexcept {
    switch (kind) {
      case ActivationKind::sigmoid: return activationSlopes<ActivationKind::sigmoid>(values, d, count);
      case ActivationKind::tanh: return activationSlopes<ActivationKind::tanh>(values, d, count);
      case ActivationKind::relu: return activationSlopes<ActivationKind::relu>(values, d, count);
      case ActivationKind::identity: return;
      default:
        overRow(count, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
          storeRow(whole, d + at, multiply(loadRow(whole, d + at, lanes), loadRow(whole, derivative + at, lanes)), lanes);
        });
    }
  }
};

// What one member of the team works with: its activations, and rows of scratch.
struct Member {
  RowActivation gate, candidate, output;
  float* zeros = nullptr;  // a row, for what is not given
  float* rows[4] = {};     // `width` columns
  float* unitRows[3] = {};

  Member() = default;
  Member(const Problem& problem, Layout& layout, bool build) noexcept
      : gate(problem.gate, layout, build), candidate(problem.candidate, layout, build), output(problem.output, layout, build) {
    zeros = layout.take<float>(problem.width());
    for (float*& row : rows) row = layout.take<float>(problem.width());
    for (float*& row : unitRows) row = layout.take<float>(problem.units);
    if (build)
      for (int64_t i = 0; i < problem.width(); ++i) zeros[i] = 0.0f;
  }

  // Calls body(activation, first column, columns) for the gates of a row.
  template <typename Body>
  void forActivations(const Problem& problem, Body&& body) const noexcept {
    const int64_t units = problem.units;
    if (problem.simple()) {
      body(candidate, 0, units);
    } else {
      body(gate, 0, 2 * units);
      body(candidate, 2 * units, units);
      if (problem.lstm()) body(gate, 3 * units, units);
    }
  }
};
inline Member* buildMembers(const Problem& problem, int members, Layout& layout, bool build) noexcept {
  Member* all = layout.take<Member>(members);
  for (int member = 0; member < members; ++member) {
    const Member own(problem, layout, build);
    if (build) all[member] = own;
  }
  return all;
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE::normalized
