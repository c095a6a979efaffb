// embeddingGradient: the gradient of a table, from that of its rows where they were used.
//
//   inputs   ids [...] i32, dy [...,E]
//   outputs  dTable [V,E]
//   words    none
//
// Positions are grouped by id with a counting sort; then each row of the table is written once: the sum of dy over its
// positions in their order, or zeros.
#include "kernels/ids.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

struct Groups {
  int32_t* ends;       // [V]: where the positions of each id end in `positions`
  int32_t* positions;  // [N], by id, then in order
};

Groups groupsOf(const Signature& signature, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  Groups groups;
  groups.ends = layout.take<int32_t>(signature.outputs[0].rows());
  groups.positions = layout.take<int32_t>(signature.inputs[0].count());
  if (bytes != nullptr) *bytes = layout.bytes();
  return groups;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, 2, 1, 0);
  check.input(0, Dtype::i32).input(1, Dtype::f32).output(0, Dtype::f32);
  if (check.failed()) return check.status();
  const OperandType &ids = signature.inputs[0], &dy = signature.inputs[1], &table = signature.outputs[0];
  check.that(table.rank == 2, "the table has the rank %d", table.rank);
  check.that(dy.columns() == table.columns() && dy.rows() == ids.count(), "dy has not one row of the table for each id");
  check.that(ids.count() < INT32_MAX && table.rows() < INT32_MAX, "too many ids");
  if (check.failed()) return check.status();
  groupsOf(signature, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

void group(const int32_t* ids, int64_t positions, int64_t rows, const Groups& groups) noexcept {
  std::memset(groups.ends, 0, static_cast<std::size_t>(rows) * sizeof(int32_t));
  for (int64_t position = 0; position < positions; ++position) ++groups.ends[ids[position]];
  int32_t start = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int32_t count = groups.ends[row];
    groups.ends[row] = start;
    start += count;
  }
  for (int64_t position = 0; position < positions; ++position) groups.positions[groups.ends[ids[position]]++] = static_cast<int32_t>(position);
}

int64_t startOf(const Groups& groups, int64_t row) noexcept { return row == 0 ? 0 : groups.ends[row - 1]; }

// The first row of member `member`: as many rows and positions before it as are its share, so that a few frequent ids do
// not all fall to one member.
int64_t firstRowOf(const Groups& groups, int64_t positions, int64_t rows, int member, int members) noexcept {
  const int64_t wanted = (positions + rows) * member / members;
  int64_t low = 0, high = rows;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (startOf(groups, middle) + middle < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Up to four vectors of columns at once, in registers.
template <int vectors>
MNEME_INLINE void sumColumns(const int32_t* positions, int64_t count, const float* dy, int64_t columns, float* sums) noexcept {
  Vector total[vectors];
  for (int v = 0; v < vectors; ++v) total[v] = zero();
  for (int64_t i = 0; i < count; ++i) {
    const float* source = dy + positions[i] * columns;
    for (int v = 0; v < vectors; ++v) total[v] = add(total[v], load(source + v * Vector::width));
  }
  for (int v = 0; v < vectors; ++v) store(sums + v * Vector::width, total[v]);
}

void sumRow(const int32_t* positions, int64_t count, const float* dy, int64_t columns, float* sums) noexcept {
  int64_t column = 0;
  for (; column + 4 * Vector::width <= columns; column += 4 * Vector::width) sumColumns<4>(positions, count, dy + column, columns, sums + column);
  for (; column + Vector::width <= columns; column += Vector::width) sumColumns<1>(positions, count, dy + column, columns, sums + column);
  if (column == columns) return;
  const int left = static_cast<int>(columns - column);
  Vector total = zero();
  for (int64_t i = 0; i < count; ++i) total = add(total, loadFirst(dy + positions[i] * columns + column, left));
  storeFirst(sums + column, total, left);
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const int64_t positions = signature.inputs[0].count(), rows = signature.outputs[0].rows(), columns = signature.outputs[0].columns();
  IdCheck ids(call.inputIds(0), rows);
  bool accepted = true;
  for (int64_t position = 0; position < positions; ++position) accepted = ids.accepts(position) && accepted;
  if (!accepted) return ids.status();
  const Groups groups = groupsOf(signature, call.workspace, nullptr);
  group(call.inputIds(0), positions, rows, groups);
  shareWork(*call.team, 0.1 * static_cast<double>((positions + rows) * columns), [&](const Crew& crew) {
    const int64_t end = firstRowOf(groups, positions, rows, crew.member + 1, crew.members);
    for (int64_t row = firstRowOf(groups, positions, rows, crew.member, crew.members); row < end; ++row) {
      const int64_t start = startOf(groups, row);
      sumRow(groups.positions + start, groups.ends[row] - start, call.input(1), columns, call.output(0) + row * columns);
    }
  });
  return Status::ok();
}

}  // namespace

extern const Kernel embeddingGradient;
const Kernel embeddingGradient = {"embeddingGradient", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
