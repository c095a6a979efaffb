// The way back through recurrent cells (formulas and memory: recurrent_problem.h).
//
//   inputs   those of `recurrent`, then y [T, B, P], tape (overwritten), dy? [T, B, P], dFinalHidden? [B, P], dFinalCell? [B, H]
//   outputs  dx? [T, B, I], dKernel, dRecurrentKernel, dBias?, dRecurrentBias?, dInitialHidden?, dInitialCell?, dPeephole?, dProjection?
//   words    those of `recurrent`
//
// From the last step to the first: the product of a step's gate gradients with the transposed recurrent weights, plus dy, is dh of
// the step before, whose cell then turns its gates into gate gradients in place. Afterwards the gate gradients of all steps give
// those of the inputs and weights (recurrent_gradients.h).
//
// The team shares the work as in recurrent_forward.cpp.
#include <algorithm>
#include <limits>

#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/recurrent_backward_states.h"
#include "kernels/recurrent_checks.h"
#include "kernels/recurrent_gradients.h"
#include "kernels/recurrent_lengths.h"
#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

bool wantsInputs(const Signature& signature) noexcept { return signature.outputs[inputX].present; }

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, backwardInputs, backwardOutputs, -1);
  checkBackward(check, signature);
  if (check.failed()) return check.status();
  const RecurrentProblem problem = recurrentProblem(signature);
  Layout workspace, prepared;
  BackwardSpace(problem, signature.threads, workspace, false);
  LivingRows::takeOffsets(problem, workspace);
  BackwardWeights(problem, wantsInputs(signature), prepared);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = prepared.bytes();
  requirements->preparedInputs = 1u << inputRecurrentKernel | (wantsInputs(signature) ? 1u << inputKernel : 0u);
  if (problem.projected) requirements->preparedInputs |= 1u << inputProjection;
  return check.status();
}

// From this size on the cells' operands are fetched while the product runs: 5 to 8 points of the peak at 256 units and more, where
// they come from beyond the second-level cache, but 3 less than nothing at 64, where they lie in it.
constexpr int64_t prefetchUnits = 128;

class Backward {
 public:
  Backward(const Call& call, Layout workspace, Layout prepared) noexcept
      : call_(call),
        problem_(recurrentProblem(*call.signature)),
        tape_(call.mutableInput(inputTape)),
        weights_(problem_, wantsInputs(*call.signature), prepared),
        space_(problem_, call.team->size(), workspace, true),
        states_(call, problem_, tape_, space_),
        living_(problem_, call.inputIds(inputLengths), workspace),
        gradients_(call, problem_, living_, weights_, space_.resetHidden, space_.dProjected, space_.sums) {
    std::memset(space_.zeros, 0, static_cast<std::size_t>(std::max(problem_.paddedUnits(), problem_.paddedHidden())) * sizeof(float));
    chooseCells();
  }

  const RecurrentProblem& problem() const noexcept { return problem_; }

