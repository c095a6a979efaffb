// What the benchmarks run beside layers and products: a norm; softmax cross entropy; the gradient of an embedding; states that
// decay below the normal numbers.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/recurrent_layer.h"

namespace mneme::bench {

inline int32_t wordOf(float value) {
  int32_t word;
  std::memcpy(&word, &value, sizeof word);
  return word;
}

// One kernel with its data.
struct GeneralKernel {
  Arrays arrays;
  std::vector<std::vector<int32_t>> ids;
  std::unique_ptr<KernelCall> call;
};

// Adds the cases whose names contain `filter`; `kernels` owns what they run.
class GeneralCases {
 public:
  GeneralCases(const KernelTable& table, Team& team, const char* filter, std::vector<Case>* cases)
      : table_(table), team_(team), filter_(filter), cases_(cases) {
    addDecay(100000);
    addNorm(1000000);
    addCrossEntropy(2500, 65);
    addCrossEntropy(400, 10000);
    addEmbeddingGradient(2500, 64, 65);
    addEmbeddingGradient(400, 200, 10000);
  }

 private:
  bool wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }
  GeneralKernel& own() { return *kernels_.emplace_back(std::make_unique<GeneralKernel>()); }
  void add(const std::string& name, GeneralKernel& kernel) {
    cases_->push_back({name, 0, team_.size(), [&kernel] { kernel.call->run(); }});
  }
  Operand idsOf(GeneralKernel& kernel, int64_t count, int64_t limit) {
    std::vector<int32_t>& ids = kernel.ids.emplace_back(static_cast<std::size_t>(count));
    for (int64_t i = 0; i < count; ++i) ids[static_cast<std::size_t>(i)] = static_cast<int32_t>(i * 7919 % limit);
    return test::operand(ids, {count});
  }

  // state = 0.9 state + tiny, as a recurrent state decays: of normal numbers, and of such whose results are below 2^-126.
  void addDecay(int64_t count) {
    const std::string name = "decay " + std::to_string(count);
    if (!wanted(name)) return;
    GeneralKernel& kernel = own();
    const Operand decayed = kernel.arrays.empty({count});
    float* to = static_cast<float*>(decayed.data);
    const std::string normal = name + " of normal numbers";
    for (const float size : {1.0f, 1e-38f}) {
      const Operand state = kernel.arrays.random({count}, 1, size);
      const bool tiny = size < 1;
      GeneralKernel& one = own();
      one.call = std::make_unique<KernelCall>(table_, "map", std::vector<Operand>{state}, std::vector<Operand>{decayed},
                                               std::vector<int32_t>{0, 1, 1, 1, 1, 1, wordOf(0.9f), 12, 2, 0, 1, 0, 0, 2}, team_);
      cases_->push_back({tiny ? name + " into denormals" : normal, 0, team_.size(), [&one] { one.call->run(); }, tiny ? normal : ""});
      const float* from = static_cast<const float*>(state.data);
      const std::string byHand = name + " by hand, nothing flushed, ";
      cases_->push_back({byHand + (tiny ? "into denormals" : "of normal numbers"), 0, 1,
                         [from, to, count] {
                           for (int64_t i = 0; i < count; ++i) to[i] = 0.9f * from[i];
                         },
                         tiny ? byHand + "of normal numbers" : ""});
    }
  }

  void addNorm(int64_t count) {
    const std::string name = "sum of squares " + std::to_string(count);
    if (!wanted(name)) return;
    GeneralKernel& kernel = own();
    kernel.call = std::make_unique<KernelCall>(table_, "reduce", std::vector<Operand>{kernel.arrays.random({count}, 1, 1)}, std::vector<Operand>{kernel.arrays.empty({1})},
                                               std::vector<int32_t>{0, 0, wordOf(1), 1, 1, 0, 1, 1, 12, 1, 0, 0, 0, 0, 1}, team_);
    add(name, kernel);
  }

  void addCrossEntropy(int64_t rows, int64_t columns) {
    const std::string name = "softmax cross entropy " + std::to_string(rows) + "x" + std::to_string(columns);
    if (!wanted(name)) return;
    GeneralKernel& kernel = own();
    const Operand logits = kernel.arrays.random({rows, columns}, 1, 5), gradient = kernel.arrays.empty({rows, columns});
    kernel.call = std::make_unique<KernelCall>(table_, "softmaxCrossEntropy", std::vector<Operand>{logits, idsOf(kernel, rows, columns), test::absent()},
                                               std::vector<Operand>{kernel.arrays.empty({1}), gradient}, std::vector<int32_t>{wordOf(1), wordOf(0)}, team_);
    add(name, kernel);
  }

  void addEmbeddingGradient(int64_t positions, int64_t columns, int64_t rows) {
    const std::string name = "embedding gradient " + std::to_string(positions) + "x" + std::to_string(columns) + " of " + std::to_string(rows);
    if (!wanted(name)) return;
    GeneralKernel& kernel = own();
    const Operand dy = kernel.arrays.random({positions, columns}, 1, 1);
    kernel.call = std::make_unique<KernelCall>(table_, "embeddingGradient", std::vector<Operand>{idsOf(kernel, positions, rows), dy},
                                               std::vector<Operand>{kernel.arrays.empty({rows, columns})}, std::vector<int32_t>{}, team_);
    add(name, kernel);
  }

  const KernelTable& table_;
  Team& team_;
  std::string filter_;
  std::vector<Case>* cases_;
  std::vector<std::unique_ptr<GeneralKernel>> kernels_;
};

}  // namespace mneme::bench
