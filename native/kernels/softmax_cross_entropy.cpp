// softmaxCrossEntropy: the loss of a softmax against targets and, in the same pass, its gradient.
//
//   inputs   logits [N,V], targets: ids [N] i32, or [N,V] f32; weights? [N] of the rows
//   outputs  loss [1] = s * sum over rows of -weight * sum_j target_j log softmax_j
//            gradient? [N,V] = s * weight * (softmax * sum of targets - target); may be the logits themselves
//   words    f(s), f(smoothing): an id stands for the targets 1 - smoothing at it, and smoothing / V everywhere on top
//
// A row of weight 0 is not looked at: whatever its logits and targets hold, its loss and its gradient are 0.
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
  Check check(signature, 3, 2, 2);
  check.input(0, Dtype::f32).input(1).optionalInput(2, Dtype::f32).output(0, Dtype::f32).optionalOutput(1, Dtype::f32);
  if (check.failed()) return check.status();
  const OperandType &logits = signature.inputs[0], &targets = signature.inputs[1], &weights = signature.inputs[2];
  if (targets.dtype == Dtype::i32) {
    check.that(targets.count() == logits.rows(), "%lld ids for %lld rows", static_cast<long long>(targets.count()), static_cast<long long>(logits.rows()));
  } else {
    check.that(targets.columns() == logits.columns() && targets.count() == logits.count(), "the targets have another shape than the logits");
  }
  check.that(!weights.present || weights.count() == logits.rows(), "%lld weights for %lld rows", static_cast<long long>(weights.count()), static_cast<long long>(logits.rows()));
  check.that(signature.outputs[0].count() == 1, "the loss has more than one element");
  check.that(!signature.outputs[1].present || signature.outputs[1].count() == logits.count(), "the gradient has another shape than the logits");
  if (check.failed()) return check.status();
  piecesOf(signature, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

// The sum of the targets, and of target times (largest - x).
struct Weighted {
  float targets, distances;
};
Weighted weightedDistances(const float* x, const float* targets, float largest, int64_t columns) noexcept {
  const Vector top = broadcast(largest);
  Weighted total = {0.0f, 0.0f};
  for (int64_t start = 0; start < columns; start += softmaxChunk) {
    const int64_t end = columns - start < softmaxChunk ? columns : start + softmaxChunk;
    Lanes16 target = broadcast16(0.0f), distance = target;
    for (int64_t i = start; i < end; i += 16) {
      const int left = static_cast<int>(end - i < 16 ? end - i : 16);
      const Lanes16 t = loadFirst16(targets + i, left), value = loadFirst16(x + i, left);
      target = add(target, t);
      // Lanes beyond the end have the target zero.
      for (int part = 0; part < Lanes16::parts; ++part)
        distance.part[part] = fma(t.part[part], subtract(top, value.part[part]), distance.part[part]);
    }
    const float targetChunk = foldSum(target), distanceChunk = foldSum(distance);
    total.targets = start == 0 ? targetChunk : total.targets + targetChunk;
    total.distances = start == 0 ? distanceChunk : total.distances + distanceChunk;
  }
  return total;
}

// The sum of (largest - x).
float sumOfDistances(const float* x, float largest, int64_t columns) noexcept {
  const Vector top = broadcast(largest);
  float total = 0.0f;
  for (int64_t start = 0; start < columns; start += softmaxChunk) {
    const int64_t end = columns - start < softmaxChunk ? columns : start + softmaxChunk;
    Lanes16 sum = broadcast16(0.0f);
    for (int64_t i = start; i < end; i += 16) {
      const int left = static_cast<int>(end - i < 16 ? end - i : 16);
      Lanes16 distance = loadFirst16(x + i, left);
      for (int part = 0; part < Lanes16::parts; ++part) distance.part[part] = subtract(top, distance.part[part]);
      sum = add(sum, onlyFirst(distance, left));
    }
    total = start == 0 ? foldSum(sum) : total + foldSum(sum);
  }
  return total;
}

// e = factor e - scale targets
void subtractTargets(float* e, const float* targets, float factor, float scale, int64_t columns) noexcept {
  const Vector multiplier = broadcast(factor), targetScale = broadcast(scale);
  for (int64_t i = 0; i < columns; i += Vector::width) {
    const int left = static_cast<int>(columns - i < Vector::width ? columns - i : Vector::width);
    storeFirst(e + i, fnma(targetScale, loadFirst(targets + i, left), multiply(loadFirst(e + i, left), multiplier)), left);
  }
}

// e = factor e - amount
void subtractEvenly(float* e, float factor, float amount, int64_t columns) noexcept {
  const Vector multiplier = broadcast(factor), less = broadcast(-amount);
  for (int64_t i = 0; i < columns; i += Vector::width) {
    const int left = static_cast<int>(columns - i < Vector::width ? columns - i : Vector::width);
    storeFirst(e + i, fma(multiplier, loadFirst(e + i, left), less), left);
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
  const int32_t* ids;      // null: targets
  const float* targets;
  const float* weights;    // null: all are 1
  float* exponentials;     // where the gradient is wanted, else `stride` is 0 and this one row
  int64_t stride;          // of the exponentials
  float* losses;
  int64_t count, columns;
  float scale, smoothing;
  bool gradient;
};

// The ids of rows that count were accepted.
void work(const Rows& rows) noexcept {
  const int64_t columns = rows.columns;
  const float kept = 1.0f - rows.smoothing, everywhere = rows.smoothing / static_cast<float>(columns);
  int64_t counting[largestGroup], count = 0;
  for (int64_t row = 0; row < rows.count; ++row) {
    if (rows.weights == nullptr || rows.weights[row] != 0.0f) {
      counting[count++] = row;
      continue;
    }
    rows.losses[row] = 0.0f;
    if (rows.gradient) std::memset(rows.exponentials + row * rows.stride, 0, static_cast<std::size_t>(columns) * sizeof(float));
  }
  float largest[largestGroup], distances[largestGroup], targets[largestGroup], sums[largestGroup];
  for (int64_t i = 0; i < largestGroup; ++i) sums[i] = 1.0f;
  for (int64_t i = 0; i < count; ++i) largest[i] = rowMaximum(rows.logits + counting[i] * columns, columns);
  for (int64_t i = 0; i < count; ++i) {
    const float* x = rows.logits + counting[i] * columns;
    Weighted weighted = {1.0f, 0.0f};
    if (rows.ids == nullptr) {
      weighted = weightedDistances(x, rows.targets + counting[i] * columns, largest[i], columns);
    } else {
      weighted.distances = largest[i] - x[rows.ids[counting[i]]];
      if (rows.smoothing != 0.0f) weighted.distances = kept * weighted.distances + everywhere * sumOfDistances(x, largest[i], columns);
    }
    targets[i] = weighted.targets;
    distances[i] = weighted.distances;
  }
  for (int64_t i = 0; i < count; ++i) {
    sums[i] = rowExponentials(rows.logits + counting[i] * columns, largest[i], rows.exponentials + counting[i] * rows.stride, columns);
  }
  float logarithms[largestGroup];
  for (int64_t i = 0; i < largestGroup; i += Vector::width) store(logarithms + i, log(load(sums + i)));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = counting[i];
    const float loss = rows.ids != nullptr ? logarithms[i] + distances[i] : targets[i] * logarithms[i] + distances[i];
    rows.losses[row] = rows.weights == nullptr ? loss : rows.weights[row] * loss;
    if (!rows.gradient) continue;
    float* e = rows.exponentials + row * rows.stride;
    const float scale = rows.weights == nullptr ? rows.scale : rows.scale * rows.weights[row];
    if (rows.ids == nullptr) {
      subtractTargets(e, rows.targets + row * columns, scale * targets[i] / sums[i], scale, columns);
    } else if (rows.smoothing == 0.0f) {
      rowScale(e, scale / sums[i], columns);
      e[rows.ids[row]] -= scale;
    } else {
      subtractEvenly(e, scale / sums[i], scale * everywhere, columns);
      e[rows.ids[row]] -= scale * kept;
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
  const float* const weights = signature.inputs[2].present ? call.input(2) : nullptr;
  float scale, smoothing;
  std::memcpy(&scale, signature.words.data, sizeof scale);
  std::memcpy(&smoothing, signature.words.data + 1, sizeof smoothing);
  IdCheck ids(byId ? call.inputIds(1) : nullptr, columns);
  float* const losses = piecesOf(signature, 0, call.workspace, nullptr).losses;
  shareWork(*call.team, 30.0 * static_cast<double>(rows) + 0.25 * static_cast<double>(rows * columns), [&](const Crew& crew) {
    float* const ownRow = piecesOf(signature, crew.member, call.workspace, nullptr).row;
    const int64_t group = groupOf(columns);
    const Share share = crew.share(rows, group);
    for (int64_t row = share.begin; row < share.end; row += group) {
      const int64_t count = share.end - row < group ? share.end - row : group;
      bool accepted = true;
      for (int64_t i = row; byId && i < row + count; ++i) {
        accepted = ((weights != nullptr && weights[i] == 0.0f) || ids.accepts(i)) && accepted;
      }
      if (!accepted) continue;
      work({call.input(0) + row * columns, byId ? call.inputIds(1) + row : nullptr, byId ? nullptr : call.input(1) + row * columns,
            weights == nullptr ? nullptr : weights + row, gradient ? call.output(1) + row * columns : ownRow, gradient ? columns : 0,
            losses + row, count, columns, scale, smoothing, gradient});
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
