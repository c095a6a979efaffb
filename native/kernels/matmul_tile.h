// The heart of every matrix product: a tile of a few rows and up to four segments of 16 columns, kept in registers while
// all its terms are added, strictly in order, each with one fused multiply-add.
//
// Because the order of the terms is fixed and every output is one chain of additions, cutting a product into tiles, its
// terms into blocks, and its outputs among threads changes no bit.
//
// To be included inside a target region.
#pragma once

#include "simd/lanes16.h"
#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

constexpr int segmentColumns = 16;
constexpr int panelSegments = 4;
constexpr int panelColumns = segmentColumns * panelSegments;

// to[row, column] = start[row, column] + sum over terms of a[row, term] * b[term, column], over whole segments of columns.
struct TileOperands {
  const float* a = nullptr;  // a[row*aStride + term], or a[term*aStride + row] where A is transposed
  int64_t aStride = 0;
  const float* b = nullptr;  // b[term*bStride + column]
  int64_t bStride = 0;
  int64_t terms = 0;
  const float* start = nullptr;  // null: zero. With a stride of 0 one row (a bias) starts all
  int64_t startStride = 0;
  float* to = nullptr;  // may be `start`
  int64_t toStride = 0;
};

// Memory that will be needed soon after a product: for row r and segment s four cache lines at
// gates + s*gatesSegment + r*64, and one at each of arrays + r*rowStride + s*16.
struct Prefetch {
  const float* gates = nullptr;
  int64_t gatesSegment = 0;
  const float* arrays[3] = {nullptr, nullptr, nullptr};
  int64_t rowStride = 0;
};

// The same where the terms come in chunks, of `terms` each: chunk j reads A at a + j*aChunk and B at b + j*bChunk.
struct ChunkedTileOperands : TileOperands {
  int64_t chunks = 1;
  int64_t aChunk = 0, bChunk = 0;
  const Prefetch* prefetch = nullptr;  // touched bit by bit during the product
  bool prefetchRows = false;           // the next tile's rows of A, chunk by chunk
};

// How many rows a tile of so many segments may have: as many as leave registers for the loaded operands, and at least 12
// independent sums, which hide the latency of the multiply-add (97-98 % of the peak; fewer are slower).
#if defined(MNEME_AVX512)
constexpr int tileRowsOf(int segments) noexcept { return segments == 4 ? 7 : segments == 3 ? 9 : segments == 2 ? 12 : 14; }
constexpr int passSegments = 4;
constexpr int vectorRegisters = 32;
#elif defined(MNEME_AVX2)
constexpr int tileRowsOf(int segments) noexcept { return segments >= 2 ? 3 : 6; }
constexpr int passSegments = 2;
constexpr int vectorRegisters = 16;
#else
constexpr int tileRowsOf(int) noexcept { return 2; }
constexpr int passSegments = 1;
constexpr int vectorRegisters = 16;
#endif
constexpr int maximumTileRows = 14;

template <int rows, int vectors, bool transposed>
MNEME_INLINE void accumulate(Vector (&sum)[rows][vectors], const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t terms) noexcept {
  // Either the vectors of B stay in registers while the rows pass, or (few registers) the values of A while B passes.
  constexpr bool fits = rows * vectors + vectors + 1 <= vectorRegisters;
  constexpr bool holdB = fits || rows >= vectors;
  for (int64_t term = 0; term < terms; ++term) {
    if constexpr (holdB) {
      // The largest tile leaves one register too few. Its last vector is a memory operand of each multiply-add, or else
      // gcc would keep one of the sums in memory (91 against 96 % of the peak).
      constexpr int held = fits ? vectors : vectors - 1;
      Vector w[held];
#pragma GCC unroll 16
      for (int v = 0; v < held; ++v) {
        w[v] = load(b + v * Vector::width);
        // Or else gcc folds this load into every multiply-add of small tiles, which then wait for the load ports.
        if (rows > 1) pin(w[v]);
      }
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const Vector s = broadcast(transposed ? a[r] : a[r * aStride]);
#pragma GCC unroll 16
        for (int v = 0; v < held; ++v) sum[r][v] = fma(s, w[v], sum[r][v]);
        if constexpr (!fits) sum[r][held] = fmaFromMemory(s, b + held * Vector::width, sum[r][held]);
      }
    } else {
      Vector s[rows];
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        s[r] = broadcast(transposed ? a[r] : a[r * aStride]);
        pin(s[r]);
      }
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v) {
        Vector w = load(b + v * Vector::width);
        pin(w);
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r) sum[r][v] = fma(s[r], w, sum[r][v]);
      }
    }
    b += bStride;
    a += transposed ? aStride : 1;
  }
}

template <int rows, int vectors>
MNEME_INLINE void startTile(Vector (&sum)[rows][vectors], const TileOperands& operands) noexcept {
  const float* start = operands.start;
  const int64_t stride = operands.startStride;
  if (start == nullptr) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v) sum[r][v] = zero();
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v) sum[r][v] = load(start + r * stride + v * Vector::width);
  }
}

template <int rows, int vectors>
MNEME_INLINE void finishTile(const Vector (&sum)[rows][vectors], const TileOperands& operands) noexcept {
  float* to = operands.to;
  const int64_t stride = operands.toStride;
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) store(to + r * stride + v * Vector::width, sum[r][v]);
}

template <int rows, int segments, bool transposed>
__attribute__((noinline)) void tile(const TileOperands& operands) noexcept {
  Vector sum[rows][segments * segmentColumns / Vector::width];
  startTile(sum, operands);
  accumulate<rows, segments * segmentColumns / Vector::width, transposed>(sum, operands.a, operands.aStride, operands.b, operands.bStride, operands.terms);
  finishTile(sum, operands);
}

