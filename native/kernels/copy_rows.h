// Copying rows between arrays of 4-byte elements with different distances between their rows.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/parallel.h"

namespace mneme {

struct Rows {
  void* data;
  int64_t stride;  // elements from one row to the next
};

// Calls work(row, begin, end) for the elements [begin, end) of the rows that are this member's: whole rows where there are
// enough of them, parts of every row otherwise.
template <typename Work>
void shareRows(const Crew& crew, int64_t rows, int64_t length, Work&& work) noexcept {
  const bool whole = rows >= crew.members;
  const Share own = whole ? crew.share(rows) : Share{0, rows};
  const Share part = whole ? Share{0, length} : crew.share(length, 16);
  if (part.begin == part.end) return;
  for (int64_t row = own.begin; row < own.end; ++row) work(row, part.begin, part.end);
}

inline void copyRows(const Crew& crew, Rows to, Rows from, int64_t rows, int64_t length) noexcept {
  shareRows(crew, rows, length, [&](int64_t row, int64_t begin, int64_t end) {
    std::memcpy(static_cast<int32_t*>(to.data) + row * to.stride + begin, static_cast<const int32_t*>(from.data) + row * from.stride + begin,
                static_cast<std::size_t>(end - begin) * sizeof(int32_t));
  });
}

inline void zeroRows(const Crew& crew, Rows to, int64_t rows, int64_t length) noexcept {
  shareRows(crew, rows, length, [&](int64_t row, int64_t begin, int64_t end) {
    std::memset(static_cast<int32_t*>(to.data) + row * to.stride + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(int32_t));
  });
}

inline int32_t* elementsOf(void* data, int64_t offset) noexcept { return static_cast<int32_t*>(data) + offset; }

// Nanoseconds of one core to copy that many elements.
inline double copyTime(int64_t elements) noexcept { return 0.1 * static_cast<double>(elements); }

}  // namespace mneme
