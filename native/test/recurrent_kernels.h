// Runs recurrent and recurrentGradient on data of every option, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "test/check.h"
#include "test/kernel_call.h"
#include "test/recurrent_reference.h"

namespace mneme::test {

struct RecurrentOptions {
  bool ids = false, bias = true, initial = true, dy = true, dFinal = true, dx = true;
  bool byExpression = false;  // say nothing of the kind of activation
  // Of an LSTM. `projection`: the share of the units that are left.
  bool coupled = false, peepholes = false, clip = false;
  float projection = 0;
  bool mask = false;
  // 0 absent, 1 a number, 2 by row, 3 for each number of the state; 4 as 2, with all or nothing.
  int hiddenKeep = 0, cellKeep = 0;
  const char* output = nullptr;  // activation; null: the candidate's
};

inline std::vector<float> makeKeep(int kind, int64_t rows, int64_t columns, uint64_t seed) {
  if (kind == 0) return {};
  if (kind == 1) return {0.25f};
  std::vector<float> keep = uniform(kind == 3 ? rows * columns : rows, seed);
  for (float& one : keep) one = one > 0.6f || (kind == 4 && one > 0) ? 1.0f : one < -0.6f || kind == 4 ? 0.0f : 0.5f + one / 2;
  return keep;
}

inline RecurrentData makeData(Cell cell, int64_t time, int64_t batch, int64_t inputs, int64_t units, const RecurrentOptions& options, const char* gate = "sigmoid",
                       const char* activation = "tanh") {
  RecurrentData data;
  data.cell = cell;
  data.time = time, data.batch = batch, data.inputs = inputs, data.units = units;
  data.gate = &activationFunction(gate), data.candidate = &activationFunction(activation);
  data.output = &activationFunction(options.output == nullptr ? activation : options.output);
  const bool lstm = cell == Cell::lstm, projected = lstm && options.projection != 0;
  data.coupled = lstm && options.coupled;
  data.cellClip = lstm && options.clip ? 0.5f : 0.0f;
  data.hidden = projected ? std::max<int64_t>(1, static_cast<int64_t>(options.projection * static_cast<float>(units))) : units;
  const int64_t rows = time * batch, width = data.width(), hidden = data.hidden;
  if (options.ids) {
    uint64_t seed = 7;
    for (int64_t row = 0; row < rows; ++row) data.ids.push_back(static_cast<int32_t>((nextUniform(seed) + 1) / 2 * static_cast<float>(inputs)));
  } else {
    data.x = uniform(rows * inputs, 1);
  }
  data.kernel = uniform(inputs * width, 2, 1 / std::sqrt(static_cast<float>(options.ids ? 1 : inputs)));
  data.recurrentKernel = uniform(hidden * width, 3, 1 / std::sqrt(static_cast<float>(units)));
  if (options.bias) data.bias = uniform(width, 4);
  if (options.bias && cell == Cell::gruAfter) data.recurrentBias = uniform(width, 5);
  if (options.initial) data.initialHidden = uniform(batch * hidden, 6);
  if (options.initial && lstm) data.initialCell = uniform(batch * units, 7);
  if (options.dy) data.dy = uniform(rows * hidden, 8);
  if (options.dFinal) data.dFinalHidden = uniform(batch * hidden, 9);
  if (options.dFinal && lstm) data.dFinalCell = uniform(batch * units, 10);
  if (lstm && options.peepholes) data.peephole = uniform((data.gates() - 1) * units, 11);
  if (projected) data.projection = uniform(units * hidden, 12, 1 / std::sqrt(static_cast<float>(units)));
  if (options.mask) {
    data.recurrentMask = uniform(batch * hidden, 13);
    for (float& one : data.recurrentMask) one = one < 0 ? 0.0f : 1.25f;
  }
  data.hiddenKeep = makeKeep(options.hiddenKeep, rows, hidden, 14);
  if (lstm) data.cellKeep = makeKeep(options.cellKeep, rows, units, options.cellKeep == 4 ? 14 : 15);
  return data;
}

inline Operand optionalOperand(std::vector<float>& data, std::initializer_list<int64_t> shape) { return data.empty() ? absent() : operand(data, shape); }

inline Operand keepOperand(std::vector<float>& data, int64_t T, int64_t B, int64_t columns) {
  if (data.size() <= 1) return optionalOperand(data, {1});
  return static_cast<int64_t>(data.size()) == T * B && columns != 1 ? operand(data, {T, B}) : operand(data, {T, B, columns});
}

inline std::vector<int32_t> wordsOf(const RecurrentData& data, bool byExpression = false) {
  std::vector<int32_t> words = {std::min(static_cast<int32_t>(data.cell), 2), (data.cell == Cell::gruAfter) | data.coupled << 1, floatWord(data.cellClip)};
  for (const ActivationFunction* function : {data.gate, data.candidate, data.output}) {
    words.push_back(byExpression ? 0 : function->kind);
    words.push_back(static_cast<int32_t>(function->code.size()));
    words.insert(words.end(), function->code.begin(), function->code.end());
  }
  return words;
}

inline int64_t tapeFloats(const RecurrentData& data) {
  const int64_t rows = data.time * data.batch, H = data.units;
  const auto rounded = [](int64_t count) { return (count + 15) / 16 * 16; };
  const bool lstm = data.cell == Cell::lstm, candidates = lstm ? !data.cellKeep.empty() : data.cell == Cell::simple && !data.hiddenKeep.empty();
  const int64_t states = (lstm ? 2 : 0) + (candidates ? 1 : 0) + (data.projection.empty() ? 0 : 1);
  return (data.cell == Cell::simple ? (H + 63) / 64 : (H + 15) / 16) * rows * 64 + states * rounded(rows * H) +
         (data.recurrentMask.empty() ? 0 : rounded(rows * data.hidden));
}

// Everything the two kernels give. Outputs and tape begin as NaN, so what is not written shows.
inline RecurrentResult<float> runKernels(RecurrentData data, const RecurrentOptions& options, const KernelTable& table, Team& team, bool inference = false,
                                  Code expected = Code::ok) {
  const int64_t T = data.time, B = data.batch, I = data.inputs, H = data.units, P = data.hidden, N = data.width();
  const bool lstm = data.cell == Cell::lstm;
  RecurrentResult<float> result;
  const auto fresh = [](int64_t count) { return std::vector<float>(static_cast<std::size_t>(count), NAN); };
  result.y = fresh(T * B * P);
  result.finalHidden = fresh(B * P);
  if (lstm) result.finalCell = fresh(B * H);
  std::vector<float> tape = fresh(tapeFloats(data));
  const std::vector<int32_t> words = wordsOf(data, options.byExpression);
  std::vector<Operand> inputs = {data.ids.empty() ? operand(data.x, {T, B, I}) : operand(data.ids, {T, B}), operand(data.kernel, {I, N}),
                                 operand(data.recurrentKernel, {P, N}), optionalOperand(data.bias, {N}), optionalOperand(data.recurrentBias, {N}),
                                 optionalOperand(data.initialHidden, {B, P}), optionalOperand(data.initialCell, {B, H}), optionalOperand(data.peephole, {data.gates() - 1, H}),
                                 optionalOperand(data.projection, {H, P}), optionalOperand(data.recurrentMask, {B, P}), keepOperand(data.hiddenKeep, T, B, P),
                                 keepOperand(data.cellKeep, T, B, H), data.lengths.empty() ? absent() : operand(data.lengths, {B})};
  KernelCall forward(table, "recurrent", inputs,
                     {operand(result.y, {T, B, P}), operand(result.finalHidden, {B, P}), optionalOperand(result.finalCell, {B, H}),
                      inference ? absent() : operand(tape, {static_cast<int64_t>(tape.size())})},
                     words, team);
  Status status = forward.run();
  if (status.code != expected) std::printf("  %s\n", status.message);
  MNEME_CHECK(status.code == expected);
  if (inference) return result;

  result.dKernel = fresh(I * N);
  result.dRecurrentKernel = fresh(P * N);
  if (options.dx && data.ids.empty()) result.dx = fresh(T * B * I);
  if (options.bias) result.dBias = fresh(N);
  if (!data.recurrentBias.empty()) result.dRecurrentBias = fresh(N);
  if (options.initial) result.dInitialHidden = fresh(B * P);
  if (options.initial && lstm) result.dInitialCell = fresh(B * H);
  if (!data.peephole.empty()) result.dPeephole = fresh((data.gates() - 1) * H);
  if (!data.projection.empty()) result.dProjection = fresh(H * P);
  inputs.push_back(operand(result.y, {T, B, P}));
  inputs.push_back(operand(tape, {static_cast<int64_t>(tape.size())}));
  inputs.push_back(optionalOperand(data.dy, {T, B, P}));
  inputs.push_back(optionalOperand(data.dFinalHidden, {B, P}));
  inputs.push_back(optionalOperand(data.dFinalCell, {B, H}));
  KernelCall backward(table, "recurrentGradient", inputs,
                      {optionalOperand(result.dx, {T, B, I}), operand(result.dKernel, {I, N}), operand(result.dRecurrentKernel, {P, N}),
                       optionalOperand(result.dBias, {N}), optionalOperand(result.dRecurrentBias, {N}), optionalOperand(result.dInitialHidden, {B, P}),
                       optionalOperand(result.dInitialCell, {B, H}), optionalOperand(result.dPeephole, {data.gates() - 1, H}), optionalOperand(result.dProjection, {H, P})},
                      words, team);
  status = backward.run();
  if (status.code != expected) std::printf("  %s\n", status.message);
  MNEME_CHECK(status.code == expected);
  return result;
}

}  // namespace mneme::test
