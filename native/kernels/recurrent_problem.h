// What `recurrent` and `recurrentGradient` share: sizes, activations, and how gates lie in memory.
//
//   simple   h' = act(x W + h U + b)
//   LSTM     i, f, o = gate(x W + h U + b), g = candidate(x W + h U + b);  c' = f c + i g,  h' = o output(c')
//            peepholes: i and f also add p c to their sums, o adds p c' (Gers, Schraudolph and Schmidhuber 2002)
//            coupled (CIFG, Greff et al. 2017): f = 1 - i, and there is no gate f
//            cellClip: c' is kept within +-cellClip; where it is not inside, its gradient is 0
//            projection (Sak, Senior and Beaufays 2014): h' = (o output(c')) R, of `hidden` columns
//   GRU      r, z = gate(x W + h U + b);  h' = (1 - z) n + z h with
//            n = act(x W + b + r (h U + recurrent b))   reset after the product
//            n = act(x W + b + (r h) U)                 reset before it
//
// Of any cell: what the products with U read may be h times a mask (one for all steps); and of the states a share k of the old one
// may stay: h' = k h + (1 - k) times the above, c' likewise (whose h' is still that of the cell's new c). Where k is exactly 1
// nothing else counts, also where it is NaN.
//
// The **gate buffer** holds, for every time step and row of the batch, rows of 64 floats, one panel after another:
// [panel][time * batch][64]. A panel of an LSTM is 16 units with segments i | f | g | o (coupled: i | g | o), of a GRU 16 units with
// n_x | z | r | n_h (n_x from the inputs, n_h from the state; before the reset n_h is not used), of a simple RNN 64 units.
// So the gates of a unit meet in one register tile. The rows are overwritten in place: input product, then activations (or,
// where the activations are expressions, the sums they are taken of), then their gradients; and are, as they lie, the A
// operand of the products that go backwards and the B operand of the weight gradients.
//
// To be included inside a target region.
#pragma once

#include "kernels/cell_activations.h"
#include "kernels/matmul_packing.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

enum class CellKind : int32_t { simple = 0, lstm = 1, gru = 2 };

// Segments of a gate buffer row, from one on.
struct Side {
  int first = 0;
  int segments = 0;
};

// How large the share of an old state is: for all, for each step and row, or for each number of the state.
enum class Keep : int32_t { none, number, rows, elements };

// Positions of the operands; the gradient's outputs are in the order of the first nine.
enum RecurrentInput { inputX, inputKernel, inputRecurrentKernel, inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell, inputPeephole,
                      inputProjection, inputRecurrentMask, inputHiddenKeep, inputCellKeep, inputLengths,
                      inputY, inputTape, inputDy, inputDFinalHidden, inputDFinalCell };
constexpr int forwardInputs = 13, backwardInputs = 18;
enum RecurrentOutput { outputY, outputFinalHidden, outputFinalCell, outputTape };
constexpr int forwardOutputs = 4, backwardOutputs = 9;

struct RecurrentProblem {
  int64_t time = 0, batch = 0, inputs = 0, units = 0;
  int64_t hidden = 0;  // columns of the hidden state: the units, or what they are projected to
  int64_t gates = 0;   // 1, 4 or 3
  CellKind cell = CellKind::simple;
  bool resetAfter = false;
  bool coupled = false, peepholes = false, projected = false, masked = false;
  Keep hiddenKeep = Keep::none, cellKeep = Keep::none;
  float cellClip = 0;  // 0: none
  bool ids = false;    // x are ids that stand for one-hot vectors
  bool ragged = false; // rows have lengths
  Activation gate, candidate, output;

  bool lstm() const noexcept { return cell == CellKind::lstm; }
  bool gru() const noexcept { return cell == CellKind::gru; }
  bool resetBefore() const noexcept { return gru() && !resetAfter; }
  // Activations whose derivative is known from their value and that are computed in registers.
  bool fast() const noexcept {
    if (cell != CellKind::simple)
      return gate.kind == ActivationKind::sigmoid && candidate.kind == ActivationKind::tanh && (!lstm() || output.kind == ActivationKind::tanh);
    return candidate.kind == ActivationKind::sigmoid || candidate.kind == ActivationKind::tanh || candidate.kind == ActivationKind::relu ||
           candidate.kind == ActivationKind::identity;
  }
  // The cells' results are the states, and what the next products read.
  bool plainStates() const noexcept { return !projected && !masked && hiddenKeep == Keep::none && cellKeep == Keep::none; }
  bool plainCell() const noexcept { return !coupled && !peepholes && cellClip == 0; }

