// Weights of a recurrent cell as its products read them, all in one block that `prepare` fills.
//
// To be included inside a target region, after kernels/operands.h and kernels/parallel.h.
#pragma once

#include "kernels/recurrent_problem.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// Columns of weights in panel order: [panel][row][columns of the side in the panel].
inline void packWeights(const RecurrentProblem& problem, Side side, const float* weights, int64_t rows, Share panels, float* to) noexcept {
  Segment list[panelSegments];
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const int count = problem.listSegments(side, panel, list);
    packRows(weights, problem.width(), rows, list, count, to + problem.columnsBefore(side, panel) * rows);
  }
}

// The transposed weights, for products that go back to what the weights' rows stand for (inputs or units), 64 of them a block:
// [block][column of the side, in panel order][rows of the block, rounded up to 16].
inline int64_t transposedFloats(const RecurrentProblem& problem, Side side, int64_t rows) noexcept {
  return problem.columns(side) * ((rows + segmentColumns - 1) / segmentColumns * segmentColumns);
}
inline void packTransposedWeights(const RecurrentProblem& problem, Side side, const float* weights, int64_t rows, Share blocks, float* to) noexcept {
  Segment list[panelSegments];
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int64_t first = block * panelColumns;
    const int count = static_cast<int>(rows - first < panelColumns ? rows - first : panelColumns);
    const int width = (count + segmentColumns - 1) / segmentColumns * segmentColumns;
    float* at = to + problem.columns(side) * first;
    for (int64_t panel = 0; panel < problem.panels(); ++panel) {
      const int segments = problem.listSegments(side, panel, list);
      packTransposed(weights + first * problem.width(), problem.width(), count, list, segments, at);
      at += segments * segmentColumns * width;
    }
  }
}

// The candidate's recurrent weights of a GRU that resets before the product, in blocks of 64 units: [block][unit][64].
inline void packCandidate(const RecurrentProblem& problem, const float* recurrentKernel, Share blocks, float* to) noexcept {
  Segment list[panelSegments];
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int count = plainSegments(2 * problem.units + block * panelColumns, problem.units - block * panelColumns, list);
    packRows(recurrentKernel, problem.width(), problem.units, list, count, to + block * panelColumns * problem.units);
  }
}

// Biases in panel order, zeros where there is none. Where `second` is given (the recurrent bias of the gates), it is added to the
// segments from `secondFrom` on.
inline void packBias(const RecurrentProblem& problem, Side side, const float* bias, float* to, const float* second = nullptr, int secondFrom = 0) noexcept {
  for (int64_t panel = 0; panel < problem.panels(); ++panel)
    for (int s = 0; s < problem.segments(side, panel); ++s) {
      const Segment segment = problem.segment(panel, side.first + s);
      Lanes16 sum = broadcast16(0.0f);
      if (bias != nullptr) sum = loadFirst16(bias + segment.column, segment.count);
      if (second != nullptr && s >= secondFrom) sum = add(sum, loadFirst16(second + segment.column, segment.count));
      store16(to + problem.columnsBefore(side, panel) + s * segmentColumns, sum);
    }
}

inline int64_t unitBlocks(int64_t units) noexcept { return (units + panelColumns - 1) / panelColumns; }

// The projection in blocks of 64 columns: [block][unit][columns of the block, rounded up to 16].
inline void packProjection(const RecurrentProblem& problem, const float* projection, Share blocks, float* to) noexcept {
  Segment list[panelSegments];
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int count = plainSegments(block * panelColumns, problem.hidden - block * panelColumns, list);
    packRows(projection, problem.hidden, problem.units, list, count, to + block * panelColumns * problem.units);
  }
}
// Transposed, in blocks of 64 units: [block][column][units of the block, rounded up to 16].
inline void packTransposedProjection(const RecurrentProblem& problem, const float* projection, Share blocks, float* to) noexcept {
  Segment list[panelSegments];
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int64_t first = block * panelColumns, left = problem.units - first;
    const int count = static_cast<int>(left < panelColumns ? left : panelColumns);
    const int width = (count + segmentColumns - 1) / segmentColumns * segmentColumns;
    float* at = to + problem.paddedHidden() * first;
    for (int64_t column = 0; column < problem.hidden; column += panelColumns) {
      const int segments = plainSegments(column, problem.hidden - column, list);
      packTransposed(projection + first * problem.hidden, problem.hidden, count, list, segments, at);
      at += segments * segmentColumns * width;
    }
  }
}

