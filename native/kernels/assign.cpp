// assign: a copy into a place that persists, always or on a condition.
//
//   inputs   value, when? [1] i32
//   outputs  target, of the value's dtype and element count: untouched where `when` is present and 0
//   words    none
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, -1, 1, 0);
  check.that(signature.inputs.size == 1 || signature.inputs.size == 2, "%lld inputs where a value and a condition belong",
             static_cast<long long>(signature.inputs.size));
  check.input(0).output(0);
  if (!check.failed() && signature.inputs.size == 2) check.optionalInput(1, Dtype::i32);
  if (check.failed()) return check.status();
  const OperandType &value = signature.inputs[0], &target = signature.outputs[0];
  check.that(value.dtype == target.dtype && value.count() == target.count(), "the target has another dtype or element count than the value");
  return check.status();
}

Status run(const Call& call) noexcept {
  const bool conditional = call.signature->inputs.size == 2 && call.signature->inputs[1].present;
  if ((conditional && *call.inputIds(1) == 0) || call.inputs[0] == call.outputs[0]) return Status::ok();
  const int64_t count = call.signature->inputs[0].count();
  shareWork(*call.team, copyTime(count), [&](const Crew& crew) { copyRows(crew, {call.outputs[0], 0}, {call.inputs[0], 0}, 1, count); });
  return Status::ok();
}

}  // namespace

extern const Kernel assign;
const Kernel assign = {"assign", verify, nullptr, run, 0, 1};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
