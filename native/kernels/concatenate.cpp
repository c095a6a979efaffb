// concatenate: values joined along an axis.
//
//   inputs   n values of one dtype and of one shape but for the axis
//   outputs  one value whose extent along the axis is the sum of theirs
//   words    axis
#include "kernels/axis.h"
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, -1, 1, 1);
  check.output(0);
  if (check.failed()) return check.status();
  const OperandType& whole = signature.outputs[0];
  const int32_t axis = signature.words[0];
  check.that(axis >= 0 && axis < whole.rank, "there is no axis %d", axis);
  int64_t extent = 0;
  for (int64_t input = 0; input < signature.inputs.size; ++input) {
    check.input(input);
    if (check.failed()) return check.status();
    check.that(agreeBeside(signature.inputs[input], whole, axis), "input %lld does not fit the output", static_cast<long long>(input));
    if (check.failed()) return check.status();
    extent += signature.inputs[input].shape[axis];
  }
  if (check.failed()) return check.status();
  check.that(extent == whole.shape[axis], "the inputs' extents add up to %lld, the output has %d", static_cast<long long>(extent), whole.shape[axis]);
  return check.status();
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const int32_t axis = signature.words[0];
  const AxisView whole = viewAlong(signature.outputs[0], axis);
  shareWork(*call.team, copyTime(signature.outputs[0].count()), [&](const Crew& crew) {
    int64_t start = 0;
    for (int64_t input = 0; input < signature.inputs.size; ++input) {
      const int64_t length = signature.inputs[input].shape[axis] * whole.inner;
      copyRows(crew, {elementsOf(call.outputs[0], start), whole.extent * whole.inner}, {call.inputs[input], length}, whole.outer, length);
      start += length;
    }
  });
  return Status::ok();
}

}  // namespace

extern const Kernel concatenate;
const Kernel concatenate = {"concatenate", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
