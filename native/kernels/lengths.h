// Lengths of the rows of a batch, checked when a kernel runs.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace mneme {

inline Status checkLengths(const int32_t* lengths, int64_t batch, int64_t time) noexcept {
  for (int64_t row = 0; row < batch; ++row)
    if (lengths[row] < 0 || lengths[row] > time)
      return Status::error(Code::outOfRange, "the length %d of row %lld is outside 0..%lld", lengths[row], static_cast<long long>(row),
                           static_cast<long long>(time));
  return Status::ok();
}

// The same, of rows that come sorted by falling length.
inline Status checkFallingLengths(const int32_t* lengths, int64_t batch, int64_t time) noexcept {
  const Status status = checkLengths(lengths, batch, time);
  if (!status.isOk()) return status;
  for (int64_t row = 1; row < batch; ++row)
    if (lengths[row] > lengths[row - 1])
      return Status::error(Code::outOfRange, "row %lld of length %d comes after one of length %d: rows are sorted by falling length",
                           static_cast<long long>(row), lengths[row], lengths[row - 1]);
  return Status::ok();
}

}  // namespace mneme
