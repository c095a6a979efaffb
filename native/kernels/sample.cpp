// sample: an id drawn for each row of logits.
//
//   inputs   logits [B,V], settings [3] f32 (temperature, topP, topK), seed [2] i32, step [1] i32
//   outputs  ids [B] i32
//   words    none
//
// The rule is that of docs/architecture.md. Temperature 0 takes the first largest logit. Otherwise weights are
// e^((logit - largest) / temperature); candidates stand by falling logit, equal ones by rising id; the first topK stay (0:
// all), of these the shortest beginning whose weights sum to at least topP times their total (1 or more: all). Among those,
// walked by rising id, the first whose running sum exceeds u times their total is drawn, u being the row's uniform number. A row
// with NaN, or without a finite largest logit, gives -1. Sums are in double precision, one after another. (Sorting takes
// comparisons of its own, so that what the standard library makes of them is this file's own too.)
#include <algorithm>

#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/philox.h"
#include "kernels/softmax_row.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

struct Settings {
  float temperature;
  float topP;  // 1 or more: all
  int64_t topK;  // at least 1; V: all
};

struct Pieces {
  float* weights;       // [V]
  int32_t* candidates;  // [V]
};

Pieces piecesOf(const Signature& signature, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  const int64_t columns = signature.inputs[0].columns();
  Pieces pieces{};
  for (int before = 0; before <= member; ++before) {
    pieces.weights = layout.take<float>(columns);
    pieces.candidates = layout.take<int32_t>(columns);
  }
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, 4, 1, 0);
  check.input(0, Dtype::f32).input(1, Dtype::f32).input(2, Dtype::i32).input(3, Dtype::i32).output(0, Dtype::i32);
  if (check.failed()) return check.status();
  check.that(signature.inputs[0].columns() < INT32_MAX, "too many logits");
  check.that(signature.inputs[1].count() == 3, "the settings are not temperature, topP and topK");
  check.that(signature.inputs[2].count() == 2, "the seed has not two words");
  check.that(signature.inputs[3].count() == 1, "the step has more than one element");
  check.that(signature.outputs[0].count() == signature.inputs[0].rows(), "the output has not one id for each row");
  if (check.failed()) return check.status();
  piecesOf(signature, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

Settings settingsOf(const float* values, int64_t columns) noexcept {
  Settings settings = {values[0], values[1] < 1.0f ? values[1] : 1.0f, columns};
  if (values[2] >= 1.0f && values[2] < static_cast<float>(columns)) settings.topK = static_cast<int64_t>(values[2]);
  return settings;
}

// The first of the largest; -1 where a logit is NaN or the largest is infinite.
int32_t largestId(const float* x, int64_t columns) noexcept {
  int64_t largest = 0;
  bool valid = true;
  for (int64_t i = 0; i < columns; ++i) {
    valid = valid && x[i] == x[i];
    if (x[i] > x[largest]) largest = i;
  }
  return valid && x[largest] - x[largest] == 0.0f ? static_cast<int32_t>(largest) : -1;
}

// Brings the first `count` of the candidates that stand in `order` to the front, in that order.
template <typename Order>
void bringForward(int32_t* candidates, int64_t count, int64_t all, Order order) noexcept {
  if (count < all) std::nth_element(candidates, candidates + count, candidates + all, order);
  std::sort(candidates, candidates + count, order);
}

// Puts the candidates that stay at the front of `candidates`, by rising id, and returns how many.
int64_t keep(const float* x, const float* weights, int64_t columns, const Settings& settings, int32_t* candidates) noexcept {
  const auto stands = [x](int32_t a, int32_t b) { return x[a] > x[b] || (x[a] == x[b] && a < b); };
  const auto rises = [](int32_t a, int32_t b) { return a < b; };
  for (int64_t i = 0; i < columns; ++i) candidates[i] = static_cast<int32_t>(i);
  int64_t kept = settings.topK;
  if (kept < columns) {
    std::nth_element(candidates, candidates + kept, candidates + columns, stands);
    std::sort(candidates, candidates + kept, rises);
  }
  if (!(settings.topP < 1.0f)) return kept;
  double total = 0.0, running = 0.0;
  for (int64_t i = 0; i < kept; ++i) total += weights[candidates[i]];
  const double wanted = settings.topP * total;
  // Mostly a few candidates have most of the weight: twice as many are sorted each time they were not enough.
  int64_t stay = 0, sorted = 0;
  for (int64_t next = 64; stay < kept && (stay == 0 || running < wanted); ++stay) {
    if (stay == sorted) {
      sorted = kept - sorted < next ? kept : sorted + next;
      bringForward(candidates + stay, sorted - stay, kept - stay, stands);
      next *= 2;
    }
    running += weights[candidates[stay]];
  }
  std::sort(candidates, candidates + stay, rises);
  return stay;
}

int32_t draw(const float* x, int64_t columns, const Settings& settings, float u, const Pieces& pieces) noexcept {
  const int32_t largest = largestId(x, columns);
  if (largest < 0 || !(settings.temperature > 0.0f)) return largest;
  const Vector top = broadcast(x[largest]), temperature = broadcast(settings.temperature);
  for (int64_t i = 0; i < columns; i += Vector::width) {
    const int left = static_cast<int>(columns - i < Vector::width ? columns - i : Vector::width);
    storeFirst(pieces.weights + i, exp(divide(subtract(loadFirst(x + i, left), top), temperature)), left);
  }
  const bool all = settings.topK == columns && !(settings.topP < 1.0f);
  const int64_t kept = all ? columns : keep(x, pieces.weights, columns, settings, pieces.candidates);
  const auto candidate = [&](int64_t i) { return all ? static_cast<int32_t>(i) : pieces.candidates[i]; };
  double total = 0.0, running = 0.0;
  for (int64_t i = 0; i < kept; ++i) total += pieces.weights[candidate(i)];
  for (int64_t i = 0; i < kept; ++i) {
    running += pieces.weights[candidate(i)];
    if (running > u * total) return candidate(i);
  }
  return candidate(kept - 1);
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const int64_t rows = signature.inputs[0].rows(), columns = signature.inputs[0].columns();
  const Settings settings = settingsOf(call.input(1), columns);
  const int32_t* seed = call.inputIds(2);
  const PhiloxStream stream = {static_cast<uint32_t>(seed[0]), static_cast<uint32_t>(seed[1]), static_cast<uint32_t>(*call.inputIds(3)), 0};
  // A row is one member's.
  shareWork(*call.team, rows == 1 ? 0.0 : 3.0 * static_cast<double>(rows * columns), [&](const Crew& crew) {
    const Pieces pieces = piecesOf(signature, crew.member, call.workspace, nullptr);
    const Share share = crew.share(rows);
    for (int64_t row = share.begin; row < share.end; ++row) {
      call.outputIds(0)[row] = draw(call.input(0) + row * columns, columns, settings, uniformElement(stream, row), pieces);
    }
  });
  return Status::ok();
}

}  // namespace

extern const Kernel sample;
const Kernel sample = {"sample", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
