// Recurrent cells over whole sequences (formulas and memory: recurrent_problem.h).
//
//   inputs   x [T, B, I] or ids [T, B] i32, kernel [I, G*H], recurrentKernel [H, G*H], bias? [G*H], recurrentBias? [G*H],
//            initialHidden? [B, P], initialCell? [B, H], peephole? [2 or 3, H], projection? [H, P], recurrentMask? [B, P],
//            hiddenKeep? [1], [T, B] or [T, B, P], cellKeep? [1], [T, B] or [T, B, H], lengths? [B] i32
//   outputs  y [T, B, P], finalHidden? [B, P], finalCell? [B, H], tape? [n]; P is H where nothing is projected
//   words    cell, flags (1 reset after, 2 coupled), cell clip (f32), then the activations of gates, candidate and output
//
// The input product runs for some time steps at once, into the gate buffer; then each step's recurrent product continues those
// sums and hands its tiles to the cell. With a tape the gate buffer of all steps is kept (recurrentGradient needs it),
// without one it is only as long as those steps.
//
// The team shares the rows of the batch, each member running its rows through all steps by itself, or, where there are too few
// rows to fill tiles, the units, with a barrier a step.
#include <algorithm>
#include <limits>

#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/recurrent_checks.h"
#include "kernels/recurrent_forward_states.h"
#include "kernels/recurrent_lengths.h"
#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

bool wantsTape(const Signature& signature) noexcept { return signature.outputs[outputTape].present; }

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, forwardInputs, forwardOutputs, -1);
  checkForward(check, signature);
  if (check.failed()) return check.status();
  const RecurrentProblem problem = recurrentProblem(signature);
  Layout workspace, prepared;
  ForwardSpace(problem, wantsTape(signature), signature.threads, workspace, false);
  LivingRows::takeOffsets(problem, workspace);
  ForwardWeights(problem, prepared);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = prepared.bytes();
  for (int input : {inputKernel, inputRecurrentKernel, inputBias, inputRecurrentBias, inputProjection})
    if (signature.inputs[input].present && !(problem.ids && input == inputKernel)) requirements->preparedInputs |= 1u << input;
  return check.status();
}

class Forward {
 public:
  Forward(const Call& call, Layout workspace, Layout prepared) noexcept
      : call_(call),
        problem_(recurrentProblem(*call.signature)),
        tape_(call.output(outputTape)),
        weights_(problem_, prepared),
        space_(problem_, tape_ != nullptr, call.team->size(), workspace, true),
        states_(call, problem_, tape_, space_),
        living_(problem_, call.inputIds(inputLengths), workspace) {
    std::memset(space_.zeros, 0, static_cast<std::size_t>(std::max(problem_.paddedUnits(), problem_.paddedHidden())) * sizeof(float));
    chooseCells();
  }

  const RecurrentProblem& problem() const noexcept { return problem_; }

  // One member's part, all steps. `stop` is shared by the crew.
  void run(const Crew& crew, Split split, StopFlag& stop) const noexcept {
    const bool byRows = split == Split::rows;
    const Share rows = byRows ? living_.shareOfRows(crew) : Share{0, problem_.batch};
    const Share panels = byRows ? Share{0, problem_.panels()} : crew.share(problem_.panels());
    const Share blocks = byRows ? Share{0, unitBlocks(problem_.units)} : crew.share(unitBlocks(problem_.units));
    const Share hiddenBlocks = byRows ? Share{0, unitBlocks(problem_.hidden)} : crew.share(unitBlocks(problem_.hidden));
    living_.clearPadding(call_.output(outputY), problem_.hidden, byRows ? rows : crew.share(problem_.batch), {0, problem_.time});
    if (problem_.masked && call_.input(inputInitialHidden) != nullptr) {
      feedFirst(living_.living(rows, 0), hiddenBlocks);
      if (!byRows) crew.barrier();
    }
    const int64_t steps = living_.steps(rows), atOnce = stepsAtOnce(problem_);
    for (int64_t first = 0; first < steps; first += atOnce) {
      const int64_t end = std::min(steps, first + atOnce);
      inputProduct(first, end, rows, panels);
      for (int64_t t = first; t < end; ++t) {
        const Share living = living_.living(rows, t);
        step(crew, t, t - first, living, panels);
        if (problem_.resetBefore()) {
          if (!byRows) crew.barrier();
          candidateStep(crew, t, t - first, living, blocks);
        }
        if (problem_.projected) {
          if (!byRows) crew.barrier();
          projectStep(t, living, hiddenBlocks);
        }
        if (byRows ? stop.seen(*call_.team) : stop.seenTogether(crew, t)) return;
      }
    }
  }

