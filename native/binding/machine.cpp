// What this machine can do, and what it was measured to do.
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/team.h"
#include "binding/arguments.h"
#include "binding/environment.h"
#include "kernels/calibrate.h"

namespace mneme::binding {

namespace {

constexpr const char* instructionSets[] = {"avx512", "avx2", "portable"};

napi_value text(napi_env env, const char* value) noexcept {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) noexcept {
  napi_set_named_property(env, object, name, value);
}

void set(napi_env env, napi_value object, const char* name, double value) noexcept {
  napi_value number = nullptr;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

}  // namespace

// selectInstructionSet(forced: string): the instruction set to use; the best one where `forced` is empty. Throws where
// this machine has not the one asked for.
napi_value selectInstructionSet(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  std::string forced;
  if (!arguments || !readString(env, arguments[0], "forced", &forced)) return nullptr;
  const KernelTable* table = nullptr;
  const Status status = selectKernelTable(forced.empty() ? nullptr : forced.c_str(), &table);
  return status.isOk() ? text(env, table->instructionSet) : throwStatus(env, status);
}

// machine(): { version, cpu, cores, memoryBytes, instructionSets, cacheBytes: [first level, second, third] }; version is
// the package's that the addon was built from; a cache whose size the system does not tell has 0.
napi_value machine(napi_env env, napi_callback_info) {
  char name[64];
  cpuName(name);
  napi_value result = nullptr, sets = nullptr;
  napi_create_object(env, &result);
  napi_create_array(env, &sets);
  uint32_t count = 0;
  for (const char* instructionSet : instructionSets) {
    if (kernelTable(instructionSet)) napi_set_element(env, sets, count++, text(env, instructionSet));
  }
  set(env, result, "version", text(env, MNEME_VERSION));
  set(env, result, "cpu", text(env, name));
  set(env, result, "cores", coresAvailable());
  set(env, result, "memoryBytes", static_cast<double>(memoryAvailable()));
  set(env, result, "instructionSets", sets);
  napi_value caches = nullptr;
  napi_create_array(env, &caches);
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  constexpr int levels[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  for (uint32_t level = 0; level < 3; ++level) {
    napi_value bytes = nullptr;
    napi_create_int64(env, std::max<int64_t>(0, sysconf(levels[level])), &bytes);
    napi_set_element(env, caches, level, bytes);
  }
#endif
  set(env, result, "cacheBytes", caches);
  return result;
}

// calibrate(instructionSet, threads, seconds, bytes): with bytes 0 the rate of fused multiply-adds in GFLOP/s, else that
// of reading so many bytes (by each thread) again and again in GB/s; the sum over the threads. Blocks for about `seconds`.
napi_value calibrate(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  std::string instructionSet;
  int64_t threads = 0, bytes = 0;
  double seconds = 0;
  if (!arguments || !readString(env, arguments[0], "instructionSet", &instructionSet) ||
      !readInteger(env, arguments[1], "threads", 1, maximumThreads, &threads) ||
      !readInteger(env, arguments[3], "bytes", 0, int64_t{1} << 32, &bytes)) {
    return nullptr;
  }
  if (napi_get_value_double(env, arguments[2], &seconds) != napi_ok || !(seconds > 0 && seconds <= 60)) {
    return throwError(env, Code::invalidArgument, "seconds must be above 0 and at most 60");
  }
  if (bytes != 0 && bytes < 4096) return throwError(env, Code::invalidArgument, "bytes must be 0 or at least 4096");
  const KernelTable* kernels = kernelTable(instructionSet.c_str());
  if (!kernels) return throwError(env, Code::invalidArgument, "this machine has no such instruction set");
  std::vector<Memory> memories(static_cast<std::size_t>(threads));
  for (Memory& memory : memories) {
    const Status status = Memory::allocate(bytes, &memory);
    if (!status.isOk()) return throwStatus(env, status);
  }
  std::vector<double> rates(static_cast<std::size_t>(threads));
  Team team(static_cast<int>(threads));
  team.run([&](int member) {
    const auto index = static_cast<std::size_t>(member);
    const Calibration& calibration = *kernels->calibration;
    rates[index] = bytes == 0 ? calibration.multiplyAddRate(seconds) : calibration.readRate(memories[index].data(), bytes, seconds);
  });
  napi_value result = nullptr;
  napi_create_double(env, std::accumulate(rates.begin(), rates.end(), 0.0), &result);
  return result;
}

}  // namespace mneme::binding
