// Between a cell and the next product: shares of old states that stay, and the mask on what the products read.
//
//   new = keep old + (1 - keep) candidate, and exactly old where keep is 1 (Krueger et al. 2017, zoneout)
//   fed = mask new                                                       (Gal and Ghahramani 2016)
//
// To be included inside a target region.
#pragma once

#include "kernels/recurrent_cells.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Some rows of the batch and up to 64 columns of their states.
struct Region {
  int64_t row = 0, column = 0;
  int rows = 0, columns = 0;

  // Calls body(row, column, lanes) for every vector: row and column count from the first of the batch and of the states.
  template <typename Body>
  MNEME_INLINE void forVectors(Body&& body) const noexcept {
    for (int r = 0; r < rows; ++r)
      for (int at = 0; at < columns; at += Vector::width) body(row + r, column + at, columns - at);
  }
};

// States of a batch; a stride of 0 repeats a row of zeros.
template <typename Number>
struct StatesOf {
  Number* data = nullptr;
  int64_t stride = 0;
  Number* at(int64_t row, int64_t column) const noexcept { return data + row * stride + column; }
};
using States = StatesOf<float>;
using GivenStates = StatesOf<const float>;

// The shares that stay, of one kind of state at one step.
struct Kept {
  Keep kind = Keep::none;
  const float* data = nullptr;  // of the step
  int64_t columns = 0;

  Kept() = default;
  Kept(const RecurrentProblem& problem, Keep keep, const float* all, int64_t width, int64_t t) noexcept : kind(keep), data(all), columns(width) {
    if (kind == Keep::rows) data += t * problem.batch;
    if (kind == Keep::elements) data += t * problem.batch * columns;
  }

  // A vector from that column on; 0 beyond the last.
  MNEME_INLINE Vector at(int64_t row, int64_t column) const noexcept {
    if (kind == Keep::elements)
      return loadLanes<false>(data + row * columns + column, static_cast<int>(columns - column < Vector::width ? columns - column : Vector::width));
    return broadcast(kind == Keep::rows ? data[row] : data[0]);
  }
};

inline void keepStates(const Region& region, const Kept& kept, const GivenStates& old, const GivenStates& candidates, const States& to) noexcept {
  region.forVectors([&](int64_t row, int64_t column, int lanes) {
    const Vector keep = kept.at(row, column), before = loadLanes<false>(old.at(row, column), lanes);
    const Vector mixed = mixStates(keep, loadLanes<false>(candidates.at(row, column), lanes), before);
    storeLanes<false>(to.at(row, column), select(equal(keep, broadcast(1.0f)), before, mixed), lanes);
  });
}
inline void maskStates(const Region& region, const GivenStates& mask, const GivenStates& states, const States& to) noexcept {
  region.forVectors([&](int64_t row, int64_t column, int lanes) {
    storeLanes<false>(to.at(row, column), multiply(loadLanes<false>(states.at(row, column), lanes), loadLanes<false>(mask.at(row, column), lanes)), lanes);
  });
}

// The gradient of a state becomes that of the candidate; what goes to the old state is put aside. Both have whole
// segments of columns, as has the region.
inline void splitGradient(const Region& region, const Kept& kept, const States& gradient, const States& toOld) noexcept {
  region.forVectors([&](int64_t row, int64_t column, int) {
    float* d = gradient.at(row, column);
    const Vector keep = kept.at(row, column), all = load(d), old = multiply(keep, all);
    store(toOld.at(row, column), old);
    store(d, subtract(all, old));
  });
}
inline void addStates(const Region& region, const GivenStates& more, const States& to) noexcept {
  region.forVectors([&](int64_t row, int64_t column, int) { store(to.at(row, column), add(load(to.at(row, column)), load(more.at(row, column)))); });
}

// x, and 0 where all is kept: what was computed there counts for nothing, even if it is NaN.
MNEME_INLINE void clearWhere(Mask allKept, float* x, int lanes) noexcept {
  storeLanes<false>(x, select(allKept, zero(), loadLanes<false>(x, lanes)), lanes);
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
