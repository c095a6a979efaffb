// The products after the way back: gradients of the inputs and of the weights, from the gate gradients of all steps.
//
//   dx = dG W^T        dW = x^T dG        dU = h^T dG (h as the products read it: masked)        db = the sum of dG over rows
//   of an LSTM, dp = the sum of dG c over rows, dR = (o output(c))^T dh
//
// To be included inside a target region, after kernels/operands.h and kernels/parallel.h.
#pragma once

#include "kernels/recurrent_lengths.h"
#include "kernels/recurrent_packing.h"
#include "kernels/recurrent_plan.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// A product that goes back: its terms are the panels [panels.begin, panels.end) of the gate buffer, a chunk each. Of a last panel
// that is cut short only the lanes that are there count, a chunk for each segment. Terms and chunks are filled in here.
inline void runPanels(const RecurrentProblem& problem, Side side, Share panels, ChunkedTileOperands& operands, int rows, int columns) noexcept {
  const int64_t last = problem.panels() - 1;
  const int lanes = problem.lanes(last);
  const bool cut = panels.end > last && lanes < problem.panelUnits();
  operands.terms = side.segments * segmentColumns;
  operands.aChunk = problem.rows() * panelColumns;
  operands.bChunk = operands.terms * operands.bStride;
  operands.chunks = panels.end - panels.begin - (cut ? 1 : 0);
  if (operands.chunks > 0) runClippedTile<ChunkedTile>(operands, rows, columns);
  if (!cut) return;
  ChunkedTileOperands rest = operands;
  if (operands.chunks > 0) {
    rest.start = operands.to;
    rest.startStride = operands.toStride;
    rest.a += operands.chunks * operands.aChunk;
    rest.b += operands.chunks * operands.bChunk;
    rest.prefetch = nullptr;
  }
  rest.terms = lanes;
  rest.chunks = problem.cell == CellKind::simple ? 1 : side.segments;
  rest.aChunk = segmentColumns;
  rest.bChunk = segmentColumns * operands.bStride;
  runClippedTile<ChunkedTile>(rest, rows, columns);
}

// Sums that wait, in panel order, between blocks of terms.
struct GradientSums {
  float *biases = nullptr, *kernel = nullptr, *recurrentKernel = nullptr, *candidate = nullptr, *peepholes = nullptr, *projection = nullptr;

  GradientSums(const RecurrentProblem& problem, Layout& workspace) noexcept {
    biases = workspace.take<float>(problem.panels() * panelColumns);
    if (!problem.ids) kernel = workspace.take<float>(problem.inputs * problem.columns(problem.inputSide()));
    recurrentKernel = workspace.take<float>(problem.hidden * problem.columns(problem.recurrentSide()));
    if (problem.peepholes) peepholes = workspace.take<float>(problem.panels() * panelColumns);
    if (problem.projected) projection = workspace.take<float>(problem.units * problem.paddedHidden());
    if (problem.resetBefore()) candidate = workspace.take<float>(problem.units * problem.columns(problem.candidateSide()));
  }
};

class Gradients {
 public:
  // `dProjected`: of an LSTM with a projection the gradients of what it gave, rows of `paddedHidden`.
  Gradients(const Call& call, const RecurrentProblem& problem, const LivingRows& living, const BackwardWeights& weights, const float* resetHidden,
            const float* dProjected, const GradientSums& sums) noexcept
      : call_(call),
        problem_(problem),
        living_(living),
        weights_(weights),
        gates_(call.mutableInput(inputTape)),
        resetHidden_(resetHidden),
        dProjected_(dProjected),
        sums_(sums) {}