  // The states after the last step of each row, which are the ones before the first where it has none.
  void finish() const noexcept {
    // Rows of equal length are neighbours.
    for (int64_t row = 0, end; row < problem_.batch; row = end) {
      const int64_t length = living_.lengthOf(row);
      for (end = row + 1; end < problem_.batch && living_.lengthOf(end) == length;) ++end;
      const auto copy = [&](float* to, const float* from, int64_t columns) {
        const auto bytes = static_cast<std::size_t>((end - row) * columns) * sizeof(float);
        if (to == nullptr) return;
        if (from == nullptr) std::memset(to + row * columns, 0, bytes);
        else std::memcpy(to + row * columns, from + row * columns, bytes);
      };
      copy(call_.output(outputFinalHidden), states_.hiddenBefore(length), problem_.hidden);
      copy(call_.output(outputFinalCell), length > 0 ? states_.cellAt(length - 1) : call_.input(inputInitialCell), problem_.units);
    }
  }

 private:
  void chooseCells() noexcept {
    const bool training = tape_ != nullptr;
    switch (problem_.cell) {
      case CellKind::lstm:
        cells_[1] = training ? chooseLstmForward<true, true>(problem_) : chooseLstmForward<false, true>(problem_);
        cells_[0] = training ? chooseLstmForward<true, false>(problem_) : chooseLstmForward<false, false>(problem_);
        if (!problem_.fast()) cells_[0] = cells_[1] = lstmForwardExpression;
        break;
      case CellKind::gru:
        cells_[1] = training ? gruForward<true, true> : gruForward<false, true>;
        cells_[0] = training ? gruForward<true, false> : gruForward<false, false>;
        if (!problem_.fast()) cells_[0] = cells_[1] = gruForwardExpression;
        if (!problem_.resetBefore()) break;
        cells_[1] = gruGatesForward<true>, cells_[0] = gruGatesForward<false>;
        candidateCells_[1] = gruCandidateForward<true>, candidateCells_[0] = gruCandidateForward<false>;
        if (problem_.fast()) break;
        cells_[0] = cells_[1] = gruGatesForwardExpression;
        candidateCells_[0] = candidateCells_[1] = gruCandidateForwardExpression;
        break;
      case CellKind::simple:
        switch (problem_.candidate.kind) {
          case ActivationKind::sigmoid: cells_[0] = simpleForward<ActivationKind::sigmoid>; break;
          case ActivationKind::tanh: cells_[0] = simpleForward<ActivationKind::tanh>; break;
          case ActivationKind::relu: cells_[0] = simpleForward<ActivationKind::relu>; break;
          case ActivationKind::identity: cells_[0] = simpleForward<ActivationKind::identity>; break;
          default: cells_[0] = simpleForwardExpression;
        }
        cells_[1] = cells_[0];
    }
  }

