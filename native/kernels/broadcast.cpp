#include <cstdint>

#include "kernels/kernel.h"

#include "simd/target_begin.h"
#include "kernels/broadcast.h"
#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

// Stores `count` copies of a value, and up to a vector's width more: the scratch has room for them.
void fill(float* destination, float value, int64_t count) noexcept {
  const Vector x = broadcast(value);
  for (int64_t i = 0; i < count; i += Vector::width) store(destination + i, x);
}

void copy(float* destination, const float* source, int64_t count) noexcept {
  std::memcpy(destination, source, static_cast<std::size_t>(count) * sizeof(float));
}

}  // namespace

Status spreadOf(const OperandType& type, const OperandType& whole, int64_t index, Spread* spread) noexcept {
  bool leading = type.rank == whole.rank && type.columns() == 1;
  for (int32_t axis = 0; axis + 1 < whole.rank; ++axis) leading = leading && type.shape[axis] == whole.shape[axis];
  bool same = type.rank == whole.rank && type.columns() == whole.columns();
  for (int32_t axis = 0; axis + 1 < whole.rank; ++axis) same = same && type.shape[axis] == whole.shape[axis];
  if (same || (type.rank == 1 && type.count() == whole.count())) {
    *spread = Spread::full;
  } else if (type.rank == 1 && type.shape[0] == 1) {
    *spread = Spread::scalar;
  } else if (type.rank == 1 && type.shape[0] == whole.columns()) {
    *spread = Spread::columns;
  } else if (leading) {
    *spread = Spread::rows;
  } else {
    return Status::error(Code::invalidProgram,
                         "input %lld neither has the outputs' shape nor is a scalar, one row of their last axis or one column of it",
                         static_cast<long long>(index));
  }
  return Status::ok();
}

int64_t spreadFloats(Spread spread, int64_t columns) noexcept {
  if (spread == Spread::rows) return blockElements + 16;
  if (spread != Spread::columns) return 0;
  return columns < blockElements ? blockElements + (columns + 15) / 16 * 16 : blockElements;
}

BlockReader::BlockReader(const Call& call, const OperandType& whole, float* scratch) noexcept
    : inputs_(call.signature->inputs.size), columns_(whole.columns()) {
  for (int64_t input = 0; input < inputs_; ++input) {
    (void)spreadOf(call.signature->inputs[input], whole, input, &spreads_[input]);
    data_[input] = call.input(static_cast<int>(input));
    scratch_[input] = scratch;
    scalars_[input] = spreads_[input] == Spread::scalar ? data_[input] : nullptr;
    pointers_[input] = data_[input];
    if (spreads_[input] == Spread::full) fullInputs_[full_++] = static_cast<int32_t>(input);
    scratch += spreadFloats(spreads_[input], columns_);
    if (spreads_[input] == Spread::columns || spreads_[input] == Spread::rows) direct_ = false;
    if (spreads_[input] == Spread::columns && columns_ < blockElements) prepareColumns(input);
  }
}

// The row again and again, so long that a block may start at any of its columns.
void BlockReader::prepareColumns(int64_t input) noexcept {
  float* pattern = scratch_[input];
  const int64_t length = blockElements + columns_;
  for (int64_t i = 0; i < length; i += columns_) copy(pattern + i, data_[input], i + columns_ < length ? columns_ : length - i);
}

const float* const* BlockReader::read(int64_t start, int64_t count) noexcept {
  for (int64_t index = 0; index < full_; ++index) pointers_[fullInputs_[index]] = data_[fullInputs_[index]] + start;
  if (direct_) return pointers_;
  const int64_t row = start / columns_, column = start - row * columns_;
  for (int64_t input = 0; input < inputs_; ++input) {
    if (spreads_[input] == Spread::columns && columns_ < blockElements) {
      pointers_[input] = scratch_[input] + column;
    } else if (spreads_[input] == Spread::columns && column + count <= columns_) {
      pointers_[input] = data_[input] + column;
    } else if (spreads_[input] == Spread::columns) {
      // Longer than a block: at most one end of the row falls into it.
      copy(scratch_[input], data_[input] + column, columns_ - column);
      copy(scratch_[input] + columns_ - column, data_[input], column + count - columns_);
      pointers_[input] = scratch_[input];
    } else if (spreads_[input] == Spread::rows) {
      const float* value = data_[input] + row;
      int64_t filled = 0, left = columns_ - column;
      while (filled < count) {
        const int64_t length = left < count - filled ? left : count - filled;
        fill(scratch_[input] + filled, *value++, length);
        filled += length;
        left = columns_;
      }
      pointers_[input] = scratch_[input];
    }
  }
  return pointers_;
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
