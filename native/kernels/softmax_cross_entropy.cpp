// softmaxCrossEntropy: the loss of a softmax against targets and, in the same pass, its gradient.
//
//   inputs   logits [N,V], targets: ids [N] i32, or weights [N,V] f32
//   outputs  loss [1] = s * sum over rows of -sum_j target_j log softmax_j
//            gradient? [N,V] = s * (softmax * sum of targets - target); may be the logits themselves
//   words    f(s)
//
// The exponentials lie where the gradient will; without a gradient, in one row for each member. Beside them only the loss of
// each row is kept, to be added up in order.
#include "kernels/ids.h"
#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/softmax_row.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

struct Pieces {
  float* losses;  // [N], of all members
  float* row;     // [V], where there is no gradient
};

Pieces piecesOf(const Signature& signature, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  Pieces pieces{};
  pieces.losses = layout.take<float>(signature.inputs[0].rows());
  if (!signature.outputs[1].present) {
    for (int before = 0; before <= member; ++before) pieces.row = layout.take<float>(signature.inputs[0].columns());
  }
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, 2, 2, 1);
  check.input(0, Dtype::f32).input(1).output(0, Dtype::f32).optionalOutput(1, Dtype::f32);
  if (check.failed()) return check.status();
  const OperandType &logits = signature.inputs[0], &targets = signature.inputs[1];
  if (targets.dtype == Dtype::i32) {
    check.that(targets.count() == logits.rows(), "%lld ids for %lld rows", static_cast<long long>(targets.count()), static_cast<long long>(logits.rows()));
  } else {
    check.that(targets.columns() == logits.columns() && targets.count() == logits.count(), "the targets have another shape than the logits");
  }
  check.that(signature.outputs[0].count() == 1, "the loss has more than one element");
  check.that(!signature.outputs[1].present || signature.outputs[1].count() == logits.count(), "the gradient has another shape than the logits");
  if (check.failed()) return check.status();
  piecesOf(signature, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

// The sum of the weights, and of weight times (largest - x).
struct Weighted {
  float weights, distances;
};
Weighted weightedDistances(const float* x, const float* weights, float largest, int64_t columns) noexcept {
  const Vector top = broadcast(largest);
  Weighted total = {0.0f, 0.0f};
  for (int64_t start = 0; start < columns; start += softmaxChunk) {
    const int64_t end = columns - start < softmaxChunk ? columns : start + softmaxChunk;
    Lanes16 weight = broadcast16(0.0f), distance = weight;
    for (int64_t i = start; i < end; i += 16) {
      const int left = static_cast<int>(end - i < 16 ? end - i : 16);
      const Lanes16 w = loadFirst16(weights + i, left), value = loadFirst16(x + i, left);
      weight = add(weight, w);
      // Lanes beyond the end have weight zero.
      for (int part = 0; part < Lanes16::parts; ++part)
        distance.part[part] = fma(w.part[part], subtract(top, value.part[part]), distance.part[part]);
    }
    const float weightChunk = foldSum(weight), distanceChunk = foldSum(distance);
    total.weights = start == 0 ? weightChunk : total.weights + weightChunk;
    total.distances = start == 0 ? distanceChunk : total.distances + distanceChunk;
  }
  return total;
}

// e = factor e - scale weights
void subtractWeights(float* e, const float* weights, float factor, float scale, int64_t columns) noexcept {
  const Vector multiplier = broadcast(factor), weightScale = broadcast(scale);
  for (int64_t i = 0; i < columns; i += Vector::width) {
    const int left = static_cast<int>(columns - i < Vector::width ? columns - i : Vector::width);
    storeFirst(e + i, fnma(weightScale, loadFirst(weights + i, left), multiply(loadFirst(e + i, left), multiplier)), left);
  }
}

// A few rows at a time, each step for all of them: one row is a chain in which every step waits for the last, several
// keep the processor busy. So many that their exponentials stay in the first-level cache.
constexpr int64_t largestGroup = 16;
constexpr int64_t groupElements = 4096;

int64_t groupOf(int64_t columns) noexcept {
  const int64_t rows = groupElements / columns;
  return rows < 1 ? 1 : rows < largestGroup ? rows : largestGroup;
}

struct Rows {
  const float* logits;
  const int32_t* ids;      // null: weights
  const float* weights;
  float* exponentials;     // where the gradient is wanted, else `stride` is 0 and this one row
  int64_t stride;          // of the exponentials
  float* losses;
  int64_t count, columns;
  float scale;
  bool gradient;
};

// The ids were accepted.
void work(const Rows& rows) noexcept {
  float largest[largestGroup], distances[largestGroup], weights[largestGroup], sums[largestGroup];
  const int64_t columns = rows.columns;
  for (int64_t row = 0; row < largestGroup; ++row) sums[row] = 1.0f;
  for (int64_t row = 0; row < rows.count; ++row) largest[row] = rowMaximum(rows.logits + row * columns, columns);
  for (int64_t row = 0; row < rows.count; ++row) {
    const float* x = rows.logits + row * columns;
    const Weighted weighted = rows.ids != nullptr ? Weighted{1.0f, largest[row] - x[rows.ids[row]]}
                                                  : weightedDistances(x, rows.weights + row * columns, largest[row], columns);
    weights[row] = weighted.weights;
    distances[row] = weighted.distances;
  }
  for (int64_t row = 0; row < rows.count; ++row) {
    sums[row] = rowExponentials(rows.logits + row * columns, largest[row], rows.exponentials + row * rows.stride, columns);
  }
  float logarithms[largestGroup];
  for (int64_t row = 0; row < largestGroup; row += Vector::width) store(logarithms + row, log(load(sums + row)));
  for (int64_t row = 0; row < rows.count; ++row) {
    rows.losses[row] = rows.ids != nullptr ? logarithms[row] + distances[row] : weights[row] * logarithms[row] + distances[row];
    if (!rows.gradient) continue;
    float* e = rows.exponentials + row * rows.stride;
    if (rows.ids != nullptr) {
      rowScale(e, rows.scale / sums[row], columns);
      e[rows.ids[row]] -= rows.scale;
    } else {
      subtractWeights(e, rows.weights + row * columns, rows.scale * weights[row] / sums[row], rows.scale, columns);
    }
  }
}

float sumInOrder(const float* x, int64_t count) noexcept {
  float total = 0.0f;
  for (int64_t start = 0; start < count; start += softmaxChunk) {
    const int64_t end = count - start < softmaxChunk ? count : start + softmaxChunk;
    Lanes16 sum = broadcast16(0.0f);
    for (int64_t i = start; i < end; i += 16) sum = add(sum, loadFirst16(x + i, static_cast<int>(end - i < 16 ? end - i : 16)));
    total = start == 0 ? foldSum(sum) : total + foldSum(sum);
  }
  return total;
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const int64_t rows = signature.inputs[0].rows(), columns = signature.inputs[0].columns();
  const bool byId = signature.inputs[1].dtype == Dtype::i32, gradient = signature.outputs[1].present;
  float scale;
  std::memcpy(&scale, signature.words.data, sizeof scale);
  IdCheck ids(byId ? call.inputIds(1) : nullptr, columns);
  float* const losses = piecesOf(signature, 0, call.workspace, nullptr).losses;
  shareWork(*call.team, 30.0 * static_cast<double>(rows) + 0.25 * static_cast<double>(rows * columns), [&](const Crew& crew) {
    float* const ownRow = piecesOf(signature, crew.member, call.workspace, nullptr).row;
    const int64_t group = groupOf(columns);
    const Share share = crew.share(rows, group);
    for (int64_t row = share.begin; row < share.end; row += group) {
      const int64_t count = share.end - row < group ? share.end - row : group;
      bool accepted = true;
      for (int64_t i = 0; byId && i < count; ++i) accepted = ids.accepts(row + i) && accepted;
      if (!accepted) continue;
      work({call.input(0) + row * columns, byId ? call.inputIds(1) + row : nullptr, byId ? nullptr : call.input(1) + row * columns,
            gradient ? call.output(1) + row * columns : ownRow, gradient ? columns : 0, losses + row, count, columns, scale, gradient});
    }
    crew.barrier();
    if (crew.member == 0 && ids.status().isOk()) *call.output(0) = scale * sumInOrder(losses, rows);
  });
  return ids.status();
}

}  // namespace

extern const Kernel softmaxCrossEntropy;
const Kernel softmaxCrossEntropy = {"softmaxCrossEntropy", verify, nullptr, run, 0, 1};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
