// What `recurrent` and `recurrentGradient` share: sizes, activations, and how gates lie in memory.
//
//   simple   h' = act(x W + h U + b)
//   LSTM     i, f, o = gate(x W + h U + b), g = act(x W + h U + b);  c' = f c + i g,  h' = o act(c')
//   GRU      r, z = gate(x W + h U + b);  h' = (1 - z) n + z h with
//            n = act(x W + b + r (h U + recurrent b))   reset after the product
//            n = act(x W + b + (r h) U)                 reset before it
//
// The **gate buffer** holds, for every time step and row of the batch, rows of 64 floats, one panel after another:
// [panel][time * batch][64]. A panel of an LSTM is 16 units with segments i | f | g | o, of a GRU 16 units with
// n_x | z | r | n_h (n_x from the inputs, n_h from the state; before the reset n_h is not used), of a simple RNN 64 units.
// So the gates of a unit meet in one register tile. The rows are overwritten in place: input product, then activations (or,
// where the activations are expressions, the sums they are taken of), then their gradients; and are, as they lie, the A
// operand of the products that go backwards and the B operand of the weight gradients.
//
// To be included inside a target region.
#pragma once

#include "kernels/expression.h"
#include "kernels/matmul_packing.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

enum class CellKind : int32_t { simple = 0, lstm = 1, gru = 2 };
enum class ActivationKind : int32_t { expression = 0, sigmoid = 1, tanh = 2, relu = 3, identity = 4, softsign = 5 };

struct Activation {
  ActivationKind kind = ActivationKind::expression;
  const int32_t* code = nullptr;  // x -> value, derivative
};

// Segments of a gate buffer row, from one on.
struct Side {
  int first = 0;
  int segments = 0;
};

// Positions of the operands; the gradient's outputs are in the order of the first seven.
enum RecurrentInput { inputX, inputKernel, inputRecurrentKernel, inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell,
                      inputY, inputTape, inputDy, inputDFinalHidden, inputDFinalCell };
constexpr int forwardInputs = 7, backwardInputs = 12;
enum RecurrentOutput { outputY, outputFinalHidden, outputFinalCell, outputTape };
constexpr int forwardOutputs = 4, backwardOutputs = 7;

struct RecurrentProblem {
  int64_t time = 0, batch = 0, inputs = 0, units = 0;
  int64_t gates = 0;  // 1, 4 or 3
  CellKind cell = CellKind::simple;
  bool resetAfter = false;
  bool ids = false;  // x are ids that stand for one-hot vectors
  Activation gate, activation;

  bool lstm() const noexcept { return cell == CellKind::lstm; }
  bool gru() const noexcept { return cell == CellKind::gru; }
  bool resetBefore() const noexcept { return gru() && !resetAfter; }
  // Activations whose derivative is known from their value and that are computed in registers.
  bool fast() const noexcept {
    if (cell != CellKind::simple) return gate.kind == ActivationKind::sigmoid && activation.kind == ActivationKind::tanh;
    return activation.kind == ActivationKind::sigmoid || activation.kind == ActivationKind::tanh || activation.kind == ActivationKind::relu ||
           activation.kind == ActivationKind::identity;
  }

  int64_t rows() const noexcept { return time * batch; }
  int64_t width() const noexcept { return gates * units; }
  int64_t panelUnits() const noexcept { return cell == CellKind::simple ? panelColumns : segmentColumns; }
  int64_t panels() const noexcept { return (units + panelUnits() - 1) / panelUnits(); }
  int lanes(int64_t panel) const noexcept {
    const int64_t left = units - panel * panelUnits();
    return static_cast<int>(left < panelUnits() ? left : panelUnits());
  }
  int64_t paddedUnits() const noexcept { return (units + segmentColumns - 1) / segmentColumns * segmentColumns; }

  Side inputSide() const noexcept { return {0, gru() ? 3 : 4}; }
  Side recurrentSide() const noexcept { return gru() ? Side{1, resetAfter ? 3 : 2} : Side{0, 4}; }
  Side candidateSide() const noexcept { return {0, 1}; }  // of a GRU with reset before the product

  // How many of a side's segments a panel has.
  int segments(Side side, int64_t panel) const noexcept {
    return cell == CellKind::simple ? (lanes(panel) + segmentColumns - 1) / segmentColumns : side.segments;
  }
  // Where the lanes of a segment of a gate buffer row lie in the logical layout [gates * units].
  Segment segment(int64_t panel, int index) const noexcept {
    static constexpr int gateOfGru[] = {2, 1, 0, 2};
    if (cell == CellKind::simple) {
      const int left = lanes(panel) - index * segmentColumns;
      return {panel * panelColumns + index * segmentColumns, left < segmentColumns ? left : segmentColumns};
    }
    return {(lstm() ? index : gateOfGru[index]) * units + panel * segmentColumns, lanes(panel)};
  }
  int listSegments(Side side, int64_t panel, Segment* list) const noexcept {
    const int count = segments(side, panel);
    for (int s = 0; s < panelSegments && s < count; ++s) list[s] = segment(panel, side.first + s);
    return count;
  }
  // Columns of the side in all panels before this one.
  int64_t columnsBefore(Side side, int64_t panel) const noexcept { return panel * side.segments * segmentColumns; }
  int64_t columns(Side side) const noexcept { return columnsBefore(side, panels() - 1) + segments(side, panels() - 1) * segmentColumns; }

  int64_t gateFloats(int64_t ofRows) const noexcept { return panels() * ofRows * panelColumns; }
  int64_t stateFloats() const noexcept { return (rows() * units + 15) / 16 * 16; }
  int64_t tapeFloats() const noexcept { return gateFloats(rows()) + (lstm() ? 2 * stateFloats() : 0); }
};

