// Ids that name rows of a table, checked while a kernel runs.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"

namespace mneme {

// Remembers the first position (lowest, whichever member found it) whose id is outside the table.
class IdCheck {
 public:
  IdCheck(const int32_t* ids, int64_t limit) noexcept : ids_(ids), limit_(limit) {}

  bool accepts(int64_t position) noexcept {
    const int32_t id = ids_[position];
    if (id >= 0 && id < limit_) return true;
    int64_t first = first_.load(std::memory_order_relaxed);
    while (position < first && !first_.compare_exchange_weak(first, position, std::memory_order_relaxed)) {
    }
    return false;
  }

  // After all members have finished.
  Status status() const noexcept {
    const int64_t first = first_.load(std::memory_order_relaxed);
    if (first == INT64_MAX) return Status::ok();
    return Status::error(Code::outOfRange, "id %d at position %lld is outside the table of %lld (0 to %lld)", ids_[first],
                         static_cast<long long>(first), static_cast<long long>(limit_), static_cast<long long>(limit_ - 1));
  }

 private:
  const int32_t* ids_;
  int64_t limit_;
  std::atomic<int64_t> first_{INT64_MAX};
};

}  // namespace mneme
