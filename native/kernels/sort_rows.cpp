// sortRows: the rows of a batch by falling length; rows of equal length keep their order.
//
//   inputs   lengths [B] i32
//   outputs  order [B] i32 (the row that comes to stand at each place), inverse [B] i32 (the place of each row), sorted lengths [B] i32
//   words    time: the longest length there may be
#include <algorithm>

#include "kernels/kernel.h"
#include "kernels/lengths.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 3, 1);
  check.input(0, Dtype::i32);
  for (int output = 0; output < 3; ++output) check.output(output, Dtype::i32);
  if (check.failed()) return check.status();
  check.that(signature.inputs[0].rank == 1, "the lengths have %d axes", signature.inputs[0].rank);
  check.that(signature.words[0] >= 1, "there are %d steps", signature.words[0]);
  for (int output = 0; output < 3; ++output)
    check.that(sameShape(signature.outputs[output], signature.inputs[0]), "output %d has not one element for each row", output);
  return check.status();
}

Status run(const Call& call) noexcept {
  const int64_t batch = call.signature->inputs[0].count();
  const int32_t* lengths = call.inputIds(0);
  const Status status = checkLengths(lengths, batch, call.signature->words[0]);
  if (!status.isOk()) return status;
  int32_t *order = call.outputIds(0), *inverse = call.outputIds(1), *sorted = call.outputIds(2);
  for (int64_t row = 0; row < batch; ++row) order[row] = static_cast<int32_t>(row);
  // Not std::stable_sort: it allocates.
  std::sort(order, order + batch, [lengths](int32_t a, int32_t b) { return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b; });
  for (int64_t place = 0; place < batch; ++place) {
    inverse[order[place]] = static_cast<int32_t>(place);
    sorted[place] = lengths[order[place]];
  }
  return Status::ok();
}

}  // namespace

extern const Kernel sortRows;
const Kernel sortRows = {"sortRows", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