  // dx of some rows of the batch in some steps: zero where they do not live.
  void inputs(Share rows, Share time) const noexcept {
    float* dx = call_.output(inputX);
    living_.clearPadding(dx, problem_.inputs, rows, time);
    time.end = std::clamp(living_.steps(rows), time.begin, time.end);
    if (problem_.inputs <= narrowInputs) return narrowInputsOf(rows, time);
    const Side side = problem_.inputSide();
    const int64_t steps = stepsAtOnce(problem_);
    ChunkedTileOperands operands;
    operands.aStride = panelColumns;
    operands.toStride = operands.startStride = problem_.inputs;
    operands.prefetchRows = true;
    for (int64_t first = time.begin; first < time.end; first += steps) {
      const int64_t end = std::min(time.end, first + steps);
      const Share group = {first, end};
      for (int64_t panel = 0; panel < problem_.panels(); panel += panelGroup()) {
        const Share panels = {panel, std::min(problem_.panels(), panel + panelGroup())};
        for (int64_t block = 0; block < unitBlocks(problem_.inputs); ++block) {
          const int columns = static_cast<int>(std::min<int64_t>(panelColumns, problem_.inputs - block * panelColumns));
          const int segments = (columns + segmentColumns - 1) / segmentColumns;
          operands.bStride = segments * segmentColumns;
          operands.b = weights_.kernel + problem_.columns(side) * block * panelColumns + problem_.columnsBefore(side, panel) * operands.bStride;
          for (int64_t range = 0; range < living_.ranges(rows, group); ++range) {
            const Share own = living_.range(rows, group, range);
            forTiles(first * problem_.batch + own.begin, first * problem_.batch + own.end, tileRowsOf(segments), [&](int64_t row, int count) {
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
    const Share hidden = byPanels ? Share{0, problem_.hidden} : crew.share(problem_.hidden);
    const bool peepholes = problem_.peepholes && (byPanels || crew.member == 0);
    if (problem_.ids) kernelByIds(crew.share(problem_.panels()));
    const bool biases = (byPanels || crew.member == 0) && (call_.output(inputBias) != nullptr || call_.output(inputRecurrentBias) != nullptr);
    const int64_t total = living_.total(), before = call_.input(inputInitialHidden) == nullptr ? living_.alive(0) : 0;
    if (before >= total) clearRows(problem_.recurrentSide(), call_.output(inputRecurrentKernel), panels, hidden);
    if (total == 0) {
      clearOthers(panels, inputs, units);
      // Only who writes them: members that share out rows of the weights have all panels in common.
      if (biases) clearSums(sums_.biases, panels);
      if (peepholes) clearSums(sums_.peepholes, panels);
    }
    for (int64_t term = 0; term < total; term += termBlock) {
      const Share terms = {term, std::min(total, term + termBlock)};
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        if (!problem_.ids)
          accumulate(problem_.inputSide(), panel, terms, 0, {call_.input(inputX), problem_.inputs}, inputs, sums_.kernel, call_.output(inputKernel));
        hiddenTerms(panel, terms, before, hidden);
        if (problem_.resetBefore())
          accumulate(problem_.candidateSide(), panel, terms, 0, {resetHidden_, problem_.units}, units, sums_.candidate, call_.output(inputRecurrentKernel));
        if (biases) sumRows(panel, terms);
        if (peepholes) sumPeepholes(panel, terms);
      }
    }
    if (biases) writeBiases(panels);
    if (peepholes) writePeepholes(panels);
    if (problem_.projected) projection(crew.share(problem_.units));
  }

 private:
  // Panels whose part of a product towards the inputs runs at once. Of two, the weights (32 KB) stay in the first-level cache; with
  // more than a few panels coming back to dx for every two costs more than that gains (1 to 2 points each way).
  int64_t panelGroup() const noexcept { return problem_.panels() > 8 ? 4 : 2; }

  // A matrix with a row for every term and a column for every row of the weights.
  struct Terms {
    const float* data;
    int64_t columns;
  };

  // With so few inputs tiles would be mostly padding. Instead a lane is a row: squares of the gate buffer are transposed in
  // registers, which gives the same sums, term after term.
  static constexpr int64_t narrowInputs = 4;

  void narrowInputsOf(Share rows, Share time) const noexcept {
    for (int64_t range = 0; range < living_.ranges(rows, time); ++range) {
      const Share own = living_.range(rows, time, range);
      const int64_t end = time.begin * problem_.batch + own.end;
      for (int64_t row = time.begin * problem_.batch + own.begin; row < end; row += Vector::width) {
        const int count = static_cast<int>(std::min<int64_t>(Vector::width, end - row));
        switch (problem_.inputs) {
          case 1: narrowRows<1>(row, count); break;
          case 2: narrowRows<2>(row, count); break;
          case 3: narrowRows<3>(row, count); break;
          default: narrowRows<4>(row, count);
        }
      }
    }
  }

  template <int inputs>
  void narrowRows(int64_t row, int count) const noexcept {
    constexpr int width = Vector::width;
    const Side side = problem_.inputSide();
    const float* weights = weights_.kernel;
    Vector sum[inputs];
    for (Vector& one : sum) one = zero();
    for (int64_t panel = 0; panel < problem_.panels(); ++panel) {
      const float* gates = gatesAt(panel, row) + side.first * segmentColumns;
      const int terms = problem_.segments(side, panel) * segmentColumns;
      for (int term = 0; term < terms; term += width) {
        Vector x[width];
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i) x[i] = load(gates + (i < count ? i : 0) * panelColumns + term);
        transpose(x);
#pragma GCC unroll 16
        for (int i = 0; i < width; ++i, weights += segmentColumns)
#pragma GCC unroll 4
          for (int input = 0; input < inputs; ++input) sum[input] = fma(x[i], broadcast(weights[input]), sum[input]);
      }
    }
    float* dx = call_.output(inputX) + row * inputs;
    for (int input = 0; input < inputs; ++input) {
      float lanes[width];
      store(lanes, sum[input]);
      for (int i = 0; i < count; ++i) dx[i * inputs + input] = lanes[i];
    }
  }

  float* gatesAt(int64_t panel, int64_t row) const noexcept { return gates_ + (panel * problem_.rows() + row) * panelColumns; }

  // Adds terms (living rows of the batch at all times) to rows `rows` of a weight gradient, in one panel. `firstTerm` is the very first;
  // after the last the sums go where they belong, until then they wait, packed: rows of a large gradient lie so far apart
  // that visiting them for every block costs 6 to 9 points of the peak.
  void accumulate(Side side, int64_t panel, Share terms, int64_t firstTerm, Terms a, Share rows, float* sums, float* gradient) const noexcept {
    Segment list[panelSegments];
    const int segments = problem_.listSegments(side, panel, list);
    float* waiting = sums + problem_.columnsBefore(side, panel) * a.columns;
    const bool last = terms.end == living_.total();
    Runs runs;
    living_.listRuns(terms, &runs);
    alignas(64) float tile[maximumTileRows * panelColumns];
    RunsTileOperands operands;
    operands.runs = &runs;
    operands.aStride = a.columns;
    operands.b = gatesAt(panel, 0) + side.first * segmentColumns;
    operands.bStride = panelColumns;
    operands.startStride = operands.toStride = segments * segmentColumns;
    forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int count) {
      operands.a = a.data + row;
      float* kept = waiting + row * operands.toStride;
      operands.start = terms.begin == firstTerm ? nullptr : kept;
      operands.to = last ? tile : kept;
      runTile<RunsTile>(operands, count, segments);
      if (last) unpackRows(tile, count, list, segments, gradient + row * problem_.width(), problem_.width());
    });
  }

  // The states before the steps: the given ones (if any) for the rows of the first step, then y of the step before.
  void hiddenTerms(int64_t panel, Share terms, int64_t firstTerm, Share hidden) const noexcept {
    float* gradient = call_.output(inputRecurrentKernel);
    if (problem_.masked) {
      const Share fed = {std::max(terms.begin, firstTerm), terms.end};
      if (fed.begin < fed.end)
        accumulate(problem_.recurrentSide(), panel, fed, firstTerm, {gates_ + problem_.fedAt(), problem_.hidden}, hidden, sums_.recurrentKernel, gradient);
      return;
    }
    const Share given = {std::max(terms.begin, firstTerm), std::min(terms.end, living_.alive(0))};
    if (given.begin < given.end)
      accumulate(problem_.recurrentSide(), panel, given, firstTerm, {call_.input(inputInitialHidden), problem_.hidden}, hidden,
                 sums_.recurrentKernel, gradient);
    const Share later = {std::max(terms.begin, living_.alive(0)), terms.end};
    if (later.begin < later.end)
      accumulate(problem_.recurrentSide(), panel, later, firstTerm, {call_.input(inputY) - problem_.batch * problem_.hidden, problem_.hidden}, hidden,
                 sums_.recurrentKernel, gradient);
  }

  void clearRows(Side side, float* gradient, Share panels, Share rows) const noexcept {
    Segment list[panelSegments];
    const float zeros[panelColumns] = {};
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int segments = problem_.listSegments(side, panel, list);
      for (int64_t row = rows.begin; row < rows.end; ++row) unpackRows(zeros, 1, list, segments, gradient + row * problem_.width(), problem_.width());
    }
  }

  // Where no row has a step: the kernels' gradients, but for the recurrent side and what ids give.
  void clearOthers(Share panels, Share inputs, Share units) const noexcept {
    if (!problem_.ids) clearRows(problem_.inputSide(), call_.output(inputKernel), panels, inputs);
    if (problem_.resetBefore()) clearRows(problem_.candidateSide(), call_.output(inputRecurrentKernel), panels, units);
  }
  static void clearSums(float* sums, Share panels) noexcept {
    std::memset(sums + panels.begin * panelColumns, 0, static_cast<std::size_t>((panels.end - panels.begin) * panelColumns) * sizeof(float));
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
      for (int64_t t = 0; t < problem_.time; ++t)
        for (int64_t row = t * problem_.batch, end = row + living_.alive(t); row < end; ++row)
          for (int s = 0; s < segments; ++s) {
            float* to = gradient + ids[row] * problem_.width() + list[s].column;
            storeFirst16(to, add(loadFirst16(to, list[s].count), load16(gatesAt(panel, row) + s * segmentColumns)), list[s].count);
          }
    }
  }

