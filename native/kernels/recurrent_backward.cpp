// The way back through recurrent cells (formulas and memory: recurrent_problem.h).
//
//   inputs   those of `recurrent`, then y [T, B, H], tape (overwritten), dy? [T, B, H], dFinalHidden? [B, H], dFinalCell? [B, H]
//   outputs  dx? [T, B, I], dKernel, dRecurrentKernel, dBias?, dRecurrentBias?, dInitialHidden?, dInitialCell?
//   words    cell, resetAfter, gate activation, cell activation
//
// From the last step to the first: the product of a step's gate gradients with the transposed recurrent weights, plus dy, is dh of
// the step before, whose cell then turns its gates into gate gradients in place. Afterwards the gate gradients of all steps give
// those of the inputs and weights (recurrent_gradients.h).
//
// The team shares the work as in recurrent_forward.cpp.
#include <algorithm>

#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/recurrent_expressions.h"
#include "kernels/recurrent_gradients.h"
#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

bool wantsInputs(const Signature& signature) noexcept { return signature.outputs[inputX].present; }

struct Workspace {
  float* zeros = nullptr;        // a row
  float* carry = nullptr;        // [B][units rounded up to 16]: dc (LSTM), the direct part of dh (GRU)
  float* resetHidden = nullptr;  // r h of all steps
  ExpressionCells* cells = nullptr;  // of each member
  GradientSums sums;

  Workspace(const RecurrentProblem& problem, int members, Layout& layout, bool build) noexcept : sums(problem, layout) {
    zeros = layout.take<float>(problem.paddedUnits());
    if (problem.cell != CellKind::simple) carry = layout.take<float>(problem.batch * problem.paddedUnits());
    if (problem.resetBefore()) resetHidden = layout.take<float>(problem.rows() * problem.units);
    if (!problem.fast()) cells = buildExpressionCells(problem, members, layout, build);
  }
};

