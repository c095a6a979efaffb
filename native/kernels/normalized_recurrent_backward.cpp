// The way back through cells with layer normalisation (formulas: normalized_recurrent_problem.h).
//
//   inputs   those of normalizedRecurrent, then y [T, B, H], products [T, B, G*H], gates [T, B, G*H], cells? [T, B, H] (LSTM),
//            moments [T, B, 2n], dy? [T, B, H], dFinalHidden? [B, H], dFinalCell? [B, H]
//   outputs  dx [T, B, G*H] (may be x or gates), dProducts? [T, B, G*H] (the gradient of h U, but of a simple RNN, where it is dx;
//            may be products or gates), and where wanted the gradients of inputGain, recurrentGain, bias, recurrentBias, cellGain,
//            cellBias, initialHidden and initialCell
//   words    those of normalizedRecurrent
//
// The gradient of the recurrent kernel is a product of y and dProducts, which whoever wants it makes of the operations there are.
//
// The gradients of gains and biases are added up by blocks of four rows of the batch: in each block the rows in order within a step,
// the steps from the last to the first; then the blocks in order.
#include <algorithm>

#include "kernels/lengths.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/normalized_recurrent_rows.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace normalized {
namespace {

// Gradients that wait to be complete.
struct Workspace {
  Member* members = nullptr;
  float *hidden = nullptr, *cell = nullptr;  // of the states after the step at hand
  float* sums = nullptr;                     // of gains and biases, by blocks of rows

