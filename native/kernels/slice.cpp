// slice: a part of a value along an axis. Its gradient is pad.
//
//   inputs   x
//   outputs  the part: the shape of x but for the axis
//   words    axis, start
#include "kernels/axis.h"
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 2);
  check.input(0).output(0);
  if (check.failed()) return check.status();
  const OperandType &x = signature.inputs[0], &part = signature.outputs[0];
  const int32_t axis = signature.words[0], start = signature.words[1];
  check.that(axis >= 0 && axis < x.rank, "there is no axis %d", axis);
  check.that(agreeBeside(x, part, axis), "the output does not fit the input");
  if (check.failed()) return check.status();
  check.that(start >= 0 && int64_t{start} + part.shape[axis] <= x.shape[axis], "%d elements from %d leave the extent %d", part.shape[axis], start,
             x.shape[axis]);
  return check.status();
}

Status run(const Call& call) noexcept {
  const int32_t axis = call.signature->words[0], start = call.signature->words[1];
  const AxisView x = viewAlong(call.signature->inputs[0], axis), part = viewAlong(call.signature->outputs[0], axis);
  const int64_t length = part.extent * part.inner;
  shareWork(*call.team, copyTime(length * x.outer), [&](const Crew& crew) {
    copyRows(crew, {call.outputs[0], length}, {elementsOf(call.inputs[0], start * x.inner), x.extent * x.inner}, x.outer, length);
  });
  return Status::ok();
}

}  // namespace

extern const Kernel slice;
const Kernel slice = {"slice", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