  // Rows of the gate buffer: all, or those of one group of steps.
  int64_t bufferRows() const noexcept { return (tape_ != nullptr ? problem_.time : stepsAtOnce(problem_)) * problem_.batch; }
  float* gatesAt(int64_t panel, int64_t t, int64_t inGroup, int64_t row) const noexcept {
    float* base = tape_ != nullptr ? tape_ : space_.gates;
    return base + (panel * bufferRows() + (tape_ != nullptr ? t : inGroup) * problem_.batch + row) * panelColumns;
  }
  // Gate buffer rows of steps [first, end) = bias + x W.
  void inputProduct(int64_t first, int64_t end, Share rows, Share panels) const noexcept {
    const Share group = {first, end};
    const int64_t ranges = living_.ranges(rows, group);
    const Side side = problem_.inputSide();
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int segments = problem_.segments(side, panel);
      const float* bias = weights_.bias + problem_.columnsBefore(side, panel);
      if (weights_.recurrentBias != nullptr) {
        const Lanes16 value = load16(weights_.recurrentBias + panel * segmentColumns);
        for (int64_t range = 0; range < ranges; ++range)
          for (Share own = living_.range(rows, group, range); own.begin < own.end; ++own.begin)
            store16(gatesAt(panel, first, 0, own.begin) + 3 * segmentColumns, value);
      }
      if (problem_.ids) {
        for (int64_t range = 0; range < ranges; ++range) gatherKernelRows(panel, segments, bias, first, living_.range(rows, group, range));
        continue;
      }
      TileOperands operands;
      operands.aStride = problem_.inputs;
      operands.bStride = segments * segmentColumns;
      operands.toStride = panelColumns;
      for (int64_t term = 0; term < problem_.inputs; term += termBlock) {
        operands.terms = std::min(termBlock, problem_.inputs - term);
        operands.b = weights_.kernel + problem_.columnsBefore(side, panel) * problem_.inputs + term * operands.bStride;
        for (int64_t range = 0; range < ranges; ++range) {
          const Share own = living_.range(rows, group, range);
          const float* x = call_.input(inputX) + first * problem_.batch * problem_.inputs + term;
          float* to = gatesAt(panel, first, 0, 0);
          forTiles(own.begin, own.end, tileRowsOf(segments), [&](int64_t row, int count) {
            operands.a = x + row * problem_.inputs;
            operands.to = to + row * panelColumns;
            operands.start = term == 0 ? bias : operands.to;
            operands.startStride = term == 0 ? 0 : panelColumns;
            runTile<PlainTile>(operands, count, segments);
          });
        }
      }
    }
  }

  // The product with one-hot vectors: rows of the kernel.
  void gatherKernelRows(int64_t panel, int segments, const float* bias, int64_t first, Share rows) const noexcept {
    const int32_t* ids = call_.inputIds(inputX) + first * problem_.batch;
    float* to = gatesAt(panel, first, 0, 0);
    for (int s = 0; s < segments; ++s) {
      const Segment segment = problem_.segment(panel, s);
      const Lanes16 start = load16(bias + s * segmentColumns);
      const float* column = call_.input(inputKernel) + segment.column;
      for (int64_t row = rows.begin; row < rows.end; ++row)
        store16(to + row * panelColumns + s * segmentColumns, add(start, loadFirst16(column + ids[row] * problem_.width(), segment.count)));
    }
  }

  // All rows and units of step t, which is number `inGroup` of those whose input product ran at once.
  CellRows stepRows(int member, int64_t t, int64_t inGroup) const noexcept {
    CellRows rows;
    rows.stride = problem_.units;
    rows.gates = gatesAt(0, t, inGroup, 0);
    const GivenStates before = states_.orZeros(states_.hiddenBefore(t), problem_.units), fed = states_.orZeros(states_.fedBefore(t), problem_.units);
    rows.hiddenBefore = before.data, rows.hiddenBeforeStride = before.stride;
    rows.fedBefore = fed.data, rows.fedBeforeStride = fed.stride;
    rows.hidden = states_.cellHiddenAt(t);
    if (problem_.lstm()) {
      const GivenStates cell = states_.cellBefore(t);
      rows.cellBefore = cell.data, rows.cellBeforeStride = cell.stride;
      rows.cell = states_.newCellAt(t);
      rows.cellActivation = states_.statesAt(problem_.cellActivationsAt(), problem_.units, t, nullptr);
      rows.peephole = call_.input(inputPeephole);
      rows.cellClip = problem_.cellClip;
      rows.coupled = problem_.coupled;
    }
    rows.resetHidden = space_.resetHidden;
    if (space_.cells != nullptr) rows.expressions = space_.cells + member;
    return rows;
  }
  void runCell(const CellFunction (&cells)[2], const float* tile, const CellRows& step, int64_t panel, int64_t row, int count) const noexcept {
    const int lanes = problem_.lanes(panel);
    cells[lanes == problem_.panelUnits()](tile, step.at(row, count, panel * problem_.panelUnits(), lanes, panel * bufferRows() * panelColumns));
  }

  Region regionOf(int64_t panel, int64_t row, int count) const noexcept { return {row, panel * problem_.panelUnits(), count, problem_.lanes(panel)}; }

  // Calls body(region) for blocks of 64 columns of the hidden state.
  template <typename Body>
  void forHidden(Share rows, Share blocks, Body&& body) const noexcept {
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      const int columns = static_cast<int>(std::min<int64_t>(panelColumns, problem_.hidden - block * panelColumns));
      forTiles(rows.begin, rows.end, tileRowsOf((columns + segmentColumns - 1) / segmentColumns),
               [&](int64_t row, int count) { body(Region{row, block * panelColumns, count, columns}); });
    }
  }
  void feedFirst(Share rows, Share blocks) const noexcept {
    forHidden(rows, blocks, [&](const Region& region) { states_.feed(region, 0, {call_.input(inputInitialHidden), problem_.hidden}); });
  }
  // h = (o output(c)) R.
  void projectStep(int64_t t, Share rows, Share blocks) const noexcept {
    alignas(64) float tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = operands.terms = problem_.units;
    operands.to = tile;
    operands.toStride = panelColumns;
    forHidden(rows, blocks, [&](const Region& region) {
      const int segments = (region.columns + segmentColumns - 1) / segmentColumns;
      operands.a = states_.unprojectedAt(t) + region.row * problem_.units;
      operands.b = weights_.projection + region.column * problem_.units;
      operands.bStride = segments * segmentColumns;
      runTile<PlainTile>(operands, region.rows, segments);
      float* to = states_.hiddenAt(t) + region.row * problem_.hidden + region.column;
      copyRows(tile, panelColumns, region.rows, region.columns, to, problem_.hidden);
      if (!problem_.plainStates()) states_.finishHidden(region, t, {states_.hiddenAt(t), problem_.hidden});
    });
  }

  // The recurrent product of one step and the cell. Every other step takes the panels backwards: it begins with the weights that
  // the step before has just used.
  void step(const Crew& crew, int64_t t, int64_t inGroup, Share rows, Share panels) const noexcept {
    const Side side = problem_.recurrentSide();
    const float* before = states_.fedBefore(t);
    const bool finishes = !problem_.plainStates() && !problem_.resetBefore();
    const CellRows all = stepRows(crew.member, t, inGroup);
    alignas(64) float tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = problem_.hidden;
    operands.terms = before == nullptr ? 0 : problem_.hidden;
    operands.startStride = panelColumns;
    operands.to = tile;
    operands.toStride = panelColumns;
    for (int64_t index = panels.begin; index < panels.end; ++index) {
      const int64_t panel = t % 2 == 0 ? index : panels.begin + panels.end - 1 - index;
      const int segments = problem_.segments(side, panel);
      operands.b = weights_.recurrentKernel + problem_.columnsBefore(side, panel) * problem_.hidden;
      operands.bStride = segments * segmentColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int count) {
        if (before != nullptr) operands.a = before + row * problem_.hidden;
        operands.start = gatesAt(panel, t, inGroup, row) + side.first * segmentColumns;
        runTile<PlainTile>(operands, count, segments);
        runCell(cells_, tile, all, panel, row, count);
        if (finishes) states_.finishUnits(regionOf(panel, row, count), t);
      });
    }
  }

  // n = act(n_x + (r h) U), 64 units at a time.
  void candidateStep(const Crew& crew, int64_t t, int64_t inGroup, Share rows, Share blocks) const noexcept {
    const CellRows all = stepRows(crew.member, t, inGroup);
    alignas(64) float sums[maximumTileRows * panelColumns], tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = problem_.units;
    operands.terms = states_.hiddenBefore(t) == nullptr ? 0 : problem_.units;
    operands.start = operands.to = sums;
    operands.startStride = operands.toStride = panelColumns;
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      const int64_t firstPanel = block * panelSegments;
      const int segments = static_cast<int>(std::min<int64_t>(panelSegments, problem_.panels() - firstPanel));
      operands.b = weights_.candidate + block * panelColumns * problem_.units;
      operands.bStride = segments * segmentColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int count) {
        for (int s = 0; s < segments; ++s)
          copyRows(gatesAt(firstPanel + s, t, inGroup, row), panelColumns, count, segmentColumns, sums + s * segmentColumns, panelColumns);
        operands.a = space_.resetHidden + row * problem_.units;
        runTile<PlainTile>(operands, count, segments);
        for (int s = 0; s < segments; ++s) {
          copyRows(sums + s * segmentColumns, panelColumns, count, segmentColumns, tile, panelColumns);
          runCell(candidateCells_, tile, all, firstPanel + s, row, count);
          if (!problem_.plainStates()) states_.finishUnits(regionOf(firstPanel + s, row, count), t);
        }
      });
    }
  }

  const Call& call_;
  const RecurrentProblem problem_;
  float* const tape_;
  const ForwardWeights weights_;
  const ForwardSpace space_;
  const ForwardStates states_;
  const LivingRows living_;
  CellFunction cells_[2] = {};           // for panels cut short, for whole panels
  CellFunction candidateCells_[2] = {};
};

void prepare(const Call& call) noexcept {
  const RecurrentProblem problem = recurrentProblem(*call.signature);
  Layout prepared(call.prepared);
  const ForwardWeights weights(problem, prepared);
  shareWork(*call.team, packingTime(problem), [&](const Crew& crew) { weights.pack(problem, call, crew); });
}

Status run(const Call& call) noexcept {
  const Status status = checkRows(call);
  if (!status.isOk()) return status;
  const Forward forward(call, Layout(call.workspace), Layout(call.prepared));
  const RecurrentProblem& problem = forward.problem();
  const Split split = splitOf(problem, call.team->size());
  StopFlag stop;
  shareWork(*call.team, split == Split::none ? 0 : alwaysShared, [&](const Crew& crew) { forward.run(crew, split, stop); });
  if (call.team->stopping()) return Status::error(Code::stopped, "the stream was stopped");
  forward.finish();
  return Status::ok();
}

}  // namespace

extern const Kernel recurrent;
const Kernel recurrent = {"recurrent", verify, prepare, run};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
