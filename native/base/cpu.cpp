#include "base/cpu.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>

#include "base/quota.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace mneme {
namespace {

#if defined(__x86_64__)
struct Leaf {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Leaf cpuid(uint32_t number, uint32_t part = 0) noexcept {
  Leaf leaf;
  // __get_cpuid_count answers false for a leaf that the processor does not have.
  if (!__get_cpuid_count(number, part, &leaf.a, &leaf.b, &leaf.c, &leaf.d)) return Leaf{};
  return leaf;
}

bool bit(uint32_t word, int position) noexcept { return (word >> position & 1) != 0; }

// XCR0: which register states the operating system saves. Only to be read where CPUID reports OSXSAVE.
uint64_t savedStates() noexcept {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}
#endif

}  // namespace

CpuFeatures cpuFeatures() noexcept {
  CpuFeatures features;
#if defined(__x86_64__)
  const Leaf basic = cpuid(1), extended = cpuid(7);
  const bool osSaves = bit(basic.c, 27);
  if (!osSaves) return features;
  const uint64_t states = savedStates();
  const uint64_t ymm = 0x6;    // SSE and AVX
  const uint64_t zmm = 0xe6;   // the above, mask registers, both halves of the 512-bit registers
  const bool avx = bit(basic.c, 28), fma = bit(basic.c, 12);
  const bool avx2 = bit(extended.b, 5), bmi2 = bit(extended.b, 8);
  const bool f = bit(extended.b, 16), dq = bit(extended.b, 17), bw = bit(extended.b, 30), vl = bit(extended.b, 31);
  features.avx2 = (states & ymm) == ymm && avx && fma && avx2 && bmi2;
  features.avx512 = features.avx2 && (states & zmm) == zmm && f && dq && bw && vl;
#endif
  return features;
}

void cpuName(char* name) noexcept {
  std::strcpy(name, "unknown");
#if defined(__x86_64__)
  char text[49] = {0};
  if (cpuid(0x80000000u).a < 0x80000004u) return;
  for (uint32_t part = 0; part < 3; ++part) {
    const Leaf leaf = cpuid(0x80000002u + part);
    std::memcpy(text + 16 * part, &leaf, sizeof leaf);
  }
  const char* start = text;
  while (*start == ' ') ++start;
  std::size_t length = std::strlen(start);
  while (length > 0 && start[length - 1] == ' ') --length;
  if (length == 0) return;
  std::memcpy(name, start, length);
  name[length] = '\0';
#endif
}

namespace {

int coresOfAffinity() noexcept {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace

int coresAvailable() noexcept {
  const int cores = coresOfAffinity();
  // More threads than a quota feeds would use it up in a fraction of each period, and then all stand still.
  const double quota = std::ceil(coresOfQuota());
  return quota < cores ? static_cast<int>(quota) : cores;
}

}  // namespace mneme
