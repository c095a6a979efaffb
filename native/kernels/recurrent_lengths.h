// Which rows of the batch a recurrent layer works on at each time step.
//
// Rows come sorted so that their lengths do not grow: those that live in step t are the first alive(t), and what lies behind them
// (in x, y, the gate buffer, and everything else of [T, B, ...]) is neither read nor computed. Where no lengths are given
// all rows live in all steps. Sums over living rows take them step by step, in each in the order of the rows; so the bits
// depend on the lengths alone, and are those of a batch without lengths where all rows are as long as the batch.
//
// To be included inside a target region, after kernels/parallel.h.
#pragma once

#include <algorithm>

#include "kernels/lengths.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Rows of [T * B, ...] that are neighbours.
struct Run {
  int64_t first;
  int64_t rows;
};
struct Runs {
  int64_t count;
  Run list[termBlock];
};

class LivingRows {
 public:
  // `lengths` are checked already, or null.
  LivingRows(const RecurrentProblem& problem, const int32_t* lengths, Layout& workspace) noexcept
      : time_(problem.time), batch_(problem.batch), lengths_(lengths) {
    int64_t* offsets = takeOffsets(problem, workspace);
    offsets_ = offsets;
    if (offsets == nullptr) return;
    int64_t alive = batch_;
    offsets[0] = 0;
    for (int64_t t = 0; t < time_; ++t) {
      while (alive > 0 && lengths[alive - 1] <= t) --alive;
      offsets[t + 1] = offsets[t] + alive;
    }
  }
  static int64_t* takeOffsets(const RecurrentProblem& problem, Layout& workspace) noexcept {
    return problem.ragged ? workspace.take<int64_t>(problem.time + 1) : nullptr;
  }

  // All rows in step -1, before the first; none in step T.
  int64_t alive(int64_t t) const noexcept {
    if (t < 0) return batch_;
    if (t >= time_) return 0;
    return lengths_ == nullptr ? batch_ : offsets_[t + 1] - offsets_[t];
  }
  // Living rows of all steps together.
  int64_t total() const noexcept { return lengths_ == nullptr ? time_ * batch_ : offsets_[time_]; }
  int64_t lengthOf(int64_t row) const noexcept { return lengths_ == nullptr ? time_ : lengths_[row]; }

  // Of some rows: those that live in step t, those whose last step it is, and the steps in which one of them lives.
  Share living(Share rows, int64_t t) const noexcept { return {rows.begin, std::clamp(alive(t), rows.begin, rows.end)}; }
  Share ending(Share rows, int64_t t) const noexcept { return {living(rows, t + 1).end, living(rows, t).end}; }
  int64_t steps(Share rows) const noexcept { return rows.begin == rows.end ? 0 : lengthOf(rows.begin); }

  // The living ones of some rows in some steps as ranges of rows of [T * B, ...], counted from the first step on: one range a step, or
  // one alone where all rows of the batch live in all of them, as neighbouring steps then are neighbours.
  int64_t ranges(Share rows, Share time) const noexcept { return whole(rows, time) ? 1 : time.end - time.begin; }
  Share range(Share rows, Share time, int64_t index) const noexcept {
    if (whole(rows, time)) return {0, (time.end - time.begin) * batch_};
    const Share own = living(rows, time.begin + index);
    return {index * batch_ + own.begin, index * batch_ + own.end};
  }

  // A member's rows, or steps, so that all members have as many living rows at all times.
  Share shareOfRows(const Crew& crew) const noexcept {
    if (lengths_ == nullptr) return crew.share(batch_);
    Share share = {0, batch_};
    int64_t before = 0;
    for (int64_t row = 0; row < batch_; ++row) {
      // A row belongs to the member in whose part its middle lies.
      const int64_t middle = 2 * before + lengths_[row];
      if (middle * crew.members < 2 * total() * crew.member) share.begin = row + 1;
      if (crew.member + 1 < crew.members && middle * crew.members >= 2 * total() * (crew.member + 1)) share.end = std::min(share.end, row);
      before += lengths_[row];
    }
    return share;
  }
  Share shareOfSteps(const Crew& crew) const noexcept {
    if (lengths_ == nullptr) return crew.share(time_);
    const auto boundary = [&](int64_t member) { return std::lower_bound(offsets_, offsets_ + time_, total() * member / crew.members) - offsets_; };
    return {crew.member == 0 ? 0 : boundary(crew.member), crew.member + 1 == crew.members ? time_ : boundary(crew.member + 1)};
  }