  // One member's part of everything. `stop` is shared by the crew.
  void run(const Crew& crew, Split split, StopFlag& stop) const noexcept {
    const bool byRows = split == Split::rows;
    const Share rows = byRows ? living_.shareOfRows(crew) : Share{0, problem_.batch};
    // Segments of units; a panel of a simple RNN is not cut.
    const int64_t all = problem_.paddedUnits() / segmentColumns;
    const Share segments = byRows ? Share{0, all} : crew.share(all, problem_.panelUnits() / segmentColumns);
    const int64_t allHidden = problem_.paddedHidden() / segmentColumns;
    const Share hidden = !problem_.projected ? segments : byRows ? Share{0, allHidden} : crew.share(allHidden);
    bool stopped = false;
    const int64_t steps = living_.steps(rows);
    startCarries(rows, segments);
    withoutSteps(living_.ending(rows, -1), hidden, segments);
    lastStep(crew, steps - 1, living_.ending(rows, steps - 1), hidden);
    if (!byRows) crew.barrier();
    for (int64_t t = steps - 1; t >= 0 && !stopped; --t) {
      const Share living = living_.living(rows, t);
      if (problem_.resetBefore()) resetStep(crew, t, living, segments);
      if (problem_.projected) unprojectStep(crew, t, living, segments);
      if ((problem_.resetBefore() || problem_.projected) && !byRows) crew.barrier();
      if (t > 0) {
        step(crew, t, living, hidden);
        lastStep(crew, t - 1, living_.ending(rows, t - 1), hidden);
      } else {
        beforeFirstStep(living, hidden, segments);
      }
      stopped = byRows ? stop.seen(*call_.team) : stop.seenTogether(crew, t);
    }
    if (wantsInputs(*call_.signature) && !stopped) {
      if (byRows) gradients_.inputs(rows, {0, problem_.time});
      else gradients_.inputs({0, problem_.batch}, living_.shareOfSteps(crew));
    }
    // Also by who has stopped: the others wait here.
    if (byRows) crew.barrier();
    if (!stopped) gradients_.weights(crew);
  }

 private:
  void chooseCells() noexcept {
    switch (problem_.cell) {
      case CellKind::lstm:
        cells_[1] = chooseLstmBackward<true>(problem_), cells_[0] = chooseLstmBackward<false>(problem_);
        if (!problem_.fast()) cells_[0] = cells_[1] = lstmBackwardExpression;
        break;
      case CellKind::gru:
        cells_[1] = gruBackward<true>, cells_[0] = gruBackward<false>;
        if (!problem_.fast()) cells_[0] = cells_[1] = gruBackwardExpression;
        if (!problem_.resetBefore()) break;
        cells_[1] = gruCandidateBackwardOnly<true>, cells_[0] = gruCandidateBackwardOnly<false>;
        resetCells_[1] = gruResetBackward<true>, resetCells_[0] = gruResetBackward<false>;
        if (problem_.fast()) break;
        cells_[0] = cells_[1] = gruCandidateBackwardExpression;
        resetCells_[0] = resetCells_[1] = gruResetBackwardExpression;
        break;
      case CellKind::simple:
        switch (problem_.candidate.kind) {
          case ActivationKind::sigmoid: cells_[0] = simpleBackward<ActivationKind::sigmoid>; break;
          case ActivationKind::tanh: cells_[0] = simpleBackward<ActivationKind::tanh>; break;
          case ActivationKind::relu: cells_[0] = simpleBackward<ActivationKind::relu>; break;
          case ActivationKind::identity: cells_[0] = simpleBackward<ActivationKind::identity>; break;
          default: cells_[0] = simpleBackwardExpression;
        }
        cells_[1] = cells_[0];
    }
  }

  // All rows and units of step t.
  CellRows stepRows(int member, int64_t t) const noexcept {
    CellRows rows;
    rows.stride = problem_.units;
    rows.gates = states_.gatesAt(0, t, 0);
    const float* y = call_.input(inputY);
    const float* hidden = t > 0 ? y + states_.hiddenAt(t - 1, 0) : call_.input(inputInitialHidden);
    const GivenStates before = states_.orZeros(hidden, problem_.units);
    const GivenStates fed = hidden != nullptr && problem_.masked ? GivenStates{tape_ + problem_.fedAt() + states_.hiddenAt(t, 0), problem_.hidden} : before;
    rows.hiddenBefore = before.data, rows.hiddenBeforeStride = before.stride;
    rows.fedBefore = fed.data, rows.fedBeforeStride = fed.stride;
    rows.hidden = const_cast<float*>(y) + states_.hiddenAt(t, 0);
    if (problem_.lstm()) {
      const float* cells = tape_ + problem_.cellsAt();
      const GivenStates cell = states_.orZeros(t > 0 ? cells + states_.unitsAt(t - 1, 0) : call_.input(inputInitialCell), problem_.units);
      rows.cellBefore = cell.data, rows.cellBeforeStride = cell.stride;
      rows.cell = tape_ + (problem_.keepsCandidates() ? problem_.candidatesAt() : problem_.cellsAt()) + states_.unitsAt(t, 0);
      rows.cellActivation = tape_ + problem_.cellActivationsAt() + states_.unitsAt(t, 0);
      rows.peephole = call_.input(inputPeephole);
      rows.cellClip = problem_.cellClip;
      rows.coupled = problem_.coupled;
    } else if (problem_.keepsCandidates()) {
      rows.hidden = tape_ + problem_.candidatesAt() + states_.unitsAt(t, 0);
    }
    if (problem_.resetBefore()) rows.resetHidden = space_.resetHidden + states_.unitsAt(t, 0);
    rows.carry = space_.carry;
    rows.carryStride = problem_.paddedUnits();
    if (problem_.plainStates() && t > 0 && call_.input(inputDy) != nullptr) rows.dyBefore = call_.input(inputDy) + states_.hiddenAt(t - 1, 0);
    rows.recurrentMask = call_.input(inputRecurrentMask);
    if (space_.cells != nullptr) rows.expressions = space_.cells + member;
    return rows;
  }

