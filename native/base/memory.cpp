#include "base/memory.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#else
#include <malloc.h>
#endif

namespace mneme {
namespace {

// Blocks of at least this size start on a huge page and ask for more of them: faulting in 7 MB of small pages takes
// 2.6 ms, a third of a training step.
constexpr int64_t hugePage = int64_t{2} << 20;

int64_t roundUp(int64_t value, int64_t multiple) noexcept { return (value + multiple - 1) / multiple * multiple; }

#if defined(__linux__)
// The number in a control group's file; a file that is missing or says `max` sets no limit.
int64_t readLimit(const char* path) noexcept {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return INT64_MAX;
  char text[32] = {0};
  const std::size_t length = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  char* end = nullptr;
  const long long limit = std::strtoll(text, &end, 10);
  return length == 0 || end == text || limit <= 0 ? INT64_MAX : static_cast<int64_t>(limit);
}
#endif

void* allocateAligned(int64_t bytes, int64_t alignment) noexcept {
#if defined(__unix__) || defined(__APPLE__)
  void* data = nullptr;
  return posix_memalign(&data, static_cast<std::size_t>(alignment), static_cast<std::size_t>(bytes)) == 0 ? data : nullptr;
#else
  return _aligned_malloc(static_cast<std::size_t>(bytes), static_cast<std::size_t>(alignment));
#endif
}

}  // namespace

int64_t memoryAvailable() noexcept {
  int64_t available = INT64_MAX;
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && size > 0) available = static_cast<int64_t>(pages) * size;
#endif
#if defined(__linux__)
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = readLimit(path);
    if (limit < available) available = limit;
  }
#endif
  return available;
}

Status Memory::allocate(int64_t bytes, Memory* result) noexcept {
  result->release();
  if (bytes == 0) return Status::ok();
  const int64_t available = memoryAvailable();
  const double gibibyte = 1 << 30;
  if (bytes < 0 || bytes > available) {
    return Status::error(Code::outOfMemory, "%.2f GiB asked for, but this process may use at most %.2f GiB",
                         static_cast<double>(static_cast<uint64_t>(bytes)) / gibibyte,
                         static_cast<double>(available) / gibibyte);
  }
  const int64_t alignment = bytes >= hugePage ? hugePage : memoryAlignment;
  const int64_t rounded = roundUp(bytes, memoryAlignment);
  void* data = allocateAligned(rounded, alignment);
  if (data == nullptr) {
    return Status::error(Code::outOfMemory, "the system refused %.2f GiB", static_cast<double>(bytes) / gibibyte);
  }
#if defined(MADV_HUGEPAGE)
  // Advice only: where huge pages are off, small ones serve.
  if (bytes >= hugePage) (void)madvise(data, static_cast<std::size_t>(rounded), MADV_HUGEPAGE);
#endif
  std::memset(data, 0, static_cast<std::size_t>(rounded));
  result->data_ = data;
  result->bytes_ = bytes;
  return Status::ok();
}

void Memory::release() noexcept {
#if defined(__unix__) || defined(__APPLE__)
  std::free(data_);
#else
  _aligned_free(data_);
#endif
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace mneme