  // Up to `termBlock` living rows, counted from the first of all.
  void listRuns(Share terms, Runs* runs) const noexcept {
    runs->count = lengths_ == nullptr ? 1 : 0;
    runs->list[0] = {terms.begin, terms.end - terms.begin};
    if (lengths_ == nullptr) return;
    int64_t t = std::upper_bound(offsets_, offsets_ + time_, terms.begin) - offsets_ - 1;
    for (int64_t at = terms.begin; at < terms.end; ++t) {
      const int64_t end = std::min(terms.end, offsets_[t + 1]), first = t * batch_ + at - offsets_[t];
      Run* before = runs->count > 0 ? &runs->list[runs->count - 1] : nullptr;
      if (before != nullptr && before->first + before->rows == first) before->rows += end - at;
      else runs->list[runs->count++] = {first, end - at};
      at = end;
    }
  }

  // Zeros in the rows of [T, B, columns] that do not live, of some rows in some steps.
  void clearPadding(float* data, int64_t columns, Share rows, Share time) const noexcept {
    for (int64_t t = time.begin; t < time.end && lengths_ != nullptr; ++t) {
      const int64_t first = living(rows, t).end;
      if (first < rows.end) std::memset(data + (t * batch_ + first) * columns, 0, static_cast<std::size_t>((rows.end - first) * columns) * sizeof(float));
    }
  }

 private:
  bool whole(Share rows, Share time) const noexcept { return time.begin < time.end && rows.begin == 0 && living(rows, time.end - 1).end == batch_; }

  int64_t time_, batch_;
  const int32_t* lengths_;
  const int64_t* offsets_;  // living rows of all steps before each
};

// Ids behind the end of a row are not looked at.
inline Status checkIds(const RecurrentProblem& problem, const int32_t* ids, const int32_t* lengths) noexcept {
  for (int64_t position = 0; position < problem.rows(); ++position) {
    const int64_t t = position / problem.batch, row = position % problem.batch;
    if (lengths != nullptr && t >= lengths[row]) continue;
    if (ids[position] < 0 || ids[position] >= problem.inputs)
      return Status::error(Code::outOfRange, "id %d at [%lld, %lld] (time, row) is outside 0..%lld", ids[position], static_cast<long long>(t),
                           static_cast<long long>(row), static_cast<long long>(problem.inputs - 1));
  }
  return Status::ok();
}

// Refuses lengths outside the sequence, rows that are not sorted, and ids outside the kernel's rows.
inline Status checkRows(const Call& call) noexcept {
  const RecurrentProblem problem = recurrentProblem(*call.signature);
  const int32_t* lengths = call.inputIds(inputLengths);
  if (lengths != nullptr) {
    const Status status = checkFallingLengths(lengths, problem.batch, problem.time);
    if (!status.isOk()) return status;
  }
  return problem.ids ? checkIds(problem, call.inputIds(inputX), lengths) : Status::ok();
}

// A transposed tile whose terms are runs: `a` and `b` point to what belongs to row 0.
struct RunsTileOperands : TileOperands {
  const Runs* runs = nullptr;
};
template <int rows, int segments>
__attribute__((noinline)) void runsTile(const RunsTileOperands& operands) noexcept {
  constexpr int vectors = segments * segmentColumns / Vector::width;
  Vector sum[rows][vectors];
  startTile(sum, operands);
  for (int64_t index = 0; index < operands.runs->count; ++index) {
    const Run run = operands.runs->list[index];
    accumulate<rows, vectors, true>(sum, operands.a + run.first * operands.aStride, operands.aStride, operands.b + run.first * operands.bStride,
                                    operands.bStride, run.rows);
  }
  finishTile(sum, operands);
}
struct RunsTile {
  using Operands = RunsTileOperands;
  template <int rows, int segments>
  static void run(const Operands& operands) noexcept { runsTile<rows, segments>(operands); }
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
