// Recurrent cells with layer normalisation over whole sequences (formulas: normalized_recurrent_problem.h).
//
//   inputs   x [T, B, G*H] (input products), recurrentKernel [H, G*H], inputGain? [G*H] (LSTM and GRU: required),
//            recurrentGain [G*H], bias? [G*H], recurrentBias? [G*H] (GRU), cellGain? [H] (LSTM: required), cellBias? [H] (LSTM),
//            initialHidden? [B, H], initialCell? [B, H], lengths? [B] i32
//   outputs  y [T, B, H], finalHidden? [B, H], finalCell? [B, H]; and all of them or none, for the gradient: products
//            [T, B, G*H] (h U; of a simple RNN x + h U), gates [T, B, G*H] (or the sums they are taken of, where an activation is
//            an expression), cells [T, B, H] (LSTM), moments [T, B, 2n] (mean and reciprocal deviation of each group)
//   words    cell, f(epsilon), grouping (0 as in the paper, 1 each gate by itself), activations: gate, candidate, output
//
// Every step is the product of all rows a member has, then row by row what comes after it. The team shares the rows of the batch,
// and each member runs its rows through all steps by itself.
#include <algorithm>

#include "kernels/lengths.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/normalized_recurrent_rows.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace normalized {
namespace {

bool isTraining(const Signature& signature) noexcept { return signature.outputs[outputProducts].present; }

struct Workspace {
  Member* members = nullptr;
  // Without what training keeps, of one step:
  float *products = nullptr, *cells = nullptr;
  Moments* moments = nullptr;

