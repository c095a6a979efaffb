// transpose: the first two axes exchanged, of f32 or i32.
//
//   inputs   x [A,B,...]
//   outputs  y [B,A,...]
//   words    none
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

// A square of 16 x 16 elements is 16 cache lines on either side: all of them stay in the first-level cache.
constexpr int64_t tile = 16;

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 0);
  check.input(0).output(0);
  if (check.failed()) return check.status();
  const OperandType &x = signature.inputs[0], &y = signature.outputs[0];
  check.that(x.rank >= 2, "the input has one axis only");
  check.that(x.rank == y.rank && x.dtype == y.dtype, "the output has another rank or dtype than the input");
  if (check.failed()) return check.status();
  check.that(x.shape[0] == y.shape[1] && x.shape[1] == y.shape[0], "the output's first axes are not those of the input, exchanged");
  for (int32_t axis = 2; axis < x.rank; ++axis) check.that(x.shape[axis] == y.shape[axis], "axis %d differs", axis);
  return check.status();
}

void transposeElements(const Crew& crew, const int32_t* x, int32_t* y, int64_t rows, int64_t columns) noexcept {
  const Share share = crew.share(columns, tile);
  for (int64_t column = share.begin; column < share.end; column += tile) {
    const int64_t lastColumn = share.end - column < tile ? share.end : column + tile;
    for (int64_t row = 0; row < rows; row += tile) {
      const int64_t lastRow = rows - row < tile ? rows : row + tile;
      for (int64_t j = column; j < lastColumn; ++j)
        for (int64_t i = row; i < lastRow; ++i) y[j * rows + i] = x[i * columns + j];
    }
  }
}

Status run(const Call& call) noexcept {
  const OperandType& type = call.signature->inputs[0];
  const int64_t rows = type.shape[0], columns = type.shape[1];
  int64_t inner = 1;
  for (int32_t axis = 2; axis < type.rank; ++axis) inner *= type.shape[axis];
  const int32_t* x = call.inputIds(0);
  int32_t* y = call.outputIds(0);
  shareWork(*call.team, (inner == 1 ? 4 : 1) * copyTime(type.count()), [&](const Crew& crew) {
    if (inner == 1) {
      transposeElements(crew, x, y, rows, columns);
      return;
    }
    const Share share = crew.share(columns);
    for (int64_t column = share.begin; column < share.end; ++column)
      for (int64_t row = 0; row < rows; ++row)
        std::memcpy(y + (column * rows + row) * inner, x + (row * columns + column) * inner, static_cast<std::size_t>(inner) * sizeof(int32_t));
  });
  return Status::ok();
}

}  // namespace

extern const Kernel transpose;
const Kernel transpose = {"transpose", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
