// finite: whether all elements of some values are finite.
//
//   inputs   n values f32
//   outputs  flag [1] i32: 1 or 0
//   words    none
#include <atomic>

#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/are_finite.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

constexpr int64_t stretch = 4096;  // elements between two looks at whether it is decided

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, -1, 1, 0);
  check.output(0, Dtype::i32);
  if (check.failed()) return check.status();
  check.that(signature.outputs[0].count() == 1, "the flag has more than one element");
  for (int64_t input = 0; input < signature.inputs.size; ++input) check.input(input, Dtype::f32);
  return check.status();
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  int64_t elements = 0;
  for (int64_t input = 0; input < signature.inputs.size; ++input) elements += signature.inputs[input].count();
  std::atomic<int32_t> finite{1};
  shareWork(*call.team, 0.03 * static_cast<double>(elements), [&](const Crew& crew) {
    for (int64_t input = 0; input < signature.inputs.size; ++input) {
      const Share share = crew.share(signature.inputs[input].count(), stretch);
      const float* x = call.input(static_cast<int>(input));
      for (int64_t i = share.begin; i < share.end; i += stretch) {
        if (finite.load(std::memory_order_relaxed) == 0) return;
        if (!areFinite(x + i, share.end - i < stretch ? share.end - i : stretch)) finite.store(0, std::memory_order_relaxed);
      }
    }
  });
  *call.outputIds(0) = finite.load(std::memory_order_relaxed);
  return Status::ok();
}

}  // namespace

extern const Kernel finite;
const Kernel finite = {"finite", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