  Workspace(const Problem& problem, bool training, int threads, Layout& layout, bool build) noexcept {
    members = buildMembers(problem, threads, layout, build);
    if (training) return;
    products = layout.take<float>(problem.batch * problem.width());
    moments = layout.take<Moments>(problem.batch * problem.momentsOfRow());
    if (problem.lstm()) cells = layout.take<float>(problem.batch * problem.units);
  }
};

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, forwardInputs, forwardOutputs, -1);
  checkNormalized(check, signature);
  check.output(outputY, Dtype::f32);
  for (int output = outputFinalHidden; output < forwardOutputs; ++output) check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return check.status();
  const Problem problem = problemOf(signature);
  const bool training = isTraining(signature);
  for (int output : {outputGates, outputMoments, outputCells})
    check.that(signature.outputs[output].present == (training && (output != outputCells || problem.lstm())), "output %d: all that is kept, or nothing", output);
  check.that(!signature.outputs[outputFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  checkRows(check, signature.inputs[inputInitialHidden], problem, problem.units, false, "initialHidden");
  checkRows(check, signature.inputs[inputInitialCell], problem, problem.units, false, "initialCell");
  checkRows(check, signature.outputs[outputY], problem, problem.units, true, "y");
  checkRows(check, signature.outputs[outputFinalHidden], problem, problem.units, false, "finalHidden");
  checkRows(check, signature.outputs[outputFinalCell], problem, problem.units, false, "finalCell");
  checkRows(check, signature.outputs[outputProducts], problem, problem.width(), true, "products");
  checkRows(check, signature.outputs[outputGates], problem, problem.width(), true, "gates");
  checkRows(check, signature.outputs[outputCells], problem, problem.units, true, "cells");
  checkRows(check, signature.outputs[outputMoments], problem, 2 * problem.momentsOfRow(), true, "moments");
  if (check.failed()) return check.status();
  Layout workspace;
  const Workspace space(problem, training, signature.threads, workspace, false);
  requirements->workspaceBytes = workspace.bytes();
  requirements->preparedBytes = packedFloats(problem) * static_cast<int64_t>(sizeof(float));
  requirements->preparedInputs = 1u << inputRecurrentKernel;
  return check.status();
}

class Forward {
 public:
  Forward(const Call& call, Layout layout) noexcept
      : call_(call), problem_(problemOf(*call.signature)), training_(isTraining(*call.signature)),
        space_(problem_, training_, call.team->size(), layout, true), keepsSums_(keepsSums(problem_)),
        weights_(static_cast<const float*>(call.prepared)) {}

  const Problem& problem() const noexcept { return problem_; }

  void run(const Crew& crew) const noexcept {
    const Share all = rowsOf(problem_, crew);
    if (all.begin == all.end) return;
    const int32_t* lengths = call_.inputIds(inputLengths);
    const Member& member = space_.members[crew.member];
    for (int64_t t = 0; t < problem_.time && !call_.team->stopping(); ++t) {
      const Share rows = livingRows(all, lengths, t);
      float* output = call_.output(outputY) + t * problem_.batch * problem_.units;
      std::fill(output + rows.end * problem_.units, output + all.end * problem_.units, 0.0f);
      const float* before = hiddenBefore(t);
      multiplyRows(rows, before, before == nullptr ? 0 : problem_.units, weights_, problem_.units,
                   problem_.simple() ? call_.input(inputX) + t * problem_.batch * problem_.width() : nullptr, productsOf(t), problem_.width());
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        if (problem_.lstm()) lstmRow(member, t, row);
        else if (problem_.gru()) gruRow(member, t, row);
        else simpleRow(member, t, row);
      }
    }
    for (int64_t row = all.begin; row < all.end; ++row) {
      const int64_t length = lengthOf(problem_, lengths, row);
      copyState(member, row, hiddenBefore(length), call_.output(outputFinalHidden));
      if (problem_.lstm()) copyState(member, row, cellsBefore(length), call_.output(outputFinalCell));
    }
  }

 private:
  void copyState(const Member& member, int64_t row, const float* from, float* to) const noexcept {
    if (to == nullptr) return;
    from = from == nullptr ? member.zeros : from + row * problem_.units;
    std::copy(from, from + problem_.units, to + row * problem_.units);
  }
  const float* hiddenBefore(int64_t t) const noexcept {
    return t == 0 ? call_.input(inputInitialHidden) : call_.output(outputY) + (t - 1) * problem_.batch * problem_.units;
  }
  const float* cellsBefore(int64_t t) const noexcept { return t == 0 ? call_.input(inputInitialCell) : cellsOf(t - 1); }
  float* productsOf(int64_t t) const noexcept {
    return training_ ? call_.output(outputProducts) + t * problem_.batch * problem_.width() : space_.products;
  }
  float* cellsOf(int64_t t) const noexcept {
    return training_ ? call_.output(outputCells) + t * problem_.batch * problem_.units : space_.cells;
  }

  // One row at one step.
  struct Row {
    const float *x, *products;
    float *sums, *values;  // of the gates; the same row, or two where the sums are kept
    float* hidden;
    Moments* moments;
  };
  Row rowAt(const Member& member, int64_t t, int64_t row) const noexcept {
    const int64_t index = t * problem_.batch + row, width = problem_.width();
    float* sums = training_ ? call_.output(outputGates) + index * width : member.rows[0];
    Moments* moments = training_ ? reinterpret_cast<Moments*>(call_.output(outputMoments)) + index * problem_.momentsOfRow()
                                 : space_.moments + row * problem_.momentsOfRow();
    return {call_.input(inputX) + index * width, productsOf(t) + row * width, sums, keepsSums_ ? member.rows[1] : sums,
            call_.output(outputY) + index * problem_.units, moments};
  }
  const float* orZeros(const Member& member, int input) const noexcept {
    return call_.input(input) == nullptr ? member.zeros : call_.input(input);
  }
  void bothMoments(const Row& row) const noexcept {
    problem_.forGroups([&](int group, int64_t column, int64_t columns) {
      momentsOf<2>({row.x + column, row.products + column}, columns, problem_.epsilon, {row.moments + group, row.moments + problem_.groups + group});
    });
  }

  void simpleRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const float *gain = call_.input(inputRecurrentGain), *bias = orZeros(member, inputBias);
    momentsOf<1>({row.products}, problem_.units, problem_.epsilon, {row.moments});
    overRow(problem_.units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector normal = normalize(loadRow(whole, row.products + at, lanes), *row.moments);
      storeRow(whole, row.sums + at, fma(loadRow(whole, gain + at, lanes), normal, loadRow(whole, bias + at, lanes)), lanes);
    });
    member.candidate.values(row.sums, row.values, problem_.units);
    std::copy(row.values, row.values + problem_.units, row.hidden);
  }

  void lstmRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const int64_t units = problem_.units;
    const float *inputGain = call_.input(inputInputGain), *recurrentGain = call_.input(inputRecurrentGain), *bias = orZeros(member, inputBias);
    bothMoments(row);
    problem_.forGroups([&](int group, int64_t column, int64_t columns) {
      const Moments ofX = row.moments[group], ofProducts = row.moments[problem_.groups + group];
      overRow(columns, [&](auto whole, int64_t from, int lanes) __attribute__((always_inline)) {
        const int64_t at = column + from;
        const Vector x = normalize(loadRow(whole, row.x + at, lanes), ofX), product = normalize(loadRow(whole, row.products + at, lanes), ofProducts);
        const Vector sum = fma(loadRow(whole, inputGain + at, lanes), x, loadRow(whole, bias + at, lanes));
        storeRow(whole, row.sums + at, fma(loadRow(whole, recurrentGain + at, lanes), product, sum), lanes);
      });
    });
    member.forActivations(problem_, [&](const RowActivation& activation, int64_t column, int64_t columns) {
      activation.values(row.sums + column, row.values + column, columns);
    });
    const float* before = cellsBefore(t) == nullptr ? member.zeros : cellsBefore(t) + index * units;
    float* cell = cellsOf(t) + index * units;
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const float* gates = row.values + at;
      const Vector written = multiply(loadRow(whole, gates, lanes), loadRow(whole, gates + 2 * units, lanes));
      storeRow(whole, cell + at, fma(loadRow(whole, gates + units, lanes), loadRow(whole, before + at, lanes), written), lanes);
    });
    Moments& ofCell = row.moments[2 * problem_.groups];
    momentsOf<1>({cell}, units, problem_.epsilon, {&ofCell});
    const float *cellGain = call_.input(inputCellGain), *cellBias = orZeros(member, inputCellBias);
    float* shown = member.unitRows[0];
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const Vector normal = normalize(loadRow(whole, cell + at, lanes), ofCell);
      storeRow(whole, shown + at, fma(loadRow(whole, cellGain + at, lanes), normal, loadRow(whole, cellBias + at, lanes)), lanes);
    });
    member.output.values(shown, shown, units);
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      storeRow(whole, row.hidden + at, multiply(loadRow(whole, row.values + 3 * units + at, lanes), loadRow(whole, shown + at, lanes)), lanes);
    });
  }

  void gruRow(const Member& member, int64_t t, int64_t index) const noexcept {
    const Row row = rowAt(member, t, index);
    const int64_t units = problem_.units;
    const float *inputGain = call_.input(inputInputGain), *recurrentGain = call_.input(inputRecurrentGain);
    const float *bias = orZeros(member, inputBias), *recurrentBias = orZeros(member, inputRecurrentBias);
    bothMoments(row);
    // Of one gate, body(whole, column, lanes, what comes from x, what comes from the state).
    const auto overGate = [&](int gate, auto&& body) __attribute__((always_inline)) {
      const int group = problem_.groupOf(gate);
      const Moments ofX = row.moments[group], ofProducts = row.moments[problem_.groups + group];
      overRow(units, [&](auto whole, int64_t from, int lanes) __attribute__((always_inline)) {
        const int64_t at = gate * units + from;
        const Vector x = normalize(loadRow(whole, row.x + at, lanes), ofX), product = normalize(loadRow(whole, row.products + at, lanes), ofProducts);
        body(whole, at, lanes, fma(loadRow(whole, inputGain + at, lanes), x, loadRow(whole, bias + at, lanes)),
             fma(loadRow(whole, recurrentGain + at, lanes), product, loadRow(whole, recurrentBias + at, lanes)));
      });
    };
    for (int gate = 0; gate < 2; ++gate)
      overGate(gate, [&](auto whole, int64_t at, int lanes, Vector x, Vector state) __attribute__((always_inline)) {
        storeRow(whole, row.sums + at, add(x, state), lanes);
      });
    member.gate.values(row.sums, row.values, 2 * units);
    overGate(2, [&](auto whole, int64_t at, int lanes, Vector x, Vector state) __attribute__((always_inline)) {
      storeRow(whole, row.sums + at, fma(loadRow(whole, row.values + at - 2 * units, lanes), state, x), lanes);
    });
    member.candidate.values(row.sums + 2 * units, row.values + 2 * units, units);
    const float* before = hiddenBefore(t) == nullptr ? member.zeros : hiddenBefore(t) + index * units;
    overRow(units, [&](auto whole, int64_t at, int lanes) __attribute__((always_inline)) {
      const float* gates = row.values + at;
      storeRow(whole, row.hidden + at,
               mixStates(loadRow(whole, gates + units, lanes), loadRow(whole, gates + 2 * units, lanes), loadRow(whole, before + at, lanes)), lanes);
    });
  }

  const Call& call_;
  const Problem problem_;
  const bool training_;
  const Workspace space_;
  const bool keepsSums_;
  const float* const weights_;
};

void prepare(const Call& call) noexcept {
  const Problem problem = problemOf(*call.signature);
  shareWork(*call.team, packingTime(problem), [&](const Crew& crew) {
    packKernel(problem, call.input(inputRecurrentKernel), crew, static_cast<float*>(call.prepared));
  });
}

Status run(const Call& call) noexcept {
  const Forward forward(call, Layout(call.workspace));
  const Status lengths = checkRowLengths(forward.problem(), call.inputIds(inputLengths));
  if (!lengths.isOk()) return lengths;
  shareWork(*call.team, workOf(forward.problem()), [&](const Crew& crew) { forward.run(crew); });
  return call.team->stopping() ? Status::error(Code::stopped, "the stream was stopped") : Status::ok();
}

}  // namespace
}  // namespace normalized

extern const Kernel normalizedRecurrent;
const Kernel normalizedRecurrent = {"normalizedRecurrent", normalized::verify, normalized::prepare, normalized::run};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
