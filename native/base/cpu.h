// What this processor and its operating system can do.
#pragma once

namespace mneme {

// Instruction sets that kernels are built for. A set counts only if the operating system also saves its registers
// when it switches threads.
struct CpuFeatures {
  bool avx2 = false;    // AVX2, FMA, BMI2
  bool avx512 = false;  // the above, and AVX-512 F, BW, DQ, VL
};

CpuFeatures cpuFeatures() noexcept;

// The processor's name for reports, `unknown` where it has none. `name` holds at least 64 characters.
void cpuName(char* name) noexcept;

// Cores that this process may run on, and that a quota of processor time feeds; at least 1.
int coresAvailable() noexcept;

}  // namespace mneme
