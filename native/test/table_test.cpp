// The tables of kernels and the choice between them; this machine's limits.
#include <cstring>
#include <iterator>
#include <string>

#include "base/cpu.h"
#include "base/memory.h"
#include "kernels/calibrate.h"
#include "test/check.h"
#include "test/kernel_call.h"

using namespace mneme;
using namespace mneme::test;

MNEME_TEST(tableComplete, "table: every instruction set has every kernel under the name of its operation") {
  const char* const names[] = {
#define MNEME_KERNEL(symbol) #symbol,
#include "kernels/table.inc"
#undef MNEME_KERNEL
  };
  for (const KernelTable* table : availableTables()) {
    for (const char* name : names) {
      const Kernel* kernel = table->find(name, std::strlen(name));
      MNEME_CHECK(kernel != nullptr && kernel->verify != nullptr && kernel->run != nullptr);
    }
    MNEME_CHECK(table->kernels.size == static_cast<int64_t>(std::size(names)));
    MNEME_CHECK(table->find("matmul", 3) == nullptr && table->find("matmulx", 7) == nullptr && table->find("", 0) == nullptr);
  }
}

MNEME_TEST(tableChosen, "table: the best set this processor has, or the one that is named") {
  const KernelTable* table = nullptr;
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    MNEME_CHECK(selectKernelTable(none, &table).isOk());
    const CpuFeatures features = cpuFeatures();
    const std::string best = features.avx512 ? "avx512" : features.avx2 ? "avx2" : "portable";
    MNEME_CHECK(best == table->instructionSet);
  }
  for (const KernelTable* one : availableTables()) {
    MNEME_CHECK(selectKernelTable(one->instructionSet, &table).isOk());
    MNEME_CHECK(table == one);
  }
  const Status status = selectKernelTable("sse9", &table);
  MNEME_CHECK(status.code == Code::invalidArgument && table == nullptr);
  MNEME_CHECK(std::strstr(status.message, "sse9") != nullptr);
  for (const KernelTable* one : availableTables()) MNEME_CHECK(std::strstr(status.message, one->instructionSet) != nullptr);
  MNEME_CHECK(kernelTable("sse9") == nullptr);
}

MNEME_TEST(calibrated, "calibrate: rates are positive and finite on every instruction set") {
  Memory memory;
  MNEME_CHECK(Memory::allocate(1 << 16, &memory).isOk());
  for (const KernelTable* table : availableTables()) {
    const double flops = table->calibration->multiplyAddRate(0.001), bytes = table->calibration->readRate(memory.data(), memory.bytes(), 0.001);
    MNEME_CHECK(flops > 0 && flops < 1e6);
    MNEME_CHECK(bytes > 0 && bytes < 1e6);
  }
}
