// reverseSequence: the steps of each row backwards, from its own end; zeros behind it. f32 or i32.
//
//   inputs   x [T,B,...], lengths? [B] i32: from 0 to T; all T where there are none
//   outputs  y of the shape of x
//   words    none
#include "kernels/copy_rows.h"
#include "kernels/kernel.h"
#include "kernels/lengths.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 2, 1, 0);
  check.input(0).optionalInput(1, Dtype::i32).output(0);
  if (check.failed()) return check.status();
  const OperandType &x = signature.inputs[0], &lengths = signature.inputs[1], &y = signature.outputs[0];
  check.that(x.rank >= 2, "the input has one axis only");
  check.that(sameShape(x, y) && x.dtype == y.dtype, "the output has another shape or dtype than the input");
  if (lengths.present) check.that(lengths.rank == 1 && lengths.shape[0] == x.shape[1], "there is not one length for each row");
  return check.status();
}

Status run(const Call& call) noexcept {
  const OperandType& x = call.signature->inputs[0];
  const int64_t time = x.shape[0], batch = x.shape[1], inner = x.count() / (time * batch);
  const int32_t* lengths = call.inputIds(1);
  if (lengths != nullptr) {
    const Status status = checkLengths(lengths, batch, time);
    if (!status.isOk()) return status;
  }
  shareWork(*call.team, copyTime(x.count()), [&](const Crew& crew) {
    shareRows(crew, time * batch, inner, [&](int64_t row, int64_t begin, int64_t end) {
      const int64_t step = row / batch, ofBatch = row % batch;
      const int64_t source = (lengths == nullptr ? time : lengths[ofBatch]) - 1 - step;
      int32_t* to = call.outputIds(0) + row * inner + begin;
      const auto bytes = static_cast<std::size_t>(end - begin) * sizeof(int32_t);
      if (source < 0) std::memset(to, 0, bytes);
      else std::memcpy(to, call.inputIds(0) + (source * batch + ofBatch) * inner + begin, bytes);
    });
  });
  return Status::ok();
}

}  // namespace

extern const Kernel reverseSequence;
const Kernel reverseSequence = {"reverseSequence", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
