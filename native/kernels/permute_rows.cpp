// permuteRows: the rows of a batch in another order, of f32 or i32.
//
//   inputs   x [B,...] or [T,B,...], order [B] i32: each row once
//   outputs  y of the shape of x: row i is row order[i] of x, or (inverse) row order[i] is row i of x
//   words    axis of the batch (0 or 1), inverse (0 or 1)
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, 2, 1, 2);
  check.input(0).input(1, Dtype::i32).output(0);
  if (check.failed()) return check.status();
  const OperandType &x = signature.inputs[0], &order = signature.inputs[1], &y = signature.outputs[0];
  const int32_t axis = signature.words[0], inverse = signature.words[1];
  check.that(sameShape(x, y) && x.dtype == y.dtype, "the output has another shape or dtype than the input");
  check.that((axis == 0 || axis == 1) && axis < x.rank, "the batch is not axis %d of %d", axis, x.rank);
  check.that(inverse == 0 || inverse == 1, "inverse is %d", inverse);
  if (check.failed()) return check.status();
  check.that(order.rank == 1 && order.shape[0] == x.shape[axis], "the order has not one element for each row");
  requirements->workspaceBytes = order.count() * static_cast<int64_t>(sizeof(int32_t));
  return check.status();
}

// Places of the rows; out of range unless every row is there once.
Status invert(const int32_t* order, int64_t batch, int32_t* places) noexcept {
  for (int64_t row = 0; row < batch; ++row) places[row] = -1;
  for (int64_t place = 0; place < batch; ++place) {
    const int32_t row = order[place];
    if (row < 0 || row >= batch || places[row] >= 0)
      return Status::error(Code::outOfRange, "row %d at position %lld of the order is outside 0..%lld or is there twice", row,
                           static_cast<long long>(place), static_cast<long long>(batch - 1));
    places[row] = static_cast<int32_t>(place);
  }
  return Status::ok();
}

Status run(const Call& call) noexcept {
  const OperandType& x = call.signature->inputs[0];
  const int64_t batch = call.signature->inputs[1].count(), steps = call.signature->words[0] == 0 ? 1 : x.shape[0];
  const int64_t length = x.count() / (steps * batch);
  auto* places = static_cast<int32_t*>(call.workspace);
  const Status status = invert(call.inputIds(1), batch, places);
  if (!status.isOk()) return status;
  const int32_t* from = call.signature->words[1] == 0 ? call.inputIds(1) : places;
  shareWork(*call.team, copyTime(x.count()), [&](const Crew& crew) {
    shareRows(crew, steps * batch, length, [&](int64_t row, int64_t begin, int64_t end) {
      const int64_t source = row - row % batch + from[row % batch];
      std::memcpy(call.outputIds(0) + row * length + begin, call.inputIds(0) + source * length + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(int32_t));
    });
  });
  return Status::ok();
}

}  // namespace

extern const Kernel permuteRows;
const Kernel permuteRows = {"permuteRows", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
