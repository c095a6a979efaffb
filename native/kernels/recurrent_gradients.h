// The products after the way back: gradients of the inputs and of the weights, from the gate gradients of all steps.
//
//   dx = dG W^T        dW = x^T dG        dU = h^T dG        db = the sum of dG over rows
//
// To be included inside a target region, after kernels/operands.h and kernels/parallel.h.
#pragma once

#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// A product that goes back: its terms are the panels [panels.begin, panels.end) of the gate buffer, one chunk each, of which the last
// of a simple RNN may be shorter. Only the operands' terms and chunks are filled in here.
inline void runPanels(const RecurrentProblem& problem, Side side, Share panels, ChunkedTileOperands& operands, int rows, int columns) noexcept {
  const int64_t last = problem.panels() - 1;
  const bool cut = panels.end > last && problem.segments(side, last) != side.segments;
  operands.terms = side.segments * segmentColumns;
  operands.chunks = panels.end - panels.begin;
  if (!cut) return runClippedTile<ChunkedTile>(operands, rows, columns);
  operands.chunks -= 1;
  runClippedTile<ChunkedTile>(operands, rows, columns);
  ChunkedTileOperands rest = operands;
  rest.start = operands.to;
  rest.startStride = operands.toStride;
  rest.a += operands.chunks * operands.aChunk;
  rest.b += operands.chunks * operands.terms * operands.bStride;
  rest.terms = problem.segments(side, last) * segmentColumns;
  rest.chunks = 1;
  runClippedTile<ChunkedTile>(rest, rows, columns);
}

// Sums that wait, in panel order, between blocks of terms.
struct GradientSums {
  float *biases = nullptr, *kernel = nullptr, *recurrentKernel = nullptr, *candidate = nullptr;

  GradientSums(const RecurrentProblem& problem, Layout& workspace) noexcept {
    biases = workspace.take<float>(problem.panels() * panelColumns);
    if (!problem.ids) kernel = workspace.take<float>(problem.inputs * problem.columns(problem.inputSide()));
    recurrentKernel = workspace.take<float>(problem.units * problem.columns(problem.recurrentSide()));
    if (problem.resetBefore()) candidate = workspace.take<float>(problem.units * problem.columns(problem.candidateSide()));
  }
};

class Gradients {
 public:
  Gradients(const Call& call, const RecurrentProblem& problem, const BackwardWeights& weights, const float* resetHidden, const GradientSums& sums) noexcept
      : call_(call), problem_(problem), weights_(weights), gates_(call.mutableInput(inputTape)), resetHidden_(resetHidden), sums_(sums) {}

  // dx of some rows of the batch in some steps.
  void inputs(Share rows, Share time) const noexcept {
    float* dx = call_.output(inputX);
    const Side side = problem_.inputSide();
    const bool whole = rows.begin == 0 && rows.end == problem_.batch;
    // As in forward: all rows of neighbouring steps are neighbours.
    const int64_t steps = stepsAtOnce(problem_);
    ChunkedTileOperands operands;
    operands.aStride = panelColumns;
    operands.aChunk = problem_.rows() * panelColumns;
    operands.toStride = operands.startStride = problem_.inputs;
    operands.prefetchRows = true;
    for (int64_t first = time.begin; first < time.end; first += steps) {
      const int64_t end = std::min(time.end, first + steps);
      const int64_t ranges = whole ? 1 : end - first, length = whole ? (end - first) * problem_.batch : rows.end - rows.begin;
      for (int64_t panel = 0; panel < problem_.panels(); panel += panelGroup) {
        const Share panels = {panel, std::min(problem_.panels(), panel + panelGroup)};
        for (int64_t block = 0; block < unitBlocks(problem_.inputs); ++block) {
          const int columns = static_cast<int>(std::min<int64_t>(panelColumns, problem_.inputs - block * panelColumns));
          const int segments = (columns + segmentColumns - 1) / segmentColumns;
          operands.bStride = segments * segmentColumns;
          operands.b = weights_.kernel + problem_.columns(side) * block * panelColumns + problem_.columnsBefore(side, panel) * operands.bStride;
          for (int64_t range = 0; range < ranges; ++range) {
            const int64_t begin = (first + range) * problem_.batch + (whole ? 0 : rows.begin);
            forTiles(begin, begin + length, tileRowsOf(segments), [&](int64_t row, int count) {
              operands.a = gatesAt(panel, row) + side.first * segmentColumns;
              operands.to = dx + row * problem_.inputs + block * panelColumns;
              operands.start = panel == 0 ? nullptr : operands.to;
              runPanels(problem_, side, panels, operands, count, columns);
            });
          }
        }
      }
    }
  }

