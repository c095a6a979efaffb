// What `normalizedRecurrent` and `normalizedRecurrentGradient` share: formulas, sizes, operands and packed weights.
//
// Cells with layer normalisation (Ba, Kiros and Hinton 2016, equation 4 and equations 20 to 26 of their supplement). x are the
// input products x W, N(v) = (v - mean v) / sqrt(variance v + epsilon) over a group of columns of one row, all products with
// gains and biases element by element:
//
//   simple   h' = act(recurrentGain N(x + h U) + bias)
//   LSTM     s = inputGain N(x) + recurrentGain N(h U) + bias;  i, f, o = gate(s), g = candidate(s)
//            c' = f c + i g,  h' = o output(cellGain N(c') + cellBias)
//   GRU      s = inputGain N(x) + bias, u = recurrentGain N(h U) + recurrentBias;  r, z = gate(s + u)
//            n = candidate(s + r u),  h' = (1 - z) n + z h
//
// A group of columns is all gates of an LSTM, and of a GRU r and z together, n by itself, as in the paper; or each gate by itself.
//
// Rows come with falling lengths: those that live in step t are the first ones. Of others nothing is read, and results are zero.
//
// To be included inside a target region, after kernels/operands.h, kernels/parallel.h and kernels/lengths.h.
#pragma once

#include "kernels/recurrent_cells.h"

namespace mneme::MNEME_TARGET_NAMESPACE::normalized {

// Positions of the operands; the gradient's outputs are in the order of the first ten (the gradient of h U at recurrentKernel).
enum Input { inputX, inputRecurrentKernel, inputInputGain, inputRecurrentGain, inputBias, inputRecurrentBias, inputCellGain, inputCellBias,
             inputInitialHidden, inputInitialCell, inputLengths, inputY, inputProducts, inputGates, inputCells, inputMoments, inputDy, inputDFinalHidden,
             inputDFinalCell };
constexpr int forwardInputs = 11, backwardInputs = 19;
enum Output { outputY, outputFinalHidden, outputFinalCell, outputProducts, outputGates, outputCells, outputMoments };
constexpr int forwardOutputs = 7, backwardOutputs = 10;

// Of a group of columns of one row: the mean and 1 / sqrt(variance + epsilon).
struct Moments {
  float mean = 0.0f, reciprocal = 0.0f;
};

struct Problem {
  int64_t time = 0, batch = 0, units = 0;
  CellKind cell = CellKind::simple;
  float epsilon = 0.0f;
  int groups = 1;
  int groupGates[4] = {1, 1, 1, 1};
  Activation gate, candidate, output;

  bool simple() const noexcept { return cell == CellKind::simple; }
  bool lstm() const noexcept { return cell == CellKind::lstm; }
  bool gru() const noexcept { return cell == CellKind::gru; }
  int64_t gates() const noexcept { return lstm() ? 4 : gru() ? 3 : 1; }
  int64_t width() const noexcept { return gates() * units; }
  int64_t paddedWidth() const noexcept { return (width() + segmentColumns - 1) / segmentColumns * segmentColumns; }
  int64_t paddedUnits() const noexcept { return (units + segmentColumns - 1) / segmentColumns * segmentColumns; }
  // Of a row at one step: of the groups of x (but of a simple RNN), of those of h U, of the state of an LSTM; two floats each.
  int64_t momentsOfRow() const noexcept { return (simple() ? groups : 2 * groups) + (lstm() ? 1 : 0); }

