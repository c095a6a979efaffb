// Recurrent cells over whole sequences (formulas and memory: recurrent_problem.h).
//
//   inputs   x [T, B, I] or ids [T, B] i32, kernel [I, G*H], recurrentKernel [H, G*H], bias? [G*H], recurrentBias? [G*H],
//            initialHidden? [B, H], initialCell? [B, H]
//   outputs  y [T, B, H], finalHidden? [B, H], finalCell? [B, H], tape? [n]
//   words    cell, resetAfter, gate activation, cell activation
//
// The input product runs for some time steps at once, into the gate buffer; then each step's recurrent product continues those
// sums and hands its tiles to the cell. With a tape the gate buffer of all steps is kept (recurrentGradient needs it),
// without one it is only as long as those steps.
//
// The team shares the rows of the batch, each member running its rows through all steps by itself, or, where there are too few
// rows to fill tiles, the units, with a barrier a step.
#include <algorithm>

#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/recurrent_expressions.h"
#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

bool wantsTape(const Signature& signature) noexcept { return signature.outputs[outputTape].present; }

// The workspace.
struct Workspace {
  float* zeros = nullptr;        // a row
  float* gates = nullptr;        // of one group of steps; without a tape
  float* cell = nullptr;         // c, without a tape
  float* resetHidden = nullptr;  // r h of the current step
  ExpressionCells* cells = nullptr;  // of each member