  // Weight and bias gradients: of this member's panels, or, where there are too few, of its rows of the weights.
  void weights(const Crew& crew) const noexcept {
    const bool byPanels = problem_.panels() % crew.members == 0 || problem_.panels() >= 4 * crew.members;
    const Share panels = byPanels ? crew.share(problem_.panels()) : Share{0, problem_.panels()};
    const Share inputs = byPanels ? Share{0, problem_.inputs} : crew.share(problem_.inputs);
    const Share units = byPanels ? Share{0, problem_.units} : crew.share(problem_.units);
    if (problem_.ids) kernelByIds(crew.share(problem_.panels()));
    const bool biases = (byPanels || crew.member == 0) && (call_.output(inputBias) != nullptr || call_.output(inputRecurrentBias) != nullptr);
    const int64_t before = call_.input(inputInitialHidden) == nullptr ? problem_.batch : 0;
    if (before >= problem_.rows()) clearRows(call_.output(inputRecurrentKernel), panels, units);
    for (int64_t row = 0; row < problem_.rows(); row += termBlock) {
      const Share terms = {row, std::min(problem_.rows(), row + termBlock)};
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        if (!problem_.ids)
          accumulate(problem_.inputSide(), panel, terms, 0, {call_.input(inputX), problem_.inputs}, inputs, sums_.kernel, call_.output(inputKernel));
        hiddenTerms(panel, terms, before, units);
        if (problem_.resetBefore())
          accumulate(problem_.candidateSide(), panel, terms, 0, {resetHidden_, problem_.units}, units, sums_.candidate, call_.output(inputRecurrentKernel));
        if (biases) sumRows(panel, terms);
      }
    }
    if (biases) writeBiases(panels);
  }

 private:
  // Panels whose part of a product towards the inputs runs at once: 256 terms.
  static constexpr int64_t panelGroup = 4;

  // A matrix with a row for every term and a column for every row of the weights.
  struct Terms {
    const float* data;
    int64_t columns;
  };

  float* gatesAt(int64_t panel, int64_t row) const noexcept { return gates_ + (panel * problem_.rows() + row) * panelColumns; }

  // Adds terms (rows of the batch at all times) to rows `rows` of a weight gradient, in one panel. `firstTerm` is the very first;
  // after the last the sums go where they belong, until then they wait, packed: rows of a large gradient lie so far apart
  // that visiting them for every block costs 6 to 9 points of the peak.
  void accumulate(Side side, int64_t panel, Share terms, int64_t firstTerm, Terms a, Share rows, float* sums, float* gradient) const noexcept {
    Segment list[panelSegments];
    const int segments = problem_.listSegments(side, panel, list);
    float* waiting = sums + problem_.columnsBefore(side, panel) * a.columns;
    const bool last = terms.end == problem_.rows();
    alignas(64) float tile[maximumTileRows * panelColumns];
    TileOperands operands;
    operands.aStride = a.columns;
    operands.b = gatesAt(panel, terms.begin) + side.first * segmentColumns;
    operands.bStride = panelColumns;
    operands.terms = terms.end - terms.begin;
    operands.startStride = operands.toStride = segments * segmentColumns;
    forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int count) {
      operands.a = a.data + terms.begin * a.columns + row;
      float* kept = waiting + row * operands.toStride;
      operands.start = terms.begin == firstTerm ? nullptr : kept;
      operands.to = last ? tile : kept;
      runTile<TransposedTile>(operands, count, segments);
      if (last) unpackRows(tile, count, list, segments, gradient + row * problem_.width(), problem_.width());
    });
  }

  // The states before the steps: the given ones (if any) for the first `batch` rows, then y of the step before.
  void hiddenTerms(int64_t panel, Share terms, int64_t firstTerm, Share units) const noexcept {
    float* gradient = call_.output(inputRecurrentKernel);
    const Share given = {std::max(terms.begin, firstTerm), std::min(terms.end, problem_.batch)};
    if (given.begin < given.end)
      accumulate(problem_.recurrentSide(), panel, given, firstTerm, {call_.input(inputInitialHidden), problem_.units}, units, sums_.recurrentKernel, gradient);
    const Share later = {std::max(terms.begin, problem_.batch), terms.end};
    if (later.begin < later.end)
      accumulate(problem_.recurrentSide(), panel, later, firstTerm, {call_.input(inputY) - problem_.batch * problem_.units, problem_.units}, units,
                        sums_.recurrentKernel, gradient);
  }

  void clearRows(float* gradient, Share panels, Share rows) const noexcept {
    Segment list[panelSegments];
    const float zeros[panelColumns] = {};
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int segments = problem_.listSegments(problem_.recurrentSide(), panel, list);
      for (int64_t row = rows.begin; row < rows.end; ++row) unpackRows(zeros, 1, list, segments, gradient + row * problem_.width(), problem_.width());
    }
  }

  // One-hot inputs: each id adds its row of gate gradients to its row of the kernel's gradient, in order.
  void kernelByIds(Share panels) const noexcept {
    const int32_t* ids = call_.inputIds(inputX);
    float* gradient = call_.output(inputKernel);
    Segment list[panelSegments];
    const float zeros[panelColumns] = {};
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int segments = problem_.listSegments(problem_.inputSide(), panel, list);
      for (int64_t row = 0; row < problem_.inputs; ++row) unpackRows(zeros, 1, list, segments, gradient + row * problem_.width(), problem_.width());
      for (int64_t row = 0; row < problem_.rows(); ++row)
        for (int s = 0; s < segments; ++s) {
          float* to = gradient + ids[row] * problem_.width() + list[s].column;
          storeFirst16(to, add(loadFirst16(to, list[s].count), load16(gatesAt(panel, row) + s * segmentColumns)), list[s].count);
        }
    }
  }

  // Adds the rows in order, then the sums of these (up to 256) rows to those of the rows before.
  void sumRows(int64_t panel, Share rows) const noexcept {
    float* total = sums_.biases + panel * panelColumns;
    for (int s = 0; s < panelSegments; ++s) {
      const float* gates = gatesAt(panel, rows.begin) + s * segmentColumns;
      Lanes16 sum = load16(gates);
      for (int64_t row = 1; row < rows.end - rows.begin; ++row) sum = add(sum, load16(gates + row * panelColumns));
      if (rows.begin > 0) sum = add(load16(total + s * segmentColumns), sum);
      store16(total + s * segmentColumns, sum);
    }
  }
  void writeBiases(Share panels) const noexcept {
    const struct {
      Side side;
      float* gradient;
    } biases[] = {{problem_.inputSide(), call_.output(inputBias)}, {problem_.recurrentSide(), call_.output(inputRecurrentBias)}};
    Segment list[panelSegments];
    for (const auto& bias : biases)
      for (int64_t panel = panels.begin; panel < panels.end && bias.gradient != nullptr; ++panel) {
        const int segments = problem_.listSegments(bias.side, panel, list);
        unpackRows(sums_.biases + panel * panelColumns + bias.side.first * segmentColumns, 1, list, segments, bias.gradient, 0);
      }
  }

  const Call& call_;
  const RecurrentProblem& problem_;
  const BackwardWeights& weights_;
  float* const gates_;
  const float* const resetHidden_;
  const GradientSums& sums_;
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