  // Adds the terms in order, then the sums of these (up to 256) terms to those of the terms before.
  void sumRows(int64_t panel, Share terms) const noexcept {
    float* total = sums_.biases + panel * panelColumns;
    Runs runs;
    living_.listRuns(terms, &runs);
    Lanes16 sum[panelSegments];
    for (int64_t index = 0; index < runs.count; ++index) {
      const Run run = runs.list[index];
      const float* gates = gatesAt(panel, run.first);
      for (int64_t row = 0; row < run.rows; ++row, gates += panelColumns) {
        const bool first = index == 0 && row == 0;
#pragma GCC unroll 4
        for (int s = 0; s < panelSegments; ++s) sum[s] = first ? load16(gates + s * segmentColumns) : add(sum[s], load16(gates + s * segmentColumns));
      }
    }
    for (int s = 0; s < panelSegments; ++s) {
      if (terms.begin > 0) sum[s] = add(load16(total + s * segmentColumns), sum[s]);
      store16(total + s * segmentColumns, sum[s]);
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

  // Peephole weights: as the biases, each gate gradient times the c that the gate looked at.
  void sumPeepholes(int64_t panel, Share terms) const noexcept {
    const int last = static_cast<int>(problem_.gates) - 2, output = static_cast<int>(problem_.gates) - 1;
    const int lanes = problem_.lanes(panel);
    const int64_t unit = panel * problem_.panelUnits();
    const float* after = gates_ + (problem_.keepsCandidates() ? problem_.candidatesAt() : problem_.cellsAt()) + unit;
    const float* cells = gates_ + problem_.cellsAt() + unit - problem_.batch * problem_.units;
    const float* initial = call_.input(inputInitialCell);
    Runs runs;
    living_.listRuns(terms, &runs);
    Lanes16 sum[panelSegments - 1];
    for (Lanes16& one : sum) one = broadcast16(0.0f);
    for (int64_t index = 0; index < runs.count; ++index)
      for (int64_t row = runs.list[index].first, end = row + runs.list[index].rows; row < end; ++row) {
        const float* gates = gatesAt(panel, row);
        if (row >= problem_.batch || initial != nullptr) {
          const Lanes16 before = loadFirst16(row < problem_.batch ? initial + row * problem_.units + unit : cells + row * problem_.units, lanes);
          for (int s = 0; s < last; ++s) sum[s] = fma(load16(gates + s * segmentColumns), before, sum[s]);
        }
        sum[last] = fma(load16(gates + output * segmentColumns), loadFirst16(after + row * problem_.units, lanes), sum[last]);
      }
    float* total = sums_.peepholes + panel * panelColumns;
    for (int s = 0; s <= last; ++s) {
      if (terms.begin > 0) sum[s] = add(load16(total + s * segmentColumns), sum[s]);
      store16(total + s * segmentColumns, sum[s]);
    }
  }
  void writePeepholes(Share panels) const noexcept {
    float* gradient = call_.output(inputPeephole);
    if (gradient == nullptr) return;
    for (int64_t panel = panels.begin; panel < panels.end; ++panel)
      for (int64_t s = 0; s + 1 < problem_.gates; ++s)
        storeFirst16(gradient + s * problem_.units + panel * problem_.panelUnits(), load16(sums_.peepholes + panel * panelColumns + s * segmentColumns),
                     problem_.lanes(panel));
  }

  // Rows `units` of the projection's gradient.
  void projection(Share units) const noexcept {
    float* gradient = call_.output(inputProjection);
    if (gradient == nullptr) return;
    Segment list[panelSegments];
    alignas(64) float tile[maximumTileRows * panelColumns];
    Runs runs;
    RunsTileOperands operands;
    operands.runs = &runs;
    operands.aStride = problem_.units;
    operands.bStride = operands.startStride = problem_.paddedHidden();
    const int64_t total = living_.total();
    if (total == 0)
      std::memset(gradient + units.begin * problem_.hidden, 0, static_cast<std::size_t>((units.end - units.begin) * problem_.hidden) * sizeof(float));
    for (int64_t term = 0; term < total; term += termBlock) {
      const bool last = term + termBlock >= total;
      living_.listRuns({term, std::min(total, term + termBlock)}, &runs);
      for (int64_t column = 0; column < problem_.hidden; column += panelColumns) {
        const int segments = plainSegments(column, problem_.hidden - column, list);
        operands.b = dProjected_ + column;
        forTiles(units.begin, units.end, tileRowsOf(segments), [&](int64_t unit, int count) {
          float* kept = sums_.projection + unit * problem_.paddedHidden() + column;
          operands.a = gates_ + problem_.unprojectedAt() + unit;
          operands.start = term == 0 ? nullptr : kept;
          operands.to = last ? tile : kept;
          operands.toStride = last ? segments * segmentColumns : problem_.paddedHidden();
          runTile<RunsTile>(operands, count, segments);
          if (last) unpackRows(tile, count, list, segments, gradient + unit * problem_.hidden, problem_.hidden);
        });
      }
    }
  }

  const Call& call_;
  const RecurrentProblem& problem_;
  const LivingRows& living_;
  const BackwardWeights& weights_;
  float* const gates_;
  const float* const resetHidden_;
  const float* const dProjected_;
  const GradientSums& sums_;
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
