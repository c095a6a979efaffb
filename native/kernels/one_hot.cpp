// oneHot: ids as rows of zeros with a single one.
//
//   inputs   ids [...] i32
//   outputs  y [...,V]
//   words    none
#include "kernels/copy_rows.h"
#include "kernels/ids.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 0);
  check.input(0, Dtype::i32).output(0, Dtype::f32);
  if (check.failed()) return check.status();
  check.that(signature.outputs[0].rows() == signature.inputs[0].count(), "the output has not one row for each id");
  return check.status();
}

Status run(const Call& call) noexcept {
  const int64_t positions = call.signature->inputs[0].count(), columns = call.signature->outputs[0].columns();
  IdCheck ids(call.inputIds(0), columns);
  shareWork(*call.team, copyTime(positions * columns), [&](const Crew& crew) {
    const Share share = crew.share(positions);
    if (share.begin == share.end) return;
    std::memset(call.output(0) + share.begin * columns, 0, static_cast<std::size_t>((share.end - share.begin) * columns) * sizeof(float));
    for (int64_t position = share.begin; position < share.end; ++position)
      if (ids.accepts(position)) call.output(0)[position * columns + call.inputIds(0)[position]] = 1.0f;
  });
  return ids.status();
}

}  // namespace

extern const Kernel oneHot;
const Kernel oneHot = {"oneHot", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