struct ForwardWeights {
  float *kernel = nullptr, *recurrentKernel = nullptr, *candidate = nullptr, *projection = nullptr, *bias = nullptr, *recurrentBias = nullptr;

  ForwardWeights(const RecurrentProblem& problem, Layout& layout) noexcept {
    if (!problem.ids) kernel = layout.take<float>(problem.columns(problem.inputSide()) * problem.inputs);
    recurrentKernel = layout.take<float>(problem.columns(problem.recurrentSide()) * problem.hidden);
    if (problem.resetBefore()) candidate = layout.take<float>(problem.paddedUnits() * problem.units);
    if (problem.projected) projection = layout.take<float>(problem.paddedHidden() * problem.units);
    bias = layout.take<float>(problem.columns(problem.inputSide()));
    if (problem.gru() && problem.resetAfter) recurrentBias = layout.take<float>(problem.paddedUnits());
  }

  void pack(const RecurrentProblem& problem, const Call& call, const Crew& crew) const noexcept {
    const Share panels = crew.share(problem.panels());
    if (kernel != nullptr) packWeights(problem, problem.inputSide(), call.input(inputKernel), problem.inputs, panels, kernel);
    packWeights(problem, problem.recurrentSide(), call.input(inputRecurrentKernel), problem.hidden, panels, recurrentKernel);
    if (candidate != nullptr) packCandidate(problem, call.input(inputRecurrentKernel), crew.share(unitBlocks(problem.units)), candidate);
    if (projection != nullptr) packProjection(problem, call.input(inputProjection), crew.share(unitBlocks(problem.hidden)), projection);
    if (crew.member > 0) return;
    // Only the candidate's recurrent bias (n_x is segment 0) lies behind the reset gate.
    packBias(problem, problem.inputSide(), call.input(inputBias), bias, call.input(inputRecurrentBias), 1);
    if (recurrentBias != nullptr) packBias(problem, {3, 1}, call.input(inputRecurrentBias), recurrentBias);
  }
};

struct BackwardWeights {
  float *kernel = nullptr, *recurrentKernel = nullptr, *candidate = nullptr, *projection = nullptr;

  // `towardsInputs`: the gradient of x is wanted.
  BackwardWeights(const RecurrentProblem& problem, bool towardsInputs, Layout& layout) noexcept {
    if (towardsInputs) kernel = layout.take<float>(transposedFloats(problem, problem.inputSide(), problem.inputs));
    recurrentKernel = layout.take<float>(transposedFloats(problem, problem.recurrentSide(), problem.hidden));
    if (problem.projected) projection = layout.take<float>(problem.paddedHidden() * problem.paddedUnits());
    if (problem.resetBefore()) candidate = layout.take<float>(transposedFloats(problem, problem.candidateSide(), problem.units));
  }

  void pack(const RecurrentProblem& problem, const Call& call, const Crew& crew) const noexcept {
    const Share blocks = crew.share(unitBlocks(problem.units));
    if (kernel != nullptr)
      packTransposedWeights(problem, problem.inputSide(), call.input(inputKernel), problem.inputs, crew.share(unitBlocks(problem.inputs)), kernel);
    packTransposedWeights(problem, problem.recurrentSide(), call.input(inputRecurrentKernel), problem.hidden, crew.share(unitBlocks(problem.hidden)),
                          recurrentKernel);
    if (projection != nullptr) packTransposedProjection(problem, call.input(inputProjection), blocks, projection);
    if (candidate != nullptr) packTransposedWeights(problem, problem.candidateSide(), call.input(inputRecurrentKernel), problem.units, blocks, candidate);
  }
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