  int64_t rows() const noexcept { return time * batch; }
  int64_t width() const noexcept { return gates * units; }
  int64_t panelUnits() const noexcept { return cell == CellKind::simple ? panelColumns : segmentColumns; }
  int64_t panels() const noexcept { return (units + panelUnits() - 1) / panelUnits(); }
  int lanes(int64_t panel) const noexcept {
    const int64_t left = units - panel * panelUnits();
    return static_cast<int>(left < panelUnits() ? left : panelUnits());
  }
  int64_t paddedUnits() const noexcept { return (units + segmentColumns - 1) / segmentColumns * segmentColumns; }
  int64_t paddedHidden() const noexcept { return (hidden + segmentColumns - 1) / segmentColumns * segmentColumns; }

  Side inputSide() const noexcept { return {0, gru() || coupled ? 3 : 4}; }
  Side recurrentSide() const noexcept { return gru() ? Side{1, resetAfter ? 3 : 2} : inputSide(); }
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

  // The tape: the gate buffer, then what there is of these, each [time * batch][units or hidden] and rounded up to 16.
  int64_t stateFloats() const noexcept { return (rows() * units + 15) / 16 * 16; }
  int64_t hiddenFloats() const noexcept { return (rows() * hidden + 15) / 16 * 16; }
  bool keepsCandidates() const noexcept { return (lstm() ? cellKeep : hiddenKeep) != Keep::none && !gru(); }
  int64_t cellsAt() const noexcept { return gateFloats(rows()); }                                  // c of an LSTM
  int64_t cellActivationsAt() const noexcept { return cellsAt() + (lstm() ? stateFloats() : 0); }  // output(c)
  // What an LSTM with a cell keep would have as c, or a simple RNN with a hidden keep as h, if nothing were kept.
  int64_t candidatesAt() const noexcept { return cellActivationsAt() + (lstm() ? stateFloats() : 0); }
  int64_t unprojectedAt() const noexcept { return candidatesAt() + (keepsCandidates() ? stateFloats() : 0); }  // o output(c)
  int64_t fedAt() const noexcept { return unprojectedAt() + (projected ? stateFloats() : 0); }  // what each step's products read: masked h
  int64_t tapeFloats() const noexcept { return fedAt() + (masked ? hiddenFloats() : 0); }
};

inline Keep keepOf(const OperandType& type) noexcept {
  return !type.present ? Keep::none : type.rank == 1 ? Keep::number : type.rank == 2 ? Keep::rows : Keep::elements;
}

inline RecurrentProblem recurrentProblem(const Signature& signature) noexcept {
  RecurrentProblem problem;
  const OperandType& x = signature.inputs[inputX];
  const int32_t* words = signature.words.data;
  problem.cell = static_cast<CellKind>(words[0]);
  problem.resetAfter = (words[1] & 1) != 0;
  problem.coupled = (words[1] & 2) != 0;
  std::memcpy(&problem.cellClip, words + 2, sizeof problem.cellClip);
  readActivations(words + 3, &problem.gate, &problem.candidate, &problem.output);
  problem.gates = problem.lstm() ? (problem.coupled ? 3 : 4) : problem.gru() ? 3 : 1;
  problem.peepholes = signature.inputs[inputPeephole].present;
  problem.projected = signature.inputs[inputProjection].present;
  problem.masked = signature.inputs[inputRecurrentMask].present;
  problem.hiddenKeep = keepOf(signature.inputs[inputHiddenKeep]);
  problem.cellKeep = keepOf(signature.inputs[inputCellKeep]);
  problem.ragged = signature.inputs[inputLengths].present;
  problem.time = x.shape[0];
  problem.batch = x.shape[1];
  problem.ids = x.dtype == Dtype::i32;
  problem.inputs = signature.inputs[inputKernel].shape[0];
  problem.hidden = signature.inputs[inputRecurrentKernel].shape[0];
  problem.units = problem.projected ? signature.inputs[inputProjection].shape[0] : problem.hidden;
  return problem;
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