  Workspace(const Problem& problem, int threads, Layout& layout, bool build) noexcept {
    members = buildMembers(problem, threads, layout, build);
    hidden = layout.take<float>(problem.batch * problem.units);
    if (problem.lstm()) cell = layout.take<float>(problem.batch * problem.units);
    sums = layout.take<float>(rowBlocks(problem) * sumsOfBlock(problem));
  }
  static int64_t sumsOfBlock(const Problem& problem) noexcept { return 4 * problem.width() + 2 * problem.units; }
};

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, backwardInputs, backwardOutputs, -1);
  checkNormalized(check, signature);
  for (int input : {inputY, inputProducts, inputGates, inputMoments}) check.input(input, Dtype::f32);
  for (int input : {inputCells, inputDy, inputDFinalHidden, inputDFinalCell}) check.optionalInput(input, Dtype::f32);
  check.output(inputX, Dtype::f32);
  for (int output = 1; output < backwardOutputs; ++output) check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return check.status();
  const Problem problem = problemOf(signature);
  const Span<const OperandType> inputs = signature.inputs, outputs = signature.outputs;
  check.that(inputs[inputCells].present == problem.lstm(), "an LSTM, and only it, keeps its cells");
  check.that(!inputs[inputDFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  check.that(outputs[inputRecurrentKernel].present != problem.simple(), "all cells but the simple one have gradients of products");
  for (int input = inputInputGain; input <= inputInitialCell; ++input)
    check.that(!outputs[input].present || (inputs[input].present && outputs[input].count() == inputs[input].count()),
               "output %d is no gradient of input %d", input, input);
  checkRows(check, inputs[inputInitialHidden], problem, problem.units, false, "initialHidden");
  checkRows(check, inputs[inputInitialCell], problem, problem.units, false, "initialCell");
  checkRows(check, inputs[inputY], problem, problem.units, true, "y");
  checkRows(check, inputs[inputProducts], problem, problem.width(), true, "products");
  checkRows(check, inputs[inputGates], problem, problem.width(), true, "gates");
  checkRows(check, inputs[inputCells], problem, problem.units, true, "cells");
  checkRows(check, inputs[inputMoments], problem, 2 * problem.momentsOfRow(), true, "moments");
  checkRows(check, inputs[inputDy], problem, problem.units, true, "dy");
  checkRows(check, inputs[inputDFinalHidden], problem, problem.units, false, "dFinalHidden");
  checkRows(check, inputs[inputDFinalCell], problem, problem.units, false, "dFinalCell");
  checkRows(check, outputs[inputX], problem, problem.width(), true, "dx");
  checkRows(check, outputs[inputRecurrentKernel], problem, problem.width(), true, "dProducts");
  if (check.failed()) return check.status();
  Layout workspace;
  const Workspace space(problem, signature.threads, workspace, false);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = packedTransposedFloats(problem) * static_cast<int64_t>(sizeof(float));
  requirements->preparedInputs = 1u << inputRecurrentKernel;
  return check.status();
}

class Backward {
 public:
  Backward(const Call& call, Layout layout) noexcept
      : call_(call), problem_(problemOf(*call.signature)), space_(problem_, call.team->size(), layout, true), keepsSums_(keepsSums(problem_)),
        weights_(static_cast<const float*>(call.prepared)) {}

  const Problem& problem() const noexcept { return problem_; }

  void run(const Crew& crew) const noexcept {
    const Share rows = rowsOf(problem_, crew);
    if (rows.begin < rows.end) runRows(space_.members[crew.member], rows);
    crew.barrier();
    const int64_t width = problem_.width();
    int64_t offset = 0;
    for (int input = inputInputGain; input <= inputCellBias; ++input) {
      const int64_t columns = input < inputCellGain ? width : problem_.units;
      if (float* gradient = call_.output(input)) addBlocks(offset, crew.share(columns, segmentColumns), gradient);
      offset += columns;
    }
  }

 private:
  void runRows(const Member& member, Share all) const noexcept {
    const int64_t units = problem_.units, first = all.begin * units, end = all.end * units;
    const int64_t block = Workspace::sumsOfBlock(problem_);
    std::fill(space_.sums + all.begin / rowsTogether * block, space_.sums + (all.end + rowsTogether - 1) / rowsTogether * block, 0.0f);
    const auto begin = [&](const float* given, float* to) {
      if (given == nullptr) std::fill(to + first, to + end, 0.0f);
      else std::copy(given + first, given + end, to + first);
    };
    begin(call_.input(inputDFinalHidden), space_.hidden);
    if (problem_.lstm()) begin(call_.input(inputDFinalCell), space_.cell);
    const int32_t* lengths = call_.inputIds(inputLengths);
    for (int64_t row = all.begin; row < all.end; ++row) {
      const int64_t last = lengthOf(problem_, lengths, row) - 1;
      const float* dy = last < 0 ? nullptr : dyOf(last);
      for (int64_t i = row * units; dy != nullptr && i < (row + 1) * units; ++i) space_.hidden[i] += dy[i];
    }
    const bool toStart = call_.output(inputInitialHidden) != nullptr;
    for (int64_t t = problem_.time - 1; t >= 0 && !call_.team->stopping(); --t) {
      const Share rows = livingRows(all, lengths, t);
      clear({rows.end, all.end}, t, call_.output(inputX));
      clear({rows.end, all.end}, t, call_.output(inputRecurrentKernel));
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        if (problem_.lstm()) lstmRow(member, t, row);
        else if (problem_.gru()) gruRow(member, t, row);
        else simpleRow(member, t, row);
      }
      if (t > 0 || toStart) {
        const float* dProducts = call_.output(problem_.simple() ? inputX : inputRecurrentKernel) + t * problem_.batch * problem_.width();
        multiplyRows(rows, dProducts, problem_.width(), weights_, problem_.paddedWidth(), space_.hidden, space_.hidden, units);
      }
    }
    if (toStart) std::copy(space_.hidden + first, space_.hidden + end, call_.output(inputInitialHidden) + first);
    if (float* cell = call_.output(inputInitialCell)) std::copy(space_.cell + first, space_.cell + end, cell + first);
  }

  void clear(Share rows, int64_t t, float* gradient) const noexcept {
    if (gradient == nullptr) return;
    gradient += t * problem_.batch * problem_.width();
    std::fill(gradient + rows.begin * problem_.width(), gradient + rows.end * problem_.width(), 0.0f);
  }
  const float* dyOf(int64_t t) const noexcept {
    return call_.input(inputDy) == nullptr ? nullptr : call_.input(inputDy) + t * problem_.batch * problem_.units;
  }

  // One row at one step.
  struct Row {
    const float *x, *products;
    const float *values, *derivatives;  // of the gates; the derivatives only where they are expressions
    const Moments* moments;
    float* dHidden;
    const float* dyBefore;  // of the step before, or zeros
    float *dx, *dProducts;
    float *dInputGain, *dRecurrentGain, *dBias, *dRecurrentBias, *dCellGain, *dCellBias;
  };
  Row rowAt(const Member& member, int64_t t, int64_t row) const noexcept {
    const int64_t index = t * problem_.batch + row, width = problem_.width(), units = problem_.units;
    const float* gates = call_.input(inputGates) + index * width;
    if (keepsSums_)
      member.forActivations(problem_, [&](const RowActivation& activation, int64_t column, int64_t columns) {
        activation.values(gates + column, member.rows[0] + column, columns, member.rows[1] + column);
      });
    float* products = call_.output(inputRecurrentKernel);
    float* sums = space_.sums + row / rowsTogether * Workspace::sumsOfBlock(problem_);
    return {call_.input(inputX) + index * width, call_.input(inputProducts) + index * width,
            keepsSums_ ? member.rows[0] : gates, member.rows[1],
            reinterpret_cast<const Moments*>(call_.input(inputMoments)) + index * problem_.momentsOfRow(),
            space_.hidden + row * units, t > 0 && dyOf(t - 1) != nullptr ? dyOf(t - 1) + row * units : member.zeros,
            call_.output(inputX) + index * width, products == nullptr ? nullptr : products + index * width,
            sums, sums + width, sums + 2 * width, sums + 3 * width, sums + 4 * width, sums + 4 * width + units};
  }
  // The state before the step, or zeros.
  const float* before(const Member& member, int initial, int sequence, int64_t t, int64_t row) const noexcept {
    const float* state = t == 0 ? call_.input(initial) : call_.input(sequence) + (t - 1) * problem_.batch * problem_.units;
    return state == nullptr ? member.zeros : state + row * problem_.units;
  }
  void slopes(const Member& member, const Row& row, float* d) const noexcept {
    member.forActivations(problem_, [&](const RowActivation& activation, int64_t column, int64_t columns) {
      activation.slopes(row.values + column, row.derivatives + column, d + column, columns);
    });
  }

  void simpleRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const int64_t units = problem_.units;
    float* d = member.rows[2];
    std::copy(row.dHidden, row.dHidden + units, d);
    slopes(member, row, d);
    normalizeBackward(d, call_.input(inputRecurrentGain), row.products, *row.moments, units, row.dRecurrentGain, row.dBias, row.dx);
    std::copy(row.dyBefore, row.dyBefore + units, row.dHidden);
  }

  void lstmRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const int64_t units = problem_.units;
    const float *cell = call_.input(inputCells) + (t * problem_.batch + index) * units, *cellBefore = before(member, inputInitialCell, inputCells, t, index);
    const float *cellGain = call_.input(inputCellGain), *cellBias = call_.input(inputCellBias) == nullptr ? member.zeros : call_.input(inputCellBias);
    const Moments ofCell = row.moments[2 * problem_.groups];
    float *d = member.rows[2], *shown = member.unitRows[0], *derivative = member.unitRows[1], *dShown = member.unitRows[2];
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector normal = normalize(loadRow(whole, cell + at, lanes), ofCell);
      storeRow(whole, shown + at, fma(loadRow(whole, cellGain + at, lanes), normal, loadRow(whole, cellBias + at, lanes)), lanes);
    });
    member.output.values(shown, shown, units, derivative);
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector dh = loadRow(whole, row.dHidden + at, lanes);
      storeRow(whole, d + 3 * units + at, multiply(dh, loadRow(whole, shown + at, lanes)), lanes);
      storeRow(whole, dShown + at, multiply(dh, loadRow(whole, row.values + 3 * units + at, lanes)), lanes);
      storeRow(whole, row.dHidden + at, loadRow(whole, row.dyBefore + at, lanes), lanes);
    });
    member.output.slopes(shown, derivative, dShown, units);
    float* throughNorm = derivative;
    normalizeBackward(dShown, cellGain, cell, ofCell, units, row.dCellGain, row.dCellBias, throughNorm);
    float* carry = space_.cell + index * units;
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const float* gates = row.values + at;
      const Vector dc = add(loadRow(whole, carry + at, lanes), loadRow(whole, throughNorm + at, lanes));
      storeRow(whole, d + at, multiply(dc, loadRow(whole, gates + 2 * units, lanes)), lanes);
      storeRow(whole, d + units + at, multiply(dc, loadRow(whole, cellBefore + at, lanes)), lanes);
      storeRow(whole, d + 2 * units + at, multiply(dc, loadRow(whole, gates, lanes)), lanes);
      storeRow(whole, carry + at, multiply(dc, loadRow(whole, gates + units, lanes)), lanes);
    });
    slopes(member, row, d);
    bothBackward(row, d, d, nullptr);
  }

  void gruRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const int64_t units = problem_.units, n = 2 * units;
    const float* hiddenBefore = before(member, inputInitialHidden, inputY, t, index);
    const float* gain = call_.input(inputRecurrentGain) + n;
    const float* bias = call_.input(inputRecurrentBias) == nullptr ? member.zeros : call_.input(inputRecurrentBias) + n;
    const Moments ofProducts = row.moments[problem_.groups + problem_.groupOf(2)];
    float *d = member.rows[2], *dState = member.rows[3];
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector dh = loadRow(whole, row.dHidden + at, lanes), z = loadRow(whole, row.values + units + at, lanes);
      storeRow(whole, d + n + at, fnma(dh, z, dh), lanes);
      storeRow(whole, d + units + at, multiply(dh, subtract(loadRow(whole, hiddenBefore + at, lanes), loadRow(whole, row.values + n + at, lanes))), lanes);
      storeRow(whole, row.dHidden + at, fma(dh, z, loadRow(whole, row.dyBefore + at, lanes)), lanes);
    });
    member.candidate.slopes(row.values + n, row.derivatives + n, d + n, units);
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector normal = normalize(loadRow(whole, row.products + n + at, lanes), ofProducts), dn = loadRow(whole, d + n + at, lanes);
      const Vector fromState = fma(loadRow(whole, gain + at, lanes), normal, loadRow(whole, bias + at, lanes));
      storeRow(whole, d + at, multiply(dn, fromState), lanes);
      storeRow(whole, dState + n + at, multiply(dn, loadRow(whole, row.values + at, lanes)), lanes);
    });
    member.gate.slopes(row.values, row.derivatives, d, n);
    std::copy(d, d + n, dState);
    bothBackward(row, d, dState, row.dRecurrentBias);
  }

  // Through both normalised products of a row, from the gradients of what they give.
  void bothBackward(const Row& row, const float* d, const float* dState, float* dRecurrentBias) const noexcept {
    const float *inputGain = call_.input(inputInputGain), *recurrentGain = call_.input(inputRecurrentGain);
    problem_.forGroups([&](int group, int64_t column, int64_t columns) {
      normalizeBackward(d + column, inputGain + column, row.x + column, row.moments[group], columns, row.dInputGain + column, row.dBias + column,
                        row.dx + column);
      normalizeBackward(dState + column, recurrentGain + column, row.products + column, row.moments[problem_.groups + group], columns,
                        row.dRecurrentGain + column, dRecurrentBias == nullptr ? nullptr : dRecurrentBias + column, row.dProducts + column);
    });
  }

  // The sums of all blocks, from `offset` on.
  void addBlocks(int64_t offset, Share columns, float* to) const noexcept {
    const int64_t stride = Workspace::sumsOfBlock(problem_);
    const float* from = space_.sums + offset;
    std::copy(from + columns.begin, from + columns.end, to + columns.begin);
    for (int64_t block = 1; block < rowBlocks(problem_); ++block) {
      from += stride;
      for (int64_t i = columns.begin; i < columns.end; ++i) to[i] += from[i];
    }
  }

  const Call& call_;
  const Problem problem_;
  const Workspace space_;
  const bool keepsSums_;
  const float* const weights_;
};

void prepare(const Call& call) noexcept {
  const Problem problem = problemOf(*call.signature);
  shareWork(*call.team, packingTime(problem), [&](const Crew& crew) {
    packTransposedKernel(problem, call.input(inputRecurrentKernel), crew, static_cast<float*>(call.prepared));
  });
}

Status run(const Call& call) noexcept {
  const Backward backward(call, Layout(call.workspace));
  const Status lengths = checkRowLengths(backward.problem(), call.inputIds(inputLengths));
  if (!lengths.isOk()) return lengths;
  shareWork(*call.team, workOf(backward.problem()), [&](const Crew& crew) { backward.run(crew); });
  return call.team->stopping() ? Status::error(Code::stopped, "the stream was stopped") : Status::ok();
}

}  // namespace
}  // namespace normalized

extern const Kernel normalizedRecurrentGradient;
const Kernel normalizedRecurrentGradient = {"normalizedRecurrentGradient", normalized::verify, normalized::prepare, normalized::run, 0,
                                            1u << normalized::inputX | 1u << normalized::inputProducts | 1u << normalized::inputGates};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
