// pad: zeros, with a value at a place along an axis. The gradient of slice.
//
//   inputs   x
//   outputs  the whole: the shape of x but for the axis
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
  const OperandType &x = signature.inputs[0], &whole = signature.outputs[0];
  const int32_t axis = signature.words[0], start = signature.words[1];
  check.that(axis >= 0 && axis < x.rank, "there is no axis %d", axis);
  check.that(agreeBeside(x, whole, axis), "the output does not fit the input");
  if (check.failed()) return check.status();
  check.that(start >= 0 && int64_t{start} + x.shape[axis] <= whole.shape[axis], "%d elements at %d leave the extent %d", x.shape[axis], start,
             whole.shape[axis]);
  return check.status();
}

Status run(const Call& call) noexcept {
  const int32_t axis = call.signature->words[0], start = call.signature->words[1];
  const AxisView x = viewAlong(call.signature->inputs[0], axis), whole = viewAlong(call.signature->outputs[0], axis);
  const int64_t stride = whole.extent * whole.inner, length = x.extent * x.inner, before = start * whole.inner;
  shareWork(*call.team, copyTime(stride * whole.outer), [&](const Crew& crew) {
    zeroRows(crew, {call.outputs[0], stride}, whole.outer, before);
    copyRows(crew, {elementsOf(call.outputs[0], before), stride}, {call.inputs[0], length}, whole.outer, length);
    zeroRows(crew, {elementsOf(call.outputs[0], before + length), stride}, whole.outer, stride - before - length);
  });
  return Status::ok();
}

}  // namespace

extern const Kernel pad;
const Kernel pad = {"pad", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
