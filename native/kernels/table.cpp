// The tables of kernels, one for each instruction set that was built, and the choice between them.
//
// Compiled once, with MNEME_HAS_AVX512, MNEME_HAS_AVX2, MNEME_HAS_PORTABLE defined for what was built. A new instruction set
// is one more block like those below and one more line in `sets`.
#include <cstdio>
#include <cstring>

#include "base/cpu.h"
#include "kernels/calibrate.h"
#include "kernels/kernel.h"

namespace mneme {

#if defined(MNEME_HAS_AVX512)
namespace avx512 {
#define MNEME_KERNEL(symbol) extern const Kernel symbol;
#include "kernels/table.inc"
#undef MNEME_KERNEL
extern const Calibration calibration;
static const Kernel* const kernels[] = {
#define MNEME_KERNEL(symbol) &symbol,
#include "kernels/table.inc"
#undef MNEME_KERNEL
};
}  // namespace avx512
#endif

#if defined(MNEME_HAS_AVX2)
namespace avx2 {
#define MNEME_KERNEL(symbol) extern const Kernel symbol;
#include "kernels/table.inc"
#undef MNEME_KERNEL
extern const Calibration calibration;
static const Kernel* const kernels[] = {
#define MNEME_KERNEL(symbol) &symbol,
#include "kernels/table.inc"
#undef MNEME_KERNEL
};
}  // namespace avx2
#endif

#if defined(MNEME_HAS_PORTABLE)
namespace portable {
#define MNEME_KERNEL(symbol) extern const Kernel symbol;
#include "kernels/table.inc"
#undef MNEME_KERNEL
extern const Calibration calibration;
static const Kernel* const kernels[] = {
#define MNEME_KERNEL(symbol) &symbol,
#include "kernels/table.inc"
#undef MNEME_KERNEL
};
}  // namespace portable
#endif

namespace {

struct Set {
  bool (*supported)(const CpuFeatures& features);
  KernelTable table;
};

template <std::size_t count>
constexpr KernelTable tableOf(const char* name, const Kernel* const (&kernels)[count], const Calibration& calibration) {
  return {name, {kernels, static_cast<int64_t>(count)}, &calibration};
}

// Best first.
const Set sets[] = {
#if defined(MNEME_HAS_AVX512)
    {[](const CpuFeatures& features) { return features.avx512; }, tableOf("avx512", avx512::kernels, avx512::calibration)},
#endif
#if defined(MNEME_HAS_AVX2)
    {[](const CpuFeatures& features) { return features.avx2; }, tableOf("avx2", avx2::kernels, avx2::calibration)},
#endif
#if defined(MNEME_HAS_PORTABLE)
    {[](const CpuFeatures&) { return true; }, tableOf("portable", portable::kernels, portable::calibration)},
#endif
};

// `avx512, avx2, portable`: what was built and runs here.
void listAvailable(char* text, std::size_t size) noexcept {
  const CpuFeatures features = cpuFeatures();
  std::size_t length = 0;
  text[0] = '\0';
  for (const Set& set : sets) {
    if (!set.supported(features) || length >= size) continue;
    length += static_cast<std::size_t>(
        std::snprintf(text + length, size - length, "%s%s", length == 0 ? "" : ", ", set.table.instructionSet));
  }
}

}  // namespace

const Kernel* KernelTable::find(const char* name, std::size_t length) const noexcept {
  for (int64_t index = 0; index < kernels.size; ++index) {
    const Kernel* kernel = kernels[index];
    if (std::strlen(kernel->name) == length && std::memcmp(kernel->name, name, length) == 0) return kernel;
  }
  return nullptr;
}

const KernelTable* kernelTable(const char* instructionSet) noexcept {
  const CpuFeatures features = cpuFeatures();
  for (const Set& set : sets) {
    if (std::strcmp(set.table.instructionSet, instructionSet) == 0) return set.supported(features) ? &set.table : nullptr;
  }
  return nullptr;
}

Status selectKernelTable(const char* forced, const KernelTable** table) noexcept {
  *table = nullptr;
  if (forced == nullptr || *forced == '\0') {
    const CpuFeatures features = cpuFeatures();
    for (const Set& set : sets) {
      if (*table == nullptr && set.supported(features)) *table = &set.table;
    }
  } else {
    *table = kernelTable(forced);
  }
  if (*table != nullptr) return Status::ok();
  char available[80];
  listAvailable(available, sizeof available);
  return Status::error(Code::invalidArgument, "MNEME_ISA=%.32s: not available; this build has for this processor: %s",
                       forced == nullptr ? "" : forced, available);
}

}  // namespace mneme
