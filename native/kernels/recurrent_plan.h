// How the work of a recurrent layer is cut: in time, and among the team.
//
// To be included inside a target region, after kernels/parallel.h.
#pragma once

#include "kernels/recurrent_problem.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Terms of a long product in one go: 256 terms of a panel are 64 KB, which stay in the second-level cache while the rows pass.
constexpr int64_t termBlock = 256;

// Time steps whose input product runs at once: some 256 rows, whose gates are then still in the cache when their step comes.
inline int64_t stepsAtOnce(const RecurrentProblem& problem) noexcept {
  const int64_t steps = termBlock / problem.batch;
  return steps < 1 ? 1 : steps < problem.time ? steps : problem.time;
}

enum class Split { none, rows, units };

constexpr double alwaysShared = 1e9;

inline Split splitOf(const RecurrentProblem& problem, int threads) noexcept {
  if (threads == 1) return Split::none;
  if (problem.batch >= 8 * threads) return Split::rows;
  return problem.panels() >= threads ? Split::units : Split::none;
}

// Packing moves 8 bytes a float at some 20 GB/s.
inline double packingTime(const RecurrentProblem& problem) noexcept {
  return 0.4 * static_cast<double>((problem.inputs + problem.hidden) * problem.width());
}

// Whether the stream is being torn down. Members that meet at barriers must all see it at the same one.
class StopFlag {
 public:
  bool seen(const Team& team) const noexcept { return team.stopping(); }

  // A barrier, and the answer that member 0 had before it. Two flags in turn: one is written while the other may be read.
  bool seenTogether(const Crew& crew, int64_t step) noexcept {
    std::atomic<bool>& flag = flags_[step & 1];
    if (crew.member == 0) flag.store(crew.team->stopping(), std::memory_order_relaxed);
    crew.barrier();
    return flag.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> flags_[2] = {};
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
