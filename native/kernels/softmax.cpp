// softmax: e^x over the sum of e^x, row by row.
//
//   inputs   x [N,V]
//   outputs  y [N,V]; may be x itself
//   words    none
#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/softmax_row.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 0);
  check.input(0, Dtype::f32).output(0, Dtype::f32);
  if (check.failed()) return check.status();
  check.that(sameShape(signature.inputs[0], signature.outputs[0]), "the output has another shape than the input");
  return check.status();
}

Status run(const Call& call) noexcept {
  const OperandType& type = call.signature->inputs[0];
  const int64_t rows = type.rows(), columns = type.columns();
  shareWork(*call.team, 0.2 * static_cast<double>(type.count()), [&](const Crew& crew) {
    const Share share = crew.share(rows);
    for (int64_t row = share.begin; row < share.end; ++row) {
      const float* x = call.input(0) + row * columns;
      float* y = call.output(0) + row * columns;
      const float sum = rowExponentials(x, rowMaximum(x, columns), y, columns);
      rowScale(y, 1.0f / sum, columns);
    }
  });
  return Status::ok();
}

}  // namespace

extern const Kernel softmax;
const Kernel softmax = {"softmax", verify, nullptr, run, 0, 1};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
