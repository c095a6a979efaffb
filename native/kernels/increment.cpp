// increment: a counter moved on, wrapping around.
//
//   inputs   x [1] i32
//   outputs  x + by [1] i32; may be x itself
//   words    by
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 1);
  check.input(0, Dtype::i32).output(0, Dtype::i32);
  if (check.failed()) return check.status();
  check.that(signature.inputs[0].count() == 1 && signature.outputs[0].count() == 1, "a counter has one element");
  return check.status();
}

Status run(const Call& call) noexcept {
  const uint32_t by = static_cast<uint32_t>(call.signature->words[0]);
  *call.outputIds(0) = static_cast<int32_t>(static_cast<uint32_t>(*call.inputIds(0)) + by);
  return Status::ok();
}

}  // namespace

extern const Kernel increment;
const Kernel increment = {"increment", verify, nullptr, run, 0, 1};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
