// embedding: rows of a table.
//
//   inputs   ids [...] i32, table [V,E]
//   outputs  y [...,E]
//   words    none
#include "kernels/copy_rows.h"
#include "kernels/ids.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 2, 1, 0);
  check.input(0, Dtype::i32).input(1, Dtype::f32).output(0, Dtype::f32);
  if (check.failed()) return check.status();
  const OperandType &ids = signature.inputs[0], &table = signature.inputs[1], &y = signature.outputs[0];
  check.that(table.rank == 2, "the table has the rank %d", table.rank);
  check.that(y.columns() == table.columns() && y.rows() == ids.count(), "the output has not one row of the table for each id");
  return check.status();
}

Status run(const Call& call) noexcept {
  const OperandType& table = call.signature->inputs[1];
  const int64_t positions = call.signature->inputs[0].count(), columns = table.columns();
  const std::size_t bytes = static_cast<std::size_t>(columns) * sizeof(float);
  IdCheck ids(call.inputIds(0), table.rows());
  shareWork(*call.team, copyTime(positions * columns), [&](const Crew& crew) {
    const Share share = crew.share(positions);
    for (int64_t position = share.begin; position < share.end; ++position) {
      if (!ids.accepts(position)) continue;
      std::memcpy(call.output(0) + position * columns, call.input(1) + call.inputIds(0)[position] * columns, bytes);
    }
  });
  return ids.status();
}

}  // namespace

extern const Kernel embedding;
const Kernel embedding = {"embedding", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