  int groupOf(int gate) const noexcept {
    int group = 0;
    for (int gates = groupGates[0]; gates <= gate; gates += groupGates[group]) ++group;
    return group;
  }
  // Calls body(group, first column, columns).
  template <typename Body>
  MNEME_INLINE void forGroups(Body&& body) const noexcept {
    int64_t column = 0;
    for (int group = 0; group < groups; ++group) {
      const int64_t columns = groupGates[group] * units;
      body(group, column, columns);
      column += columns;
    }
  }
};

inline Problem problemOf(const Signature& signature) noexcept {
  Problem problem;
  const int32_t* words = signature.words.data;
  problem.cell = static_cast<CellKind>(words[0]);
  __builtin_memcpy(&problem.epsilon, words + 1, sizeof problem.epsilon);
  readActivations(words + 3, &problem.gate, &problem.candidate, &problem.output);
  if (words[2] != 0) {
    problem.groups = static_cast<int>(problem.gates());
  } else if (problem.lstm()) {
    problem.groupGates[0] = 4;
  } else if (problem.gru()) {
    problem.groups = 2;
    problem.groupGates[0] = 2;
  }
  const OperandType& x = signature.inputs[inputX];
  problem.time = x.shape[0];
  problem.batch = x.shape[1];
  problem.units = signature.inputs[inputRecurrentKernel].shape[0];
  return problem;
}

// Checks the attribute words and the eleven inputs both operations begin with.
inline void checkNormalized(Check& check, const Signature& signature) noexcept {
  if (check.failed()) return;
  const Span<const int32_t> words = signature.words;
  check.that(words.size >= 3, "%lld attribute words", static_cast<long long>(words.size));
  if (check.failed()) return;
  check.that(words[0] >= 0 && words[0] <= 2, "there is no cell %d", words[0]);
  check.that(words[2] == 0 || words[2] == 1, "there is no grouping %d", words[2]);
  checkActivations(check, words, 3);
  if (check.failed()) return;
  check.input(inputX, Dtype::f32).input(inputRecurrentKernel, Dtype::f32).input(inputRecurrentGain, Dtype::f32);
  for (int input : {inputInputGain, inputBias, inputRecurrentBias, inputCellGain, inputCellBias, inputInitialHidden, inputInitialCell})
    check.optionalInput(input, Dtype::f32);
  check.optionalInput(inputLengths, Dtype::i32);
  if (check.failed()) return;
  const OperandType &x = signature.inputs[inputX], &kernel = signature.inputs[inputRecurrentKernel];
  check.that(x.rank == 3 && kernel.rank == 2, "x and the recurrent kernel have the ranks %d and %d", x.rank, kernel.rank);
  if (check.failed()) return;
  const Problem problem = problemOf(signature);
  check.that(kernel.shape[1] == problem.width() && x.shape[2] == problem.width(), "x and the recurrent kernel have %d and %d columns where %lld belong",
             x.shape[2], kernel.shape[1], static_cast<long long>(problem.width()));
  const auto vector = [&](int input, int64_t count, bool allowed, bool needed) {
    if (check.failed()) return;
    const OperandType& type = signature.inputs[input];
    check.that(type.present ? allowed && type.count() == count : !needed, "input %d belongs to another cell or has not %lld elements", input,
               static_cast<long long>(count));
  };
  vector(inputInputGain, problem.width(), !problem.simple(), !problem.simple());
  vector(inputRecurrentGain, problem.width(), true, true);
  vector(inputBias, problem.width(), true, false);
  vector(inputRecurrentBias, problem.width(), problem.gru(), false);
  vector(inputCellGain, problem.units, problem.lstm(), problem.lstm());
  vector(inputCellBias, problem.units, problem.lstm(), false);
  check.that(!signature.inputs[inputInitialCell].present || problem.lstm(), "only an LSTM has a cell state");
  const OperandType& lengths = signature.inputs[inputLengths];
  check.that(!lengths.present || (lengths.rank == 1 && lengths.shape[0] == problem.batch), "not one length for each of %lld rows",
             static_cast<long long>(problem.batch));
}

// Refuses lengths that are none, or that grow from row to row.
inline Status checkRowLengths(const Problem& problem, const int32_t* lengths) noexcept {
  if (lengths == nullptr) return Status::ok();
  return checkFallingLengths(lengths, problem.batch, problem.time);
}
inline int64_t lengthOf(const Problem& problem, const int32_t* lengths, int64_t row) noexcept {
  return lengths == nullptr ? problem.time : lengths[row];
}
// Those of some rows that live in step t.
inline Share livingRows(Share rows, const int32_t* lengths, int64_t t) noexcept {
  while (lengths != nullptr && rows.end > rows.begin && lengths[rows.end - 1] <= t) --rows.end;
  return rows;
}

// An operand [batch, columns] or, with `sequence`, [time, batch, columns]; an absent one fits.
inline void checkRows(Check& check, const OperandType& type, const Problem& problem, int64_t columns, bool sequence, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  const int32_t* shape = type.shape + (sequence ? 1 : 0);
  check.that(type.rank == (sequence ? 3 : 2) && (!sequence || type.shape[0] == problem.time) && shape[0] == problem.batch && shape[1] == columns,
             "%s is not %s%lld, %lld]", name, sequence ? "[time, " : "[", static_cast<long long>(problem.batch), static_cast<long long>(columns));
}

// Rows of the batch that stay together when the team shares them: they also share the sums of gradients of gains and biases.
constexpr int64_t rowsTogether = 4;
inline int64_t rowBlocks(const Problem& problem) noexcept { return (problem.batch + rowsTogether - 1) / rowsTogether; }
inline Share rowsOf(const Problem& problem, const Crew& crew) noexcept { return crew.share(problem.batch, rowsTogether); }

// All steps of one pass, in nanoseconds of one core; nothing to share where there are rows for one member only.
inline double workOf(const Problem& problem) noexcept {
  if (rowBlocks(problem) < 2) return 0;
  return 0.02 * static_cast<double>(problem.time * problem.batch * problem.width()) * static_cast<double>(problem.units + 100);
}
inline double packingTime(const Problem& problem) noexcept { return 0.4 * static_cast<double>(problem.units * problem.width()); }

// U in panels of 64 columns: [panel][unit][columns of the panel, rounded up to 16].
inline int64_t packedFloats(const Problem& problem) noexcept { return problem.paddedWidth() * problem.units; }
inline void packKernel(const Problem& problem, const float* kernel, const Crew& crew, float* to) noexcept {
  const Share panels = crew.share((problem.width() + panelColumns - 1) / panelColumns);
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    Segment segments[panelSegments];
    const int count = plainSegments(panel * panelColumns, problem.width() - panel * panelColumns, segments);
    packRows(kernel, problem.width(), problem.units, segments, count, to + panel * panelColumns * problem.units);
  }
}
// U transposed, in blocks of 64 units: [block][column of U, up to a multiple of 16][units of the block, rounded up to 16].
inline int64_t packedTransposedFloats(const Problem& problem) noexcept { return problem.paddedWidth() * problem.paddedUnits(); }
inline void packTransposedKernel(const Problem& problem, const float* kernel, const Crew& crew, float* to) noexcept {
  const Share blocks = crew.share((problem.units + panelColumns - 1) / panelColumns);
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int64_t first = block * panelColumns;
    const int units = static_cast<int>(problem.units - first < panelColumns ? problem.units - first : panelColumns);
    const int unitsPadded = (units + segmentColumns - 1) / segmentColumns * segmentColumns;
    for (int64_t column = 0; column < problem.width(); column += panelColumns) {
      Segment segments[panelSegments];
      const int count = plainSegments(column, problem.width() - column, segments);
      packTransposed(kernel + first * problem.width(), problem.width(), units, segments, count,
                     to + problem.paddedWidth() * first + column * unitsPadded);
    }
  }
}

// to[row] = start[row] + a[row] b for rows of the batch, over all columns of b, which is packed in panels of 64 columns.
// `start` may be null (zero) or `to`.
inline void multiplyRows(Share rows, const float* a, int64_t terms, const float* b, int64_t termsPacked, const float* start, float* to,
                         int64_t columns) noexcept {
  TileOperands operands;
  operands.aStride = terms;
  operands.terms = terms;
  operands.startStride = operands.toStride = columns;
  for (int64_t column = 0; column < columns; column += panelColumns) {
    const int count = static_cast<int>(columns - column < panelColumns ? columns - column : panelColumns);
    const int segments = (count + segmentColumns - 1) / segmentColumns;
    operands.b = b + column * termsPacked;
    operands.bStride = segments * segmentColumns;
    forTiles(rows.begin, rows.end, tileRowsOf(segments), [&](int64_t row, int tileRows) {
      operands.a = a + row * terms;
      operands.start = start == nullptr ? nullptr : start + row * columns + column;
      operands.to = to + row * columns + column;
      runClippedTile<PlainTile>(operands, tileRows, count);
    });
  }
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE::normalized