  // Hands dh of `segments` segments of units, from one on, to the cells.
  void runCells(const CellFunction (&cells)[2], const float* tile, const CellRows& step, int64_t first, int segments, int64_t row, int count) const noexcept {
    const int64_t perPanel = problem_.panelUnits() / segmentColumns;
    for (int64_t s = 0; s < segments; s += perPanel) {
      const int64_t panel = (first + s) / perPanel;
      const int lanes = problem_.lanes(panel);
      cells[lanes == problem_.panelUnits()](tile + s * segmentColumns,
                                            step.at(row, count, panel * problem_.panelUnits(), lanes, panel * problem_.rows() * panelColumns));
    }
  }

  // Calls body(first segment, segments) for a member's segments, block by block of 64 units.
  template <typename Body>
  void forBlocks(Share segments, bool backwards, Body&& body) const noexcept {
    const int64_t firstBlock = segments.begin / panelSegments, endBlock = (segments.end + panelSegments - 1) / panelSegments;
    for (int64_t index = firstBlock; index < endBlock; ++index) {
      const int64_t block = backwards ? firstBlock + endBlock - 1 - index : index;
      const int64_t first = std::max(segments.begin, block * panelSegments), end = std::min(segments.end, (block + 1) * panelSegments);
      body(first, static_cast<int>(end - first));
    }
  }
  // dc after each row's last step.
  void startCarries(Share rows, Share segments) const noexcept {
    if (!problem_.lstm()) return;
    const float* dFinalCell = call_.input(inputDFinalCell);
    for (int64_t row = rows.begin; row < rows.end; ++row)
      for (int64_t segment = segments.begin; segment < segments.end; ++segment) {
        const int64_t unit = segment * segmentColumns;
        store16(states_.carryAt(row) + unit, dFinalCell == nullptr ? broadcast16(0.0f)
                                                           : loadFirst16(dFinalCell + row * problem_.units + unit, columnsOf(problem_.units, segment, 1)));
      }
  }

  // Rows whose last step is t: dh is what is given for it.
  void lastStep(const Crew& crew, int64_t t, Share rows, Share segments) const noexcept {
    if (rows.begin == rows.end || t < 0) return;
    const float *dy = call_.input(inputDy), *dFinalHidden = call_.input(inputDFinalHidden);
    const CellRows all = stepRows(crew.member, t);
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(segments, false, [&](int64_t first, int count) {
      const int columns = columnsOf(problem_.hidden, first, count);
      forTiles(rows.begin, rows.end, tileRowsOf(panelSegments), [&](int64_t row, int taken) {
        for (int r = 0; r < taken; ++r)
          for (int at = 0; at < count * segmentColumns; at += segmentColumns) {
            const int lanes = std::min(columns - at, segmentColumns);
            const int64_t here = (row + r) * problem_.hidden + first * segmentColumns + at;
            Lanes16 dh = broadcast16(0.0f);
            if (dy != nullptr) dh = loadFirst16(dy + states_.hiddenAt(t, 0) + here, lanes);
            if (dFinalHidden != nullptr) dh = add(dh, loadFirst16(dFinalHidden + here, lanes));
            store16(tile + r * panelColumns + at, dh);
          }
        hiddenArrived(tile, all, t, first, count, row, taken);
      });
    });
  }