inline RecurrentProblem recurrentProblem(const Signature& signature) noexcept {
  RecurrentProblem problem;
  const OperandType& x = signature.inputs[inputX];
  const int32_t* words = signature.words.data;
  problem.cell = static_cast<CellKind>(words[0]);
  problem.resetAfter = words[1] != 0;
  problem.gate = {static_cast<ActivationKind>(words[2]), words + 4};
  const int32_t* next = words + 4 + words[3];
  problem.activation = {static_cast<ActivationKind>(next[0]), next + 2};
  problem.gates = problem.lstm() ? 4 : problem.gru() ? 3 : 1;
  problem.time = x.shape[0];
  problem.batch = x.shape[1];
  problem.ids = x.dtype == Dtype::i32;
  problem.inputs = signature.inputs[inputKernel].shape[0];
  problem.units = signature.inputs[inputRecurrentKernel].shape[0];
  return problem;
}

// Checks the attribute words and the seven inputs both operations begin with.
inline void checkRecurrent(Check& check, const Signature& signature) noexcept {
  if (check.failed()) return;
  const Span<const int32_t> words = signature.words;
  check.that(words.size >= 4, "%lld attribute words", static_cast<long long>(words.size));
  if (check.failed()) return;
  check.that(words[0] >= 0 && words[0] <= 2, "there is no cell %d", words[0]);
  int64_t at = 2;
  for (int i = 0; i < 2 && !check.failed(); ++i) {
    check.that(at + 2 <= words.size && words[at] >= 0 && words[at] <= 5 && words[at + 1] >= 0 && at + 2 + words[at + 1] <= words.size,
               "activation %d is cut short or unknown", i);
    if (check.failed()) return;
    Expression expression;
    int64_t taken = 0;
    check.keep(verifyExpression({words.data + at + 2, words[at + 1]}, &expression, &taken));
    check.that(taken == words[at + 1], "activation %d is %lld words, not %d", i, static_cast<long long>(taken), words[at + 1]);
    check.that(expression.inputs == 1 && expression.outputs == 2, "activation %d: one input and two outputs belong, not %d and %d", i,
               expression.inputs, expression.outputs);
    at += 2 + words[at + 1];
  }
  check.that(at == words.size, "%lld attribute words are left over", static_cast<long long>(words.size - at));
  if (check.failed()) return;
  const bool ids = signature.inputs[inputX].present && signature.inputs[inputX].dtype == Dtype::i32;
  check.input(inputX, ids ? Dtype::i32 : Dtype::f32).input(inputKernel, Dtype::f32).input(inputRecurrentKernel, Dtype::f32);
  for (int input : {inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell}) check.optionalInput(input, Dtype::f32);
  if (check.failed()) return;
  const OperandType &x = signature.inputs[inputX], &kernel = signature.inputs[inputKernel], &recurrent = signature.inputs[inputRecurrentKernel];
  check.that(x.rank == (ids ? 2 : 3), "x has the rank %d", x.rank).that(kernel.rank == 2, "the kernel has the rank %d", kernel.rank);
  check.that(recurrent.rank == 2, "the recurrent kernel has the rank %d", recurrent.rank);
  if (check.failed()) return;
  const RecurrentProblem problem = recurrentProblem(signature);
  check.that(ids || x.shape[2] == problem.inputs, "x has %d features, the kernel has rows for %lld", x.shape[2], static_cast<long long>(problem.inputs));
  check.that(kernel.shape[1] == problem.width() && recurrent.shape[1] == problem.width(), "the kernels have %d and %d columns where %lld belong",
             kernel.shape[1], recurrent.shape[1], static_cast<long long>(problem.width()));
  for (int input : {inputBias, inputRecurrentBias})
    if (signature.inputs[input].present)
      check.that(signature.inputs[input].count() == problem.width(), "the bias has %lld elements where %lld belong",
                 static_cast<long long>(signature.inputs[input].count()), static_cast<long long>(problem.width()));
  check.that(!signature.inputs[inputRecurrentBias].present || (problem.gru() && problem.resetAfter),
             "only a GRU that resets after the product has a recurrent bias");
  check.that(!signature.inputs[inputInitialCell].present || problem.lstm(), "only an LSTM has a cell state");
}

// A state [batch, units], given or wanted.
inline void checkState(Check& check, const OperandType& type, const RecurrentProblem& problem, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(type.rank == 2 && type.shape[0] == problem.batch && type.shape[1] == problem.units, "%s is not [%lld, %lld]", name,
             static_cast<long long>(problem.batch), static_cast<long long>(problem.units));
}
inline void checkSequence(Check& check, const OperandType& type, const RecurrentProblem& problem, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(type.rank == 3 && type.shape[0] == problem.time && type.shape[1] == problem.batch && type.shape[2] == problem.units,
             "%s is not [%lld, %lld, %lld]", name, static_cast<long long>(problem.time), static_cast<long long>(problem.batch),
             static_cast<long long>(problem.units));
}

// Refuses ids outside the kernel's rows.
inline Status checkIds(const RecurrentProblem& problem, const int32_t* ids) noexcept {
  for (int64_t position = 0; position < problem.rows(); ++position)
    if (ids[position] < 0 || ids[position] >= problem.inputs)
      return Status::error(Code::outOfRange, "id %d at [%lld, %lld] (time, row) is outside 0..%lld", ids[position],
                           static_cast<long long>(position / problem.batch), static_cast<long long>(position % problem.batch),
                           static_cast<long long>(problem.inputs - 1));
  return Status::ok();
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