template <int rows, int segments>
__attribute__((noinline)) void chunkedTile(const ChunkedTileOperands& operands) noexcept {
  Vector sum[rows][segments * segmentColumns / Vector::width];
  startTile(sum, operands);
  const float* a = operands.a;
  const float* b = operands.b;
  int64_t fetched = 0;
  for (int64_t chunk = 0; chunk < operands.chunks; ++chunk) {
    if (operands.prefetch != nullptr) {
      const Prefetch& soon = *operands.prefetch;
      const int64_t until = (chunk + 1) * (rows * segments) / operands.chunks;
      for (; fetched < until; ++fetched) {
        const int64_t row = fetched / segments, segment = fetched % segments;
        const float* gates = soon.gates + segment * soon.gatesSegment + row * panelColumns;
        for (int line = 0; line < 4; ++line) prefetch(gates + line * 16);
        for (const float* array : soon.arrays)
          if (array != nullptr) prefetch(array + row * soon.rowStride + segment * segmentColumns);
      }
    }
    if (operands.prefetchRows) {
      for (int row = rows; row < 2 * rows; ++row)
        for (int64_t term = 0; term < operands.terms; term += 16) prefetch(a + row * operands.aStride + term);
    }
    accumulate<rows, segments * segmentColumns / Vector::width, false>(sum, a, operands.aStride, b, operands.bStride, operands.terms);
    a += operands.aChunk;
    b += operands.bChunk;
  }
  finishTile(sum, operands);
}

// The tile functions of this instruction set by kind, segments and rows.
struct PlainTile {
  using Operands = TileOperands;
  template <int rows, int segments>
  static void run(const Operands& operands) noexcept { tile<rows, segments, false>(operands); }
};
struct TransposedTile {
  using Operands = TileOperands;
  template <int rows, int segments>
  static void run(const Operands& operands) noexcept { tile<rows, segments, true>(operands); }
};
struct ChunkedTile {
  using Operands = ChunkedTileOperands;
  template <int rows, int segments>
  static void run(const Operands& operands) noexcept { chunkedTile<rows, segments>(operands); }
};

template <typename Kind, int segments, int... rows>
struct TilesOf {
  using Function = void (*)(const typename Kind::Operands&) noexcept;
  template <int count>
  static constexpr Function function() noexcept {
    if constexpr (count <= tileRowsOf(segments) && segments <= passSegments) return Kind::template run<count, segments>;
    else return nullptr;
  }
  static constexpr Function functions[] = {function<rows>()...};
};

// Runs one tile: 1 <= rows <= tileRowsOf(segments), 1 <= segments <= 4.
template <typename Kind>
MNEME_INLINE void runTile(const typename Kind::Operands& operands, int rows, int segments) noexcept {
  using Function = void (*)(const typename Kind::Operands&) noexcept;
  static constexpr const Function* functions[] = {
      TilesOf<Kind, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>::functions, TilesOf<Kind, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>::functions,
      TilesOf<Kind, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9>::functions, TilesOf<Kind, 4, 1, 2, 3, 4, 5, 6, 7>::functions};
  if constexpr (passSegments == panelSegments) {
    functions[segments - 1][rows - 1](operands);
  } else {
    typename Kind::Operands part = operands;
    while (segments > 0) {
      const int taken = segments < passSegments ? segments : passSegments;
      functions[taken - 1][rows - 1](part);
      part.b += taken * segmentColumns;
      if (part.start != nullptr) part.start += taken * segmentColumns;
      part.to += taken * segmentColumns;
      segments -= taken;
    }
  }
}

// Copies `columns` columns of some rows; what is beyond them is neither read nor written.
MNEME_INLINE void copyRows(const float* from, int64_t fromStride, int rows, int columns, float* to, int64_t toStride) noexcept {
  for (int row = 0; row < rows; ++row) {
    int column = 0;
    for (; column + segmentColumns <= columns; column += segmentColumns)
      store16(to + row * toStride + column, load16(from + row * fromStride + column));
    if (column < columns)
      storeFirst16(to + row * toStride + column, loadFirst16(from + row * fromStride + column, columns - column), columns - column);
  }
}

// A tile of which only the first `columns` columns exist in `start` and `to`.
template <typename Kind>
MNEME_INLINE void runClippedTile(const typename Kind::Operands& operands, int rows, int columns) noexcept {
  const int segments = (columns + segmentColumns - 1) / segmentColumns;
  if (columns == segments * segmentColumns) {
    runTile<Kind>(operands, rows, segments);
    return;
  }
  alignas(64) float whole[maximumTileRows * panelColumns];
  typename Kind::Operands clipped = operands;
  if (operands.start != nullptr) {
    for (int row = 0; row < rows; ++row) store16(whole + row * panelColumns + (segments - 1) * segmentColumns, broadcast16(0.0f));
    copyRows(operands.start, operands.startStride, rows, columns, whole, panelColumns);
    clipped.start = whole;
    clipped.startStride = panelColumns;
  }
  clipped.to = whole;
  clipped.toStride = panelColumns;
  runTile<Kind>(clipped, rows, segments);
  copyRows(whole, panelColumns, rows, columns, operands.to, operands.toStride);
}

// Calls body(first row, rows) for tiles that cut [begin, end) evenly: 32 rows are 7+7+6+6+6, not 7+7+7+7+4.
template <typename Body>
MNEME_INLINE void forTiles(int64_t begin, int64_t end, int maximumRows, Body&& body) noexcept {
  const int64_t tiles = (end - begin + maximumRows - 1) / maximumRows;
  for (int64_t left = tiles; left > 0; --left) {
    const int64_t rows = (end - begin + left - 1) / left;
    body(begin, static_cast<int>(rows));
    begin += rows;
  }
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