void checkGradient(Check& check, const OperandType& type, const OperandType& of, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(of.present && sameShape(type, of), "%s has not the shape of what it is the gradient of", name);
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, backwardInputs, backwardOutputs, -1);
  checkRecurrent(check, signature);
  check.input(inputY, Dtype::f32).input(inputTape, Dtype::f32);
  for (int input : {inputDy, inputDFinalHidden, inputDFinalCell}) check.optionalInput(input, Dtype::f32);
  check.output(inputKernel, Dtype::f32).output(inputRecurrentKernel, Dtype::f32);
  for (int output : {inputX, inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell}) check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return check.status();
  const RecurrentProblem problem = recurrentProblem(signature);
  const Span<const OperandType> inputs = signature.inputs, outputs = signature.outputs;
  checkState(check, inputs[inputInitialHidden], problem, "initialHidden");
  checkState(check, inputs[inputInitialCell], problem, "initialCell");
  checkSequence(check, inputs[inputY], problem, "y");
  checkSequence(check, inputs[inputDy], problem, "dy");
  checkState(check, inputs[inputDFinalHidden], problem, "dFinalHidden");
  checkState(check, inputs[inputDFinalCell], problem, "dFinalCell");
  check.that(!inputs[inputDFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  check.that(!outputs[inputInitialCell].present || problem.lstm(), "only an LSTM has a cell state");
  check.that(inputs[inputTape].count() == problem.tapeFloats(), "the tape has %lld elements where %lld belong",
             static_cast<long long>(inputs[inputTape].count()), static_cast<long long>(problem.tapeFloats()));
  check.that(!outputs[inputX].present || !problem.ids, "ids have no gradient");
  checkGradient(check, outputs[inputX], inputs[inputX], "dx");
  checkGradient(check, outputs[inputKernel], inputs[inputKernel], "dKernel");
  checkGradient(check, outputs[inputRecurrentKernel], inputs[inputRecurrentKernel], "dRecurrentKernel");
  if (outputs[inputBias].present) check.that(outputs[inputBias].count() == problem.width(), "dBias has not one element a gate and unit");
  if (outputs[inputRecurrentBias].present)
    check.that(outputs[inputRecurrentBias].count() == problem.width() && problem.gru() && problem.resetAfter, "dRecurrentBias does not belong here or has another shape");
  checkState(check, outputs[inputInitialHidden], problem, "dInitialHidden");
  checkState(check, outputs[inputInitialCell], problem, "dInitialCell");
  if (check.failed()) return check.status();
  Layout workspace, prepared;
  Workspace(problem, signature.threads, workspace, false);
  BackwardWeights(problem, wantsInputs(signature), prepared);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = prepared.bytes();
  requirements->preparedInputs = 1u << inputRecurrentKernel | (wantsInputs(signature) ? 1u << inputKernel : 0u);
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
        gradients_(call, problem_, weights_, space_.resetHidden, space_.sums) {
    std::memset(space_.zeros, 0, static_cast<std::size_t>(problem_.paddedUnits()) * sizeof(float));
    chooseCells();
  }

  const RecurrentProblem& problem() const noexcept { return problem_; }

  // One member's part of everything. `stop` is shared by the crew.
  void run(const Crew& crew, Split split, StopFlag& stop) const noexcept {
    const bool byRows = split == Split::rows;
    const Share rows = byRows ? crew.share(problem_.batch) : Share{0, problem_.batch};
    // Segments of units; a panel of a simple RNN is not cut.
    const int64_t all = problem_.paddedUnits() / segmentColumns;
    const Share segments = byRows ? Share{0, all} : crew.share(all, problem_.panelUnits() / segmentColumns);
    bool stopped = false;
    lastStep(crew, rows, segments);
    if (!byRows) crew.barrier();
    for (int64_t t = problem_.time - 1; t >= 0 && !stopped; --t) {
      if (problem_.resetBefore()) {
        resetStep(crew, t, rows, segments);
        if (!byRows) crew.barrier();
      }
      if (t > 0) step(crew, t, rows, segments);
      else beforeFirstStep(rows, segments);
      stopped = byRows ? stop.seen(*call_.team) : stop.seenTogether(crew, t);
    }
    if (wantsInputs(*call_.signature) && !stopped) {
      if (byRows) gradients_.inputs(rows, {0, problem_.time});
      else gradients_.inputs({0, problem_.batch}, crew.share(problem_.time));
    }
    // Also by who has stopped: the others wait here.
    if (byRows) crew.barrier();
    if (!stopped) gradients_.weights(crew);
  }

 private:
  void chooseCells() noexcept {
    switch (problem_.cell) {
      case CellKind::lstm:
        cells_[1] = lstmBackward<true>, cells_[0] = lstmBackward<false>;
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
        switch (problem_.activation.kind) {
          case ActivationKind::sigmoid: cells_[0] = simpleBackward<ActivationKind::sigmoid>; break;
          case ActivationKind::tanh: cells_[0] = simpleBackward<ActivationKind::tanh>; break;
          case ActivationKind::relu: cells_[0] = simpleBackward<ActivationKind::relu>; break;
          case ActivationKind::identity: cells_[0] = simpleBackward<ActivationKind::identity>; break;
          default: cells_[0] = simpleBackwardExpression;
        }
        cells_[1] = cells_[0];
    }
  }

  float* gatesAt(int64_t panel, int64_t t, int64_t row) const noexcept {
    return tape_ + (panel * problem_.rows() + t * problem_.batch + row) * panelColumns;
  }
  int64_t sequenceAt(int64_t t, int64_t row) const noexcept { return (t * problem_.batch + row) * problem_.units; }
  float* carryAt(int64_t row) const noexcept { return space_.carry + row * problem_.paddedUnits(); }

  // All rows and units of step t.
  CellRows stepRows(int member, int64_t t) const noexcept {
    CellRows rows;
    rows.stride = problem_.units;
    rows.gates = gatesAt(0, t, 0);
    const float* y = call_.input(inputY);
    const float* hidden = t > 0 ? y + sequenceAt(t - 1, 0) : call_.input(inputInitialHidden);
    rows.hiddenBefore = hidden == nullptr ? space_.zeros : hidden;
    rows.hiddenBeforeStride = hidden == nullptr ? 0 : problem_.units;
    rows.hidden = const_cast<float*>(y) + sequenceAt(t, 0);
    if (problem_.lstm()) {
      float* cells = tape_ + problem_.gateFloats(problem_.rows());
      const float* cell = t > 0 ? cells + sequenceAt(t - 1, 0) : call_.input(inputInitialCell);
      rows.cellBefore = cell == nullptr ? space_.zeros : cell;
      rows.cellBeforeStride = cell == nullptr ? 0 : problem_.units;
      rows.cell = cells + sequenceAt(t, 0);
      rows.cellActivation = rows.cell + problem_.stateFloats();
    }
    if (problem_.resetBefore()) rows.resetHidden = space_.resetHidden + sequenceAt(t, 0);
    rows.carry = space_.carry;
    rows.carryStride = problem_.paddedUnits();
    if (t > 0 && call_.input(inputDy) != nullptr) rows.dyBefore = call_.input(inputDy) + sequenceAt(t - 1, 0);
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
  // Units there are in some segments from one on.
  int unitsOf(int64_t first, int segments) const noexcept {
    return static_cast<int>(std::min<int64_t>(segments * segmentColumns, problem_.units - first * segmentColumns));
  }

  // dh of the last step is what is given for it.
  void lastStep(const Crew& crew, Share rows, Share segments) const noexcept {
    const float *dy = call_.input(inputDy), *dFinalHidden = call_.input(inputDFinalHidden), *dFinalCell = call_.input(inputDFinalCell);
    const CellRows all = stepRows(crew.member, problem_.time - 1);
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(segments, false, [&](int64_t first, int count) {
      const int units = unitsOf(first, count);
      const int64_t unit = first * segmentColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(panelSegments), [&](int64_t row, int taken) {
        for (int r = 0; r < taken; ++r)
          for (int at = 0; at < count * segmentColumns; at += segmentColumns) {
            const int lanes = std::min(units - at, segmentColumns);
            const int64_t here = (row + r) * problem_.units + unit + at;
            Lanes16 dh = broadcast16(0.0f);
            if (dy != nullptr) dh = loadFirst16(dy + sequenceAt(problem_.time - 1, 0) + here, lanes);
            if (dFinalHidden != nullptr) dh = add(dh, loadFirst16(dFinalHidden + here, lanes));
            store16(tile + r * panelColumns + at, dh);
            if (problem_.lstm()) store16(carryAt(row + r) + unit + at, dFinalCell == nullptr ? broadcast16(0.0f) : loadFirst16(dFinalCell + here, lanes));
          }
        runCells(cells_, tile, all, first, count, row, taken);
      });
    });
  }

  // The product of a step's gate gradients with a side's transposed recurrent weights, for some segments from one on; A is missing.
  ChunkedTileOperands gateProduct(Side side, const float* transposed, int64_t first) const noexcept {
    const int64_t block = first / panelSegments;
    ChunkedTileOperands operands;
    operands.aStride = panelColumns;
    const int64_t blockUnits = std::min<int64_t>(panelColumns, problem_.paddedUnits() - block * panelColumns);
    operands.bStride = blockUnits;
    operands.b = transposed + problem_.columns(side) * block * panelColumns + (first - block * panelSegments) * segmentColumns;
    return operands;
  }

  // What the cells of step t will read when the product towards them is done, and the dy that the product after it starts from.
  Prefetch cellOperands(int64_t t, int64_t first, int64_t row) const noexcept {
    const int64_t unit = first * segmentColumns;
    Prefetch soon;
    soon.gates = gatesAt(first, t, row);
    soon.gatesSegment = problem_.rows() * panelColumns;
    soon.rowStride = problem_.units;
    if (problem_.lstm()) {
      const float* cells = tape_ + problem_.gateFloats(problem_.rows());
      soon.arrays[0] = cells + problem_.stateFloats() + sequenceAt(t, row) + unit;
      if (t > 0) soon.arrays[1] = cells + sequenceAt(t - 1, row) + unit;
    } else if (t > 0) {
      soon.arrays[0] = call_.input(inputY) + sequenceAt(t - 1, row) + unit;
    }
    if (t > 0 && call_.input(inputDy) != nullptr) soon.arrays[2] = call_.input(inputDy) + sequenceAt(t - 1, row) + unit;
    return soon;
  }

  // From step t to t - 1.
  void step(const Crew& crew, int64_t t, Share rows, Share segments) const noexcept {
    const float* dy = call_.input(inputDy);
    const Share panels = {0, problem_.panels()};
    const Side side = problem_.recurrentSide();
    const bool prefetches = problem_.units >= prefetchUnits && problem_.cell != CellKind::simple;
    const CellRows all = stepRows(crew.member, t - 1);
    alignas(64) float tile[maximumTileRows * panelColumns];
    forBlocks(segments, t % 2 != 0, [&](int64_t first, int count) {
      const int units = unitsOf(first, count);
      const int64_t unit = first * segmentColumns;
      ChunkedTileOperands operands = gateProduct(side, weights_.recurrentKernel, first);
      operands.to = tile;
      operands.toStride = panelColumns;
      Prefetch soon;
      if (prefetches) operands.prefetch = &soon;
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        operands.a = gatesAt(0, t, row) + side.first * segmentColumns;
        if (prefetches) soon = cellOperands(t - 1, first, row);
        if (problem_.gru()) {
          operands.start = carryAt(row) + unit;
          operands.startStride = problem_.paddedUnits();
        } else if (dy != nullptr) {
          operands.start = dy + sequenceAt(t - 1, row) + unit;
          operands.startStride = problem_.units;
          if (units < count * segmentColumns) {
            // dy ends within the last segment.
            for (int r = 0; r < taken; ++r)
              for (int at = 0; at < units; at += segmentColumns)
                store16(tile + r * panelColumns + at, loadFirst16(operands.start + r * problem_.units + at, std::min(units - at, segmentColumns)));
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
        operands.a = gatesAt(0, t, row) + problem_.candidateSide().first * segmentColumns;
        runPanels(problem_, problem_.candidateSide(), {0, problem_.panels()}, operands, taken, count * segmentColumns);
        runCells(resetCells_, tile, all, first, count, row, taken);
      });
    });
  }

  // Gradients of the states before the first step.
  void beforeFirstStep(Share rows, Share segments) const noexcept {
    float *dHidden = call_.output(inputInitialHidden), *dCell = call_.output(inputInitialCell);
    forBlocks(segments, false, [&](int64_t first, int count) {
      const int units = unitsOf(first, count);
      const int64_t unit = first * segmentColumns;
      if (dCell != nullptr)
        copyRows(carryAt(rows.begin) + unit, problem_.paddedUnits(), static_cast<int>(rows.end - rows.begin), units,
                 dCell + rows.begin * problem_.units + unit, problem_.units);
      if (dHidden == nullptr) return;
      ChunkedTileOperands operands = gateProduct(problem_.recurrentSide(), weights_.recurrentKernel, first);
      forTiles(rows.begin, rows.end, tileRowsOf(count), [&](int64_t row, int taken) {
        operands.a = gatesAt(0, 0, row) + problem_.recurrentSide().first * segmentColumns;
        operands.to = dHidden + row * problem_.units + unit;
        operands.toStride = problem_.units;
        if (problem_.gru()) {
          operands.start = carryAt(row) + unit;
          operands.startStride = problem_.paddedUnits();
        }
        runPanels(problem_, problem_.recurrentSide(), {0, problem_.panels()}, operands, taken, units);
      });
    });
  }

  const Call& call_;
  const RecurrentProblem problem_;
  float* const tape_;
  const BackwardWeights weights_;
  const Workspace space_;
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
  const Backward backward(call, Layout(call.workspace), Layout(call.prepared));
  const RecurrentProblem& problem = backward.problem();
  if (problem.ids) {
    const Status status = checkIds(problem, call.inputIds(inputX));
    if (!status.isOk()) return status;
  }
  const Split split = splitOf(problem, call.team->size());
  StopFlag stop;
  shareWork(*call.team, split == Split::none ? 0 : alwaysShared, [&](const Crew& crew) { backward.run(crew, split, stop); });
  if (call.team->stopping()) return Status::error(Code::stopped, "the stream was stopped");
  return Status::ok();
}

}  // namespace

extern const Kernel recurrentGradient;
const Kernel recurrentGradient = {"recurrentGradient", verify, prepare, run};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
