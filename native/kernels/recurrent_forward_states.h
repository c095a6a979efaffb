// The states of a recurrent layer on its way forward: where they are, and what becomes of what a cell has left.
//
// To be included inside a target region, after kernels/operands.h and kernels/parallel.h.
#pragma once

#include "kernels/recurrent_expressions.h"
#include "kernels/recurrent_plan.h"
#include "kernels/recurrent_states.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// The workspace.
struct ForwardSpace {
  float* zeros = nullptr;        // a row
  float* gates = nullptr;        // of one group of steps; without a tape
  float* cell = nullptr;         // c, without a tape
  // Without a tape: new c before a share of the old one is kept; o output(c) before it is projected; what products read, in turn.
  float *candidates = nullptr, *unprojected = nullptr, *fed[2] = {};
  float* resetHidden = nullptr;  // r h of the current step
  ExpressionCells* cells = nullptr;  // of each member

  ForwardSpace(const RecurrentProblem& problem, bool tape, int members, Layout& layout, bool build) noexcept {
    zeros = layout.take<float>(std::max(problem.paddedUnits(), problem.paddedHidden()));
    if (!tape) gates = layout.take<float>(problem.gateFloats(stepsAtOnce(problem) * problem.batch));
    if (!tape && problem.lstm()) cell = layout.take<float>(problem.batch * problem.units);
    if (!tape && problem.lstm() && problem.keepsCandidates()) candidates = layout.take<float>(problem.batch * problem.units);
    if (!tape && problem.projected) unprojected = layout.take<float>(problem.batch * problem.units);
    for (float*& one : fed)
      if (!tape && problem.masked) one = layout.take<float>(problem.batch * problem.hidden);
    if (problem.resetBefore()) resetHidden = layout.take<float>(problem.batch * problem.units);
    if (!problem.fast()) cells = buildExpressionCells(problem, members, layout, build);
  }
};

class ForwardStates {
 public:
  ForwardStates(const Call& call, const RecurrentProblem& problem, float* tape, const ForwardSpace& space) noexcept
      : call_(call), problem_(problem), tape_(tape), space_(space) {}

  float* hiddenAt(int64_t t) const noexcept { return call_.output(outputY) + t * problem_.batch * problem_.hidden; }
  // States of step t on the tape, or without one those of the current step.
  float* statesAt(int64_t onTape, int64_t columns, int64_t t, float* current) const noexcept {
    return tape_ != nullptr ? tape_ + onTape + t * problem_.batch * columns : current;
  }
  float* cellAt(int64_t t) const noexcept { return statesAt(problem_.cellsAt(), problem_.units, t, space_.cell); }
  float* unprojectedAt(int64_t t) const noexcept { return statesAt(problem_.unprojectedAt(), problem_.units, t, space_.unprojected); }
  float* candidatesAt(int64_t t) const noexcept { return statesAt(problem_.candidatesAt(), problem_.units, t, space_.candidates); }
  float* fedAt(int64_t t) const noexcept { return statesAt(problem_.fedAt(), problem_.hidden, t, space_.fed[t % 2]); }
  // Where the cell of step t leaves its h, and its c.
  float* cellHiddenAt(int64_t t) const noexcept {
    if (problem_.projected) return unprojectedAt(t);
    return tape_ != nullptr && !problem_.lstm() && problem_.keepsCandidates() ? candidatesAt(t) : hiddenAt(t);
  }
  float* newCellAt(int64_t t) const noexcept { return problem_.keepsCandidates() ? candidatesAt(t) : cellAt(t); }
  // Null before the first step of a sequence that starts from zero.
  const float* hiddenBefore(int64_t t) const noexcept { return t > 0 ? hiddenAt(t - 1) : call_.input(inputInitialHidden); }

  // What the products of step t read.
  const float* fedBefore(int64_t t) const noexcept {
    const float* before = hiddenBefore(t);
    return before != nullptr && problem_.masked ? fedAt(t) : before;
  }
  GivenStates orZeros(const float* states, int64_t columns) const noexcept {
    return states == nullptr ? GivenStates{space_.zeros, 0} : GivenStates{states, columns};
  }

  GivenStates cellBefore(int64_t t) const noexcept { return orZeros(t > 0 ? cellAt(t - 1) : call_.input(inputInitialCell), problem_.units); }

  // What the cell has left of step t becomes its states.
  void finishUnits(const Region& region, int64_t t) const noexcept {
    if (problem_.cellKeep != Keep::none)
      keepStates(region, {problem_, problem_.cellKeep, call_.input(inputCellKeep), problem_.units, t}, cellBefore(t), {newCellAt(t), problem_.units},
                 {cellAt(t), problem_.units});
    if (!problem_.projected) finishHidden(region, t, {cellHiddenAt(t), problem_.units});
  }
  void finishHidden(const Region& region, int64_t t, const GivenStates& candidates) const noexcept {
    const States hidden = {hiddenAt(t), problem_.hidden};
    if (problem_.hiddenKeep != Keep::none)
      keepStates(region, {problem_, problem_.hiddenKeep, call_.input(inputHiddenKeep), problem_.hidden, t}, orZeros(hiddenBefore(t), problem_.hidden),
                 candidates, hidden);
    if (problem_.masked && t + 1 < problem_.time) feed(region, t + 1, {hidden.data, hidden.stride});
  }
  void feed(const Region& region, int64_t t, const GivenStates& hidden) const noexcept {
    maskStates(region, {call_.input(inputRecurrentMask), problem_.hidden}, hidden, {fedAt(t), problem_.hidden});
  }

 private:
  const Call& call_;
  const RecurrentProblem& problem_;
  float* const tape_;  // or null
  const ForwardSpace& space_;
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