  // The product of a step's gate gradients with a side's transposed recurrent weights, for some segments from one on; A is missing.
  ChunkedTileOperands gateProduct(Side side, const float* transposed, int64_t first) const noexcept {
    const int64_t block = first / panelSegments;
    ChunkedTileOperands operands;
    operands.aStride = panelColumns;
    const int64_t blockUnits = std::min<int64_t>(panelColumns, problem_.paddedHidden() - block * panelColumns);
    operands.bStride = blockUnits;
    operands.b = transposed + problem_.columns(side) * block * panelColumns + (first - block * panelSegments) * segmentColumns;
    return operands;
  }

  // What the cells of step t will read when the product towards them is done, and the dy that the product after it starts from.
  Prefetch cellOperands(int64_t t, int64_t first, int64_t row) const noexcept {
    const int64_t unit = first * segmentColumns;
    Prefetch soon;
    soon.gates = states_.gatesAt(first, t, row);
    soon.gatesSegment = problem_.rows() * panelColumns;
    soon.rowStride = problem_.units;
    if (problem_.lstm()) {
      soon.arrays[0] = tape_ + problem_.cellActivationsAt() + states_.unitsAt(t, row) + unit;
      if (t > 0) soon.arrays[1] = tape_ + problem_.cellsAt() + states_.unitsAt(t - 1, row) + unit;
    } else if (t > 0) {
      soon.arrays[0] = call_.input(inputY) + states_.hiddenAt(t - 1, row) + unit;
    }
    if (t > 0 && call_.input(inputDy) != nullptr) soon.arrays[2] = call_.input(inputDy) + states_.hiddenAt(t - 1, row) + unit;
    return soon;
  }

