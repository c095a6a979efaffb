// Memory that outlives a step: parameters, updater state, recurrent state.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <shared_mutex>

#include "base/memory.h"
#include "base/status.h"

namespace mneme {

// Elements of 4 bytes, zeroed at first.
//
// Streams may share one. A step holds `access` while it runs: alone where it writes, together with other readers
// otherwise. So steps of several streams on one memory never mix; which comes first is the caller's affair.
class Persistent {
 public:
  static Status allocate(int64_t elements, std::shared_ptr<Persistent>* result) noexcept {
    if (elements < 0 || elements > INT32_MAX) {
      return Status::error(Code::invalidArgument, "a memory has 0 to %d elements, not %lld", INT32_MAX,
                           static_cast<long long>(elements));
    }
    std::shared_ptr<Persistent> persistent(new (std::nothrow) Persistent);
    if (!persistent) return Status::error(Code::outOfMemory, "the system refused memory");
    persistent->elements_ = elements;
    const Status status = Memory::allocate(elements * 4, &persistent->memory_);
    if (status.isOk()) *result = std::move(persistent);
    return status;
  }

  char* data() const noexcept { return static_cast<char*>(memory_.data()); }
  int64_t elements() const noexcept { return elements_; }

  std::shared_mutex access;
  // Changes whenever the contents may have changed; packed weights are kept as long as it does not. Guarded by `access`.
  uint64_t version = 1;

 private:
  Memory memory_;
  int64_t elements_ = 0;
};

// Makes a block hold at least `bytes`; its contents are lost where it has to grow.
inline Status grow(Memory* block, int64_t bytes) noexcept {
  return bytes <= block->bytes() ? Status::ok() : Memory::allocate(bytes, block);
}

}  // namespace mneme
