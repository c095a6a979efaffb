// What the benchmarks run: a recurrent layer forward and backward, and a matrix product, on random data of their own.
#pragma once

#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <vector>

#include "test/kernel_call.h"

namespace mneme::bench {

using test::absent;
using test::KernelCall;
using test::Operand;

// Arrays in the engine's kind of memory: aligned, on huge pages.
class Arrays {
 public:
  float* take(int64_t count) {
    memories_.emplace_back();
    if (!Memory::allocate(count * static_cast<int64_t>(sizeof(float)), &memories_.back()).isOk()) std::abort();
    return memories_.back().floats();
  }
  Operand random(std::initializer_list<int64_t> shape, uint64_t seed, float scale) {
    const Operand result = empty(shape);
    const std::vector<float> values = test::uniform(result.type.count(), seed, scale);
    std::memcpy(result.data, values.data(), values.size() * sizeof(float));
    return result;
  }
  Operand empty(std::initializer_list<int64_t> shape) {
    Operand result;
    result.type.present = true;
    for (int64_t extent : shape) result.type.shape[result.type.rank++] = static_cast<int32_t>(extent);
    result.data = take(result.type.count());
    return result;
  }

 private:
  std::vector<Memory> memories_;
};

// Options of an LSTM. `projection`: columns of the hidden state, or 0; `zoneout`, `mask` and `ragged` also for other cells.
// `ragged`: rows of lengths that fall evenly from all steps to one batch-th of them; the operations are those of their steps.
struct LayerOptions {
  bool peepholes = false, coupled = false, zoneout = false, mask = false;
  int64_t projection = 0;
  bool ragged = false;
};

class RecurrentLayer {
 public:
  RecurrentLayer(const KernelTable& table, int32_t cell, bool resetAfter, int64_t time, int64_t batch, int64_t inputs, int64_t units, Team& team,
                 const LayerOptions& options = {}) {
    const int64_t gates = cell == 0 ? 1 : cell == 1 && !options.coupled ? 4 : 3, width = gates * units;
    const int64_t hidden = options.projection == 0 ? units : options.projection;
    int64_t rows = time * batch;
    for (int64_t row = 0; row < batch && options.ragged; ++row) rows -= row * time / batch;
    operations_ = 2.0 * static_cast<double>(rows) * static_cast<double>((inputs + hidden) * width + (options.projection == 0 ? 0 : units * hidden));
    const float one = 1.0f;
    int32_t oneWord;
    std::memcpy(&oneWord, &one, sizeof oneWord);
    // sigmoid and tanh with their derivatives, as expression code.
    const std::vector<int32_t> tanhWords = {2, 20, 1, 2, 1, 2, 2, oneWord, 6, 2, 0, 0, 0, 0, 23, 3, 2, 2, 1, 0, 2, 3};
    std::vector<int32_t> words = {cell, resetAfter | options.coupled << 1, 0, 1, 19, 1, 2, 0, 2, 2, 7, 1, 0, 0, 0, 0, 23, 2, 1, 1, 1, 0, 1, 2};
    for (int activation = 0; activation < 2; ++activation) words.insert(words.end(), tanhWords.begin(), tanhWords.end());
    const auto rounded = [](int64_t count) { return (count + 15) / 16 * 16; };
    const int64_t panels = cell == 0 ? (units + 63) / 64 : (units + 15) / 16;
    const int64_t states = (cell == 1 ? 2 : 0) + (options.zoneout && cell != 2 ? 1 : 0) + (options.projection != 0 ? 1 : 0);
    const Operand y = arrays_.empty({time, batch, hidden});
    const Operand tape = arrays_.empty({panels * time * batch * 64 + states * rounded(time * batch * units) + (options.mask ? rounded(time * batch * hidden) : 0)});
    std::vector<Operand> inputsOf = {arrays_.random({time, batch, inputs}, 1, 1), arrays_.random({inputs, width}, 2, 1 / std::sqrt(static_cast<float>(inputs))),
                                     arrays_.random({hidden, width}, 3, 1 / std::sqrt(static_cast<float>(hidden))), arrays_.random({width}, 4, 0.1f),
                                     absent(), absent(), absent()};
    inputsOf.push_back(options.peepholes ? arrays_.random({gates - 1, units}, 6, 0.1f) : absent());
    inputsOf.push_back(options.projection != 0 ? arrays_.random({units, hidden}, 7, 1 / std::sqrt(static_cast<float>(units))) : absent());
    inputsOf.push_back(options.mask ? draws({batch, hidden}, 8, 0.5f, 0, 2) : absent());
    inputsOf.push_back(options.zoneout ? draws({time, batch, hidden}, 9, 0.1f, 1, 0) : absent());
    inputsOf.push_back(options.zoneout && cell == 1 ? draws({time, batch, units}, 10, 0.1f, 1, 0) : absent());
    inputsOf.push_back(options.ragged ? fallingLengths(time, batch) : absent());
    forward_ = std::make_unique<KernelCall>(table, "recurrent", inputsOf, std::vector<Operand>{y, absent(), absent(), tape}, words, team);
    for (const Operand& more : {y, tape, arrays_.random({time, batch, hidden}, 5, 0.1f), absent(), absent()}) inputsOf.push_back(more);
    backward_ = std::make_unique<KernelCall>(table, "recurrentGradient", inputsOf,
                                             std::vector<Operand>{arrays_.empty({time, batch, inputs}), arrays_.empty({inputs, width}),
                                                                  arrays_.empty({hidden, width}), arrays_.empty({width}), absent(),
                                                                  arrays_.empty({batch, hidden}), absent(),
                                                                  options.peepholes ? arrays_.empty({gates - 1, units}) : absent(),
                                                                  options.projection != 0 ? arrays_.empty({units, hidden}) : absent()},
                                             words, team);
  }

  double forwardOperations() const { return operations_; }
  void forward() { forward_->run(); }
  void backward() { backward_->run(); }

 private:
  // One number with that probability, else the other.
  Operand draws(std::initializer_list<int64_t> shape, uint64_t seed, float probability, float drawn, float otherwise) {
    const Operand result = arrays_.random(shape, seed, 1);
    float* numbers = static_cast<float*>(result.data);
    for (int64_t i = 0; i < result.type.count(); ++i) numbers[i] = (numbers[i] + 1) / 2 < probability ? drawn : otherwise;
    return result;
  }

  Operand fallingLengths(int64_t time, int64_t batch) {
    for (int64_t row = 0; row < batch; ++row) lengths_.push_back(static_cast<int32_t>(time - row * time / batch));
    return test::operand(lengths_, {batch});
  }

  double operations_;
  std::vector<int32_t> lengths_;
  Arrays arrays_;
  std::unique_ptr<KernelCall> forward_, backward_;
};

class MatrixProduct {
 public:
  MatrixProduct(const KernelTable& table, int64_t rows, int64_t columns, int64_t terms, bool transposeA, bool transposeB, Team& team) {
    const Operand a = transposeA ? arrays_.random({terms, rows}, 1, 1) : arrays_.random({rows, terms}, 1, 1);
    const Operand b = transposeB ? arrays_.random({columns, terms}, 2, 1) : arrays_.random({terms, columns}, 2, 1);
    call_ = std::make_unique<KernelCall>(table, "matmul", std::vector<Operand>{a, b, absent()}, std::vector<Operand>{arrays_.empty({rows, columns})},
                                         std::vector<int32_t>{transposeA, transposeB}, team);
  }
  // With packing.
  void run() { call_->run(); }

 private:
  Arrays arrays_;
  std::unique_ptr<KernelCall> call_;
};

}  // namespace mneme::bench
