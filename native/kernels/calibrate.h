// What this machine can do: the yardsticks that kernels are measured against. One thread.
#pragma once

#include <cstdint>

namespace mneme {

// The measurements of one instruction set; each takes about `seconds`, repeats and keeps the best.
struct Calibration {
  // Fused multiply-adds from registers, in GFLOP/s (two operations each).
  double (*multiplyAddRate)(double seconds) noexcept;
  // Reading `bytes` of memory again and again, in GB/s: small enough for the first-, second- or third-level cache, or larger
  // than all of them. `memory` is 64-byte aligned and was written before; `bytes` is at least 4096.
  double (*readRate)(const void* memory, int64_t bytes, double seconds) noexcept;
};

}  // namespace mneme
