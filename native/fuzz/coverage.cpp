#include "fuzz/coverage.h"

#include <atomic>

extern "C" const char __executable_start;

namespace mneme::fuzz {

namespace {

constexpr uintptr_t bits = 26;  // of the offset of a place in the executable; two places may share one, which loses little
std::atomic<uint8_t> reached[uintptr_t{1} << bits];
std::atomic<int64_t> count{0};

}  // namespace

int64_t placesReached() noexcept { return count.load(std::memory_order_relaxed); }

// Members of a team come here at the same time: what is reached is the same in whatever order they do.
void reach(uintptr_t offset) noexcept {
  std::atomic<uint8_t>& place = reached[offset & ((uintptr_t{1} << bits) - 1)];
  if (place.load(std::memory_order_relaxed) != 0) return;
  if (place.exchange(1, std::memory_order_relaxed) == 0) count.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace mneme::fuzz

extern "C" __attribute__((visibility("default"))) void __sanitizer_cov_trace_pc() {
  mneme::fuzz::reach(reinterpret_cast<uintptr_t>(__builtin_return_address(0)) -
                     reinterpret_cast<uintptr_t>(&__executable_start));
}