  // From step t to t - 1.
  void step(const Crew& crew, int64_t t, Share rows, Share segments) const noexcept {
    const float* dy = call_.input(inputDy);
    const Share panels = {0, problem_.panels()};
    const Side side = problem_.recurrentSide();
    const bool prefetches = problem_.units >= prefetchUnits && problem_.cell != CellKind::simple && !problem_.projected;
    const CellRows all = stepRows(crew.member, t - 1);
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(segments, t % 2 != 0, [&](int64_t first, int count) {
      const int units = columnsOf(problem_.hidden, first, count);
      const int64_t unit = first * segmentColumns;
      ChunkedTileOperands operands = gateProduct(side, weights_.recurrentKernel, first);
      operands.to = tile;
      operands.toStride = panelColumns;
      Prefetch soon;
      if (prefetches) operands.prefetch = &soon;
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        operands.a = states_.gatesAt(0, t, row) + side.first * segmentColumns;
        if (prefetches) soon = cellOperands(t - 1, first, row);
        if (!problem_.plainStates()) {
          runPanels(problem_, side, panels, operands, taken, count * segmentColumns);
          states_.addToProduct(tile, t - 1, first, count, row, taken);
          hiddenArrived(tile, all, t - 1, first, count, row, taken);
          return;
        }
        if (problem_.gru()) {
          operands.start = states_.carryAt(row) + unit;
          operands.startStride = problem_.paddedUnits();
        } else if (dy != nullptr) {
          operands.start = dy + states_.hiddenAt(t - 1, row) + unit;
          operands.startStride = problem_.hidden;
          if (units < count * segmentColumns) {
            // dy ends within the last segment.
            for (int r = 0; r < taken; ++r)
              for (int at = 0; at < units; at += segmentColumns)
                store16(tile + r * panelColumns + at, loadFirst16(operands.start + r * problem_.hidden + at, std::min(units - at, segmentColumns)));
            operands.start = tile;
            operands.startStride = panelColumns;
          }
        }
        runPanels(problem_, side, panels, operands, taken, count * segmentColumns);
        runCells(cells_, tile, all, first, count, row, taken);
      });
    });
  }

  // GRU with reset before the product: from dn to d(r h), hence dr.
  void resetStep(const Crew& crew, int64_t t, Share rows, Share segments) const noexcept {
    const CellRows all = stepRows(crew.member, t);
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(segments, t % 2 == 0, [&](int64_t first, int count) {
      ChunkedTileOperands operands = gateProduct(problem_.candidateSide(), weights_.candidate, first);
      operands.to = tile;
      operands.toStride = panelColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        operands.a = states_.gatesAt(0, t, row) + problem_.candidateSide().first * segmentColumns;
        runPanels(problem_, problem_.candidateSide(), {0, problem_.panels()}, operands, taken, count * segmentColumns);
        runCells(resetCells_, tile, all, first, count, row, taken);
        if (!problem_.plainStates()) states_.clearReset(all, t, first, count, row, taken);
      });
    });
  }

  // d(o output(c)) = dh R^T, and the cells.
  void unprojectStep(const Crew& crew, int64_t t, Share rows, Share segments) const noexcept {
    const CellRows all = stepRows(crew.member, t);
    alignas(64) float tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = problem_.paddedHidden();
    operands.terms = problem_.hidden;
    operands.to = tile;
    operands.toStride = panelColumns;
    forBlocks(segments, false, [&](int64_t first, int count) {
      const int64_t block = first / panelSegments;
      operands.bStride = std::min<int64_t>(panelColumns, problem_.paddedUnits() - block * panelColumns);
      operands.b = weights_.projection + problem_.paddedHidden() * block * panelColumns + (first - block * panelSegments) * segmentColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        operands.a = states_.projectedAt(t, row);
        runTile<PlainTile>(operands, taken, count);
        cellsArrived(tile, all, t, first, count, row, taken);
      });
    });
  }

  // dh of step t is complete in the tile.
  void hiddenArrived(float* tile, const CellRows& step, int64_t t, int64_t first, int count, int64_t row, int taken) const noexcept {
    if (problem_.hiddenKeep != Keep::none) {
      const Region region = {row, first * segmentColumns, taken, count * segmentColumns};
      splitGradient(region, states_.hiddenKeptAt(t), {tile - row * panelColumns - region.column, panelColumns}, {space_.toOldHidden, problem_.paddedHidden()});
    }
    if (problem_.projected) copyRows(tile, panelColumns, taken, count * segmentColumns, states_.projectedAt(t, row) + first * segmentColumns, problem_.paddedHidden());
    else cellsArrived(tile, step, t, first, count, row, taken);
  }
  // So is that of what the cells gave.
  void cellsArrived(const float* tile, const CellRows& step, int64_t t, int64_t first, int count, int64_t row, int taken) const noexcept {
    const Region segments = {row, first * segmentColumns, taken, count * segmentColumns};
    const States carry = {space_.carry, problem_.paddedUnits()}, toOld = {space_.toOldCell, problem_.paddedUnits()};
    if (problem_.cellKeep != Keep::none) splitGradient(segments, states_.cellKeptAt(t), carry, toOld);
    runCells(cells_, tile, step, first, count, row, taken);
    if (problem_.plainStates()) return;
    states_.clearCells({row, first * segmentColumns, taken, columnsOf(problem_.units, first, count)}, step, t);
    if (problem_.cellKeep != Keep::none) addStates(segments, {toOld.data, toOld.stride}, carry);
  }

  // Rows without a step hand on what is given for their final states.
  void withoutSteps(Share rows, Share hidden, Share segments) const noexcept {
    const auto handOn = [&](float* to, const float* given, int64_t columns, Share share) {
      const GivenStates from = states_.orZeros(given, columns);
      const int64_t first = share.begin * segmentColumns;
      if (to != nullptr && rows.begin < rows.end && share.begin < share.end)
        copyRows(from.at(rows.begin, first), from.stride, static_cast<int>(rows.end - rows.begin),
                 columnsOf(columns, share.begin, static_cast<int>(share.end - share.begin)), to + rows.begin * columns + first, columns);
    };
    handOn(call_.output(inputInitialHidden), call_.input(inputDFinalHidden), problem_.hidden, hidden);
    handOn(call_.output(inputInitialCell), call_.input(inputDFinalCell), problem_.units, segments);
  }

  // Gradients of the states before the first step.
  void beforeFirstStep(Share rows, Share hidden, Share segments) const noexcept {
    float *dHidden = call_.output(inputInitialHidden), *dCell = call_.output(inputInitialCell);
    if (dCell != nullptr)
      for (int64_t segment = segments.begin; segment < segments.end; ++segment) {
        const int64_t unit = segment * segmentColumns;
        copyRows(states_.carryAt(rows.begin) + unit, problem_.paddedUnits(), static_cast<int>(rows.end - rows.begin), columnsOf(problem_.units, segment, 1),
                 dCell + rows.begin * problem_.units + unit, problem_.units);
      }
    if (dHidden == nullptr) return;
    const Side side = problem_.recurrentSide();
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(hidden, false, [&](int64_t first, int count) {
      const int columns = columnsOf(problem_.hidden, first, count);
      ChunkedTileOperands operands = gateProduct(side, weights_.recurrentKernel, first);
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        float* to = dHidden + row * problem_.hidden + first * segmentColumns;
        operands.a = states_.gatesAt(0, 0, row) + side.first * segmentColumns;
        operands.to = problem_.plainStates() ? to : tile;
        operands.toStride = problem_.plainStates() ? problem_.hidden : panelColumns;
        if (problem_.plainStates() && problem_.gru()) {
          operands.start = states_.carryAt(row) + first * segmentColumns;
          operands.startStride = problem_.paddedUnits();
        }
        runPanels(problem_, side, {0, problem_.panels()}, operands, taken, problem_.plainStates() ? columns : count * segmentColumns);
        if (problem_.plainStates()) return;
        states_.addToProduct(tile, -1, first, count, row, taken);
        copyRows(tile, panelColumns, taken, columns, to, problem_.hidden);
      });
    });
  }

  const Call& call_;
  const RecurrentProblem problem_;
  float* const tape_;
  const BackwardWeights weights_;
  const BackwardSpace space_;
  const BackwardStates states_;
  const LivingRows living_;
  const Gradients gradients_;
  CellFunction cells_[2] = {};  // for panels cut short, for whole panels
  CellFunction resetCells_[2] = {};
};

void prepare(const Call& call) noexcept {
  const RecurrentProblem problem = recurrentProblem(*call.signature);
  Layout prepared(call.prepared);
  const BackwardWeights weights(problem, wantsInputs(*call.signature), prepared);
  shareWork(*call.team, packingTime(problem), [&](const Crew& crew) { weights.pack(problem, call, crew); });
}

Status run(const Call& call) noexcept {
  const Status status = checkRows(call);
  if (!status.isOk()) return status;
  const Backward backward(call, Layout(call.workspace), Layout(call.prepared));
  const RecurrentProblem& problem = backward.problem();
  const Split split = splitOf(problem, call.team->size());
  StopFlag stop;
  shareWork(*call.team, split == Split::none ? 0 : alwaysShared, [&](const Crew& crew) { backward.run(crew, split, stop); });
  if (call.team->stopping()) return Status::error(Code::stopped, "the stream was stopped");
  return Status::ok();
}

}  // namespace

extern const Kernel recurrentGradient;
const Kernel recurrentGradient = {"recurrentGradient", verify, prepare, run, 1u << inputTape};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