  Workspace(const RecurrentProblem& problem, bool tape, int members, Layout& layout, bool build) noexcept {
    zeros = layout.take<float>(problem.paddedUnits());
    if (!tape) gates = layout.take<float>(problem.gateFloats(stepsAtOnce(problem) * problem.batch));
    if (!tape && problem.lstm()) cell = layout.take<float>(problem.batch * problem.units);
    if (problem.resetBefore()) resetHidden = layout.take<float>(problem.batch * problem.units);
    if (!problem.fast()) cells = buildExpressionCells(problem, members, layout, build);
  }
};

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, forwardInputs, forwardOutputs, -1);
  checkRecurrent(check, signature);
  check.output(outputY, Dtype::f32);
  for (int output : {outputFinalHidden, outputFinalCell, outputTape}) check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return check.status();
  const RecurrentProblem problem = recurrentProblem(signature);
  checkState(check, signature.inputs[inputInitialHidden], problem, "initialHidden");
  checkState(check, signature.inputs[inputInitialCell], problem, "initialCell");
  checkSequence(check, signature.outputs[outputY], problem, "y");
  checkState(check, signature.outputs[outputFinalHidden], problem, "finalHidden");
  checkState(check, signature.outputs[outputFinalCell], problem, "finalCell");
  check.that(!signature.outputs[outputFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  if (wantsTape(signature))
    check.that(signature.outputs[outputTape].count() == problem.tapeFloats(), "the tape has %lld elements where %lld belong",
               static_cast<long long>(signature.outputs[outputTape].count()), static_cast<long long>(problem.tapeFloats()));
  if (check.failed()) return check.status();
  Layout workspace, prepared;
  Workspace(problem, wantsTape(signature), signature.threads, workspace, false);
  ForwardWeights(problem, prepared);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = prepared.bytes();
  for (int input : {inputKernel, inputRecurrentKernel, inputBias, inputRecurrentBias})
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
        space_(problem_, tape_ != nullptr, call.team->size(), workspace, true) {
    std::memset(space_.zeros, 0, static_cast<std::size_t>(problem_.paddedUnits()) * sizeof(float));
    chooseCells();
  }

  const RecurrentProblem& problem() const noexcept { return problem_; }

  // One member's part, all steps. `stop` is shared by the crew.
  void run(const Crew& crew, Split split, StopFlag& stop) const noexcept {
    const bool byRows = split == Split::rows;
    const Share rows = byRows ? crew.share(problem_.batch) : Share{0, problem_.batch};
    const Share panels = byRows ? Share{0, problem_.panels()} : crew.share(problem_.panels());
    const Share blocks = byRows ? Share{0, unitBlocks(problem_.units)} : crew.share(unitBlocks(problem_.units));
    const int64_t steps = stepsAtOnce(problem_);
    for (int64_t first = 0; first < problem_.time; first += steps) {
      const int64_t end = std::min(problem_.time, first + steps);
      inputProduct(first, end, rows, panels);
      for (int64_t t = first; t < end; ++t) {
        step(crew, t, t - first, rows, panels);
        if (problem_.resetBefore()) {
          if (!byRows) crew.barrier();
          candidateStep(crew, t, t - first, rows, blocks);
        }
        if (byRows ? stop.seen(*call_.team) : stop.seenTogether(crew, t)) return;
      }
    }
  }

  void finish() const noexcept {
    const std::size_t bytes = static_cast<std::size_t>(problem_.batch * problem_.units) * sizeof(float);
    if (float* hidden = call_.output(outputFinalHidden)) std::memcpy(hidden, hiddenAt(problem_.time - 1), bytes);
    if (float* cell = call_.output(outputFinalCell)) std::memcpy(cell, cellAt(problem_.time - 1), bytes);
  }

 private:
  void chooseCells() noexcept {
    const bool training = tape_ != nullptr;
    switch (problem_.cell) {
      case CellKind::lstm:
        cells_[1] = training ? lstmForward<true, true> : lstmForward<false, true>;
        cells_[0] = training ? lstmForward<true, false> : lstmForward<false, false>;
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
        switch (problem_.activation.kind) {
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
  float* hiddenAt(int64_t t) const noexcept { return call_.output(outputY) + t * problem_.batch * problem_.units; }
  float* cellAt(int64_t t) const noexcept {
    return tape_ != nullptr ? tape_ + problem_.gateFloats(problem_.rows()) + t * problem_.batch * problem_.units : space_.cell;
  }
  // Null before the first step of a sequence that starts from zero.
  const float* hiddenBefore(int64_t t) const noexcept { return t > 0 ? hiddenAt(t - 1) : call_.input(inputInitialHidden); }

  // Gate buffer rows of steps [first, end) = bias + x W.
  void inputProduct(int64_t first, int64_t end, Share rows, Share panels) const noexcept {
    const bool whole = rows.begin == 0 && rows.end == problem_.batch;
    // All rows of neighbouring steps are neighbours.
    const int64_t ranges = whole ? 1 : end - first, length = whole ? (end - first) * problem_.batch : rows.end - rows.begin;
    const Side side = problem_.inputSide();
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int segments = problem_.segments(side, panel);
      const float* bias = weights_.bias + problem_.columnsBefore(side, panel);
      if (weights_.recurrentBias != nullptr) {
        const Lanes16 value = load16(weights_.recurrentBias + panel * segmentColumns);
        for (int64_t range = 0; range < ranges; ++range)
          for (int64_t row = 0; row < length; ++row)
            store16(gatesAt(panel, first + range, range, (whole ? 0 : rows.begin) + row) + 3 * segmentColumns, value);
      }
      if (problem_.ids) {
        for (int64_t range = 0; range < ranges; ++range) gatherKernelRows(panel, segments, bias, first + range, range, whole ? 0 : rows.begin, length);
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
          const int64_t begin = whole ? 0 : rows.begin;
          const float* x = call_.input(inputX) + ((first + range) * problem_.batch + begin) * problem_.inputs + term;
          float* to = gatesAt(panel, first + range, range, begin);
          forTiles(0, length, tileRowsOf(segments), [&](int64_t row, int count) {
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
  void gatherKernelRows(int64_t panel, int segments, const float* bias, int64_t t, int64_t inGroup, int64_t begin, int64_t length) const noexcept {
    const int32_t* ids = call_.inputIds(inputX) + t * problem_.batch + begin;
    float* to = gatesAt(panel, t, inGroup, begin);
    for (int s = 0; s < segments; ++s) {
      const Segment segment = problem_.segment(panel, s);
      const Lanes16 start = load16(bias + s * segmentColumns);
      const float* column = call_.input(inputKernel) + segment.column;
      for (int64_t row = 0; row < length; ++row)
        store16(to + row * panelColumns + s * segmentColumns, add(start, loadFirst16(column + ids[row] * problem_.width(), segment.count)));
    }
  }

  // All rows and units of step t, which is number `inGroup` of those whose input product ran at once.
  CellRows stepRows(int member, int64_t t, int64_t inGroup) const noexcept {
    CellRows rows;
    rows.stride = problem_.units;
    rows.gates = gatesAt(0, t, inGroup, 0);
    const float* before = hiddenBefore(t);
    rows.hiddenBefore = before == nullptr ? space_.zeros : before;
    rows.hiddenBeforeStride = before == nullptr ? 0 : problem_.units;
    rows.hidden = hiddenAt(t);
    if (problem_.lstm()) {
      const float* cell = t > 0 ? cellAt(t - 1) : call_.input(inputInitialCell);
      rows.cellBefore = cell == nullptr ? space_.zeros : cell;
      rows.cellBeforeStride = cell == nullptr ? 0 : problem_.units;
      rows.cell = cellAt(t);
      if (tape_ != nullptr) rows.cellActivation = rows.cell + problem_.stateFloats();
    }
    rows.resetHidden = space_.resetHidden;
    if (space_.cells != nullptr) rows.expressions = space_.cells + member;
    return rows;
  }
  void runCell(const CellFunction (&cells)[2], const float* tile, const CellRows& step, int64_t panel, int64_t row, int count) const noexcept {
    const int lanes = problem_.lanes(panel);
    cells[lanes == problem_.panelUnits()](tile, step.at(row, count, panel * problem_.panelUnits(), lanes, panel * bufferRows() * panelColumns));
  }

  // The recurrent product of one step and the cell. Every other step takes the panels backwards: it begins with the weights that
  // the step before has just used.
  void step(const Crew& crew, int64_t t, int64_t inGroup, Share rows, Share panels) const noexcept {
    const Side side = problem_.recurrentSide();
    const float* before = hiddenBefore(t);
    const CellRows all = stepRows(crew.member, t, inGroup);
    alignas(64) float tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = problem_.units;
    operands.terms = before == nullptr ? 0 : problem_.units;
    operands.startStride = panelColumns;
    operands.to = tile;
    operands.toStride = panelColumns;
    for (int64_t index = panels.begin; index < panels.end; ++index) {
      const int64_t panel = t % 2 == 0 ? index : panels.begin + panels.end - 1 - index;
      const int segments = problem_.segments(side, panel);
      operands.b = weights_.recurrentKernel + problem_.columnsBefore(side, panel) * problem_.units;
      operands.bStride = segments * segmentColumns;
      forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int count) {
        if (before != nullptr) operands.a = before + row * problem_.units;
        operands.start = gatesAt(panel, t, inGroup, row) + side.first * segmentColumns;
        runTile<PlainTile>(operands, count, segments);
        runCell(cells_, tile, all, panel, row, count);
      });
    }
  }

  // n = act(n_x + (r h) U), 64 units at a time.
  void candidateStep(const Crew& crew, int64_t t, int64_t inGroup, Share rows, Share blocks) const noexcept {
    const CellRows all = stepRows(crew.member, t, inGroup);
    alignas(64) float sums[maximumTileRows * panelColumns], tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = problem_.units;
    operands.terms = hiddenBefore(t) == nullptr ? 0 : problem_.units;
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
        }
      });
    }
  }

  const Call& call_;
  const RecurrentProblem problem_;
  float* const tape_;
  const ForwardWeights weights_;
  const Workspace space_;
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
  const Forward forward(call, Layout(call.workspace), Layout(call.prepared));
  const RecurrentProblem& problem = forward.problem();
  if (problem.ids) {
    const Status status = checkIds(problem, call.inputIds(inputX));
    if (!status.isOk()) return status;
  }
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
