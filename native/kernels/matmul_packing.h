// Matrices laid out as the tiles read them: panels of up to four segments of 16 columns, one row of a panel after another.
//
// A segment names up to 16 neighbouring columns of a matrix; its missing lanes are packed as zeros. Loops run so that the
// writes are sequential, which is three times as fast as sequential reads.
//
// To be included inside a target region.
#pragma once

#include "kernels/matmul_tile.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

struct Segment {
  int64_t column = 0;
  int count = 0;  // 0..16
};

template <int count>
MNEME_INLINE void packWholeRows(const float* matrix, int64_t stride, int64_t rows, const Segment* segments, float* to) noexcept {
  const float* from[count];
  for (int s = 0; s < count; ++s) from[s] = matrix + segments[s].column;
  for (int64_t row = 0; row < rows; ++row, to += count * segmentColumns)
#pragma GCC unroll 4
    for (int s = 0; s < count; ++s) store16(to + s * segmentColumns, load16(from[s] + row * stride));
}

// to[(row*segments + s)*16 + lane] = matrix[row*stride + segment s's column + lane], 1 to 4 segments
inline void packRows(const float* matrix, int64_t stride, int64_t rows, const Segment* segments, int count, float* to) noexcept {
  bool whole = true;
  for (int s = 0; s < count; ++s) whole = whole && segments[s].count == segmentColumns;
  if (whole) {
    switch (count) {
      case 1: return packWholeRows<1>(matrix, stride, rows, segments, to);
      case 2: return packWholeRows<2>(matrix, stride, rows, segments, to);
      case 3: return packWholeRows<3>(matrix, stride, rows, segments, to);
      default: return packWholeRows<4>(matrix, stride, rows, segments, to);
    }
  }
  for (int64_t row = 0; row < rows; ++row)
    for (int s = 0; s < count; ++s, to += segmentColumns)
      store16(to, loadFirst16(matrix + row * stride + segments[s].column, segments[s].count));
}

// The way back: what packRows put in the lanes that are there.
inline void unpackRows(const float* packed, int64_t rows, const Segment* segments, int count, float* matrix, int64_t stride) noexcept {
  for (int64_t row = 0; row < rows; ++row)
    for (int s = 0; s < count; ++s, packed += segmentColumns) {
      float* to = matrix + row * stride + segments[s].column;
      if (segments[s].count == segmentColumns) store16(to, load16(packed));
      else storeFirst16(to, load16(packed), segments[s].count);
    }
}

// to[lane*toStride + row] = matrix[row*stride + lane] for a block of `rows` (1..16) rows and `lanes` (0..16) columns, as a
// full 16 x 16 block: what is missing is zero.
inline void transposeBlock(const float* matrix, int64_t stride, int rows, int lanes, float* to, int64_t toStride) noexcept {
  constexpr int width = Vector::width;
  for (int lane = 0; lane < segmentColumns; lane += width) {
    for (int row = 0; row < segmentColumns; row += width) {
      Vector x[width];
      if (row + width <= rows && lane + width <= lanes) {
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i) x[i] = load(matrix + (row + i) * stride + lane);
      } else {
        const int present = lanes - lane < 0 ? 0 : lanes - lane < width ? lanes - lane : width;
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i) x[i] = row + i < rows ? loadFirst(matrix + (row + i) * stride + lane, present) : zero();
      }
      transpose(x);
#pragma GCC unroll 16
      for (int i = 0; i < width; ++i) store(to + (lane + i) * toStride + row, x[i]);
    }
  }
}

// The transposed matrix: columns of the panel are `rows` (1..64) rows of the matrix, its rows the lanes of all segments.
//   to[(s*16 + lane)*width + row] = matrix[row*stride + segment s's column + lane],  width = rows rounded up to 16
inline void packTransposed(const float* matrix, int64_t stride, int rows, const Segment* segments, int count, float* to) noexcept {
  const int width = (rows + segmentColumns - 1) / segmentColumns * segmentColumns;
  for (int s = 0; s < count; ++s, to += segmentColumns * width)
    for (int row = 0; row < rows; row += segmentColumns)
      transposeBlock(matrix + row * stride + segments[s].column, stride, rows - row < segmentColumns ? rows - row : segmentColumns,
                     segments[s].count, to + row, width);
}

// Segments of a panel of `columns` neighbouring columns, all of them beginning at `column`.
inline int plainSegments(int64_t column, int64_t columns, Segment* segments) noexcept {
  int count = 0;
  for (; count < panelSegments && count * segmentColumns < columns; ++count) {
    const int64_t left = columns - count * segmentColumns;
    segments[count] = {column + count * segmentColumns, static_cast<int>(left < segmentColumns ? left : segmentColumns)};
  }
  return count;
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
