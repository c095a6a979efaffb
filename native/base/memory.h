// Memory of the engine: aligned, zeroed, counted before it is asked for.
#pragma once

#include <cstdint>
#include <utility>

#include "base/status.h"

namespace mneme {

constexpr int64_t memoryAlignment = 64;  // one cache line, one AVX-512 register

// A block of bytes that starts on a cache line, or on a huge page where it is larger than one. Owned; movable.
class Memory {
 public:
  Memory() noexcept = default;
  ~Memory() { release(); }
  Memory(Memory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Replaces *result by `bytes` zeroed bytes (0 gives an empty block). Refuses with outOfMemory, before anything is
  // allocated, what is negative or larger than the memory this process may use, and otherwise what the system refuses.
  static Status allocate(int64_t bytes, Memory* result) noexcept;

  void* data() const noexcept { return data_; }
  float* floats() const noexcept { return static_cast<float*>(data_); }
  int64_t bytes() const noexcept { return bytes_; }
  void release() noexcept;

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Bytes this process may use: physical memory, or the control group's limit where that is lower.
int64_t memoryAvailable() noexcept;

}  // namespace mneme
