// The gradients of a recurrent layer's states on the way back: where they are, and what joins or leaves them between the products
// and the cells.
//
// To be included inside a target region, after kernels/operands.h and kernels/parallel.h.
#pragma once

#include "kernels/recurrent_expressions.h"
#include "kernels/recurrent_gradients.h"
#include "kernels/recurrent_states.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

struct BackwardSpace {
  float* zeros = nullptr;        // a row
  float* carry = nullptr;        // [B][units rounded up to 16]: dc (LSTM), the direct part of dh (GRU)
  float* resetHidden = nullptr;  // r h of all steps
  // What of dh and dc goes to the old states of which shares are kept, rows as in `carry`; dh before the projection, of all steps.
  float *toOldHidden = nullptr, *toOldCell = nullptr, *dProjected = nullptr;
  ExpressionCells* cells = nullptr;  // of each member
  GradientSums sums;

  BackwardSpace(const RecurrentProblem& problem, int members, Layout& layout, bool build) noexcept : sums(problem, layout) {
    zeros = layout.take<float>(std::max(problem.paddedUnits(), problem.paddedHidden()));
    if (problem.hiddenKeep != Keep::none) toOldHidden = layout.take<float>(problem.batch * problem.paddedHidden());
    if (problem.cellKeep != Keep::none) toOldCell = layout.take<float>(problem.batch * problem.paddedUnits());
    if (problem.projected) dProjected = layout.take<float>(problem.rows() * problem.paddedHidden());
    if (problem.cell != CellKind::simple) carry = layout.take<float>(problem.batch * problem.paddedUnits());
    if (problem.resetBefore()) resetHidden = layout.take<float>(problem.rows() * problem.units);
    if (!problem.fast()) cells = buildExpressionCells(problem, members, layout, build);
  }
};

// Columns of the hidden state, or units, there are in some segments from one on.
inline int columnsOf(int64_t all, int64_t first, int segments) noexcept {
  return static_cast<int>(std::min<int64_t>(segments * segmentColumns, all - first * segmentColumns));
}

class BackwardStates {
 public:
  BackwardStates(const Call& call, const RecurrentProblem& problem, float* tape, const BackwardSpace& space) noexcept
      : call_(call), problem_(problem), tape_(tape), space_(space) {}

  float* gatesAt(int64_t panel, int64_t t, int64_t row) const noexcept {
    return tape_ + (panel * problem_.rows() + t * problem_.batch + row) * panelColumns;
  }
  int64_t hiddenAt(int64_t t, int64_t row) const noexcept { return (t * problem_.batch + row) * problem_.hidden; }
  int64_t unitsAt(int64_t t, int64_t row) const noexcept { return (t * problem_.batch + row) * problem_.units; }
  float* carryAt(int64_t row) const noexcept { return space_.carry + row * problem_.paddedUnits(); }
  GivenStates orZeros(const float* states, int64_t columns) const noexcept {
    return states == nullptr ? GivenStates{space_.zeros, 0} : GivenStates{states, columns};
  }
  Kept hiddenKeptAt(int64_t t) const noexcept { return {problem_, problem_.hiddenKeep, call_.input(inputHiddenKeep), problem_.hidden, t}; }
  Kept cellKeptAt(int64_t t) const noexcept { return {problem_, problem_.cellKeep, call_.input(inputCellKeep), problem_.units, t}; }

  float* projectedAt(int64_t t, int64_t row) const noexcept { return space_.dProjected + (t * problem_.batch + row) * problem_.paddedHidden(); }

  // To a product with the transposed recurrent weights, which is all that comes from the step after t by way of them, everything
  // else that dh of step t (or before the first one, -1) is made of.
  void addToProduct(float* tile, int64_t t, int64_t first, int count, int64_t row, int taken) const noexcept {
    const float* dy = t < 0 ? nullptr : call_.input(inputDy);
    const Region region = {row, first * segmentColumns, taken, count * segmentColumns};
    const int64_t columns = problem_.hidden;
    region.forVectors([&](int64_t at, int64_t column, int) {
      float* to = tile + (at - row) * panelColumns + column - region.column;
      const int lanes = static_cast<int>(std::min<int64_t>(columns - column, Vector::width));
      Vector d = load(to);
      if (problem_.masked) d = multiply(d, loadLanes<false>(call_.input(inputRecurrentMask) + at * columns + column, lanes));
      if (problem_.gru()) d = add(d, load(carryAt(at) + column));
      if (space_.toOldHidden != nullptr) d = add(d, load(space_.toOldHidden + at * problem_.paddedHidden() + column));
      if (dy != nullptr) d = add(d, loadLanes<false>(dy + hiddenAt(t, at) + column, lanes));
      store(to, d);
    });
  }

  // Where all of the old states is kept the cell's own gradients are 0, whatever it computed there.
  void clearCells(const Region& region, const CellRows& step, int64_t t) const noexcept {
    if (problem_.hiddenKeep == Keep::none || (problem_.lstm() && problem_.cellKeep == Keep::none)) return;
    if (problem_.projected && problem_.hiddenKeep == Keep::elements) return;  // every unit has to do with every column
    const Kept hidden = hiddenKeptAt(t), cell = cellKeptAt(t);
    // Segments with gradients: of a GRU that resets before the product r is still to come.
    const int segments = problem_.cell == CellKind::simple ? 1 : problem_.resetBefore() ? 2 : panelSegments;
    region.forVectors([&](int64_t row, int64_t unit, int lanes) {
      Mask kept = equal(hidden.at(row, unit), broadcast(1.0f));
      if (problem_.lstm()) kept = both(kept, equal(cell.at(row, unit), broadcast(1.0f)));
      const int64_t panel = unit / problem_.panelUnits();
      float* gates = gatesAt(panel, t, row) + unit - panel * problem_.panelUnits();
      for (int s = 0; s < segments; ++s) clearWhere(kept, gates + s * segmentColumns, lanes);
      if (space_.carry != nullptr) clearWhere(kept, carryAt(row) + unit, lanes);
      if (problem_.peepholes) clearWhere(kept, step.cell + row * problem_.units + unit, lanes);
      if (problem_.projected) clearWhere(kept, tape_ + problem_.unprojectedAt() + unitsAt(t, row) + unit, lanes);
    });
  }
  void clearReset(const CellRows& step, int64_t t, int64_t first, int count, int64_t row, int taken) const noexcept {
    if (problem_.hiddenKeep == Keep::none || problem_.hiddenKeep == Keep::elements) return;  // r of a unit matters to the others
    const Kept hidden = hiddenKeptAt(t);
    const Region region = {row, first * segmentColumns, taken, columnsOf(problem_.units, first, count)};
    region.forVectors([&](int64_t at, int64_t unit, int lanes) {
      const Mask kept = equal(hidden.at(at, unit), broadcast(1.0f));
      const int64_t panel = unit / segmentColumns;
      clearWhere(kept, gatesAt(panel, t, at) + 2 * segmentColumns + unit - panel * segmentColumns, lanes);
      clearWhere(kept, carryAt(at) + unit, lanes);
      clearWhere(kept, step.resetHidden + at * problem_.units + unit, lanes);
    });
  }

 private:
  const Call& call_;
  const RecurrentProblem& problem_;
  float* const tape_;
  const BackwardSpace& space_;
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
