// What the benchmarks run beside layers and products: the update of parameters as an expression, and next to it the same
// loop written by hand; a norm; softmax cross entropy; the gradient of an embedding.
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

struct AdamArrays {
  float *parameter, *gradient, *first, *second;
};

// Adam as a compiler makes it from a plain loop, for each instruction set. The expression's five instructions compute the same.
// clang-format off
#define MNEME_ADAM_LOOP(name, attributes)                                                              \
  attributes inline void name(const AdamArrays& a, int64_t count) {                                    \
    float* __restrict parameter = a.parameter; const float* __restrict gradient = a.gradient;          \
    float* __restrict first = a.first; float* __restrict second = a.second;                            \
    for (int64_t i = 0; i < count; ++i) {                                                              \
      const float g = gradient[i];                                                                     \
      first[i] = __builtin_fmaf(0.9f, first[i], 0.1f * g);                                             \
      second[i] = __builtin_fmaf(0.999f, second[i], 0.001f * (g * g));                                 \
      parameter[i] = __builtin_fmaf(-0.001f, first[i] / (__builtin_sqrtf(second[i]) + 1e-8f), parameter[i]); \
    }                                                                                                  \
  }
// clang-format on
#if defined(__x86_64__)
MNEME_ADAM_LOOP(adamLoopAvx512, __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512"))))
MNEME_ADAM_LOOP(adamLoopAvx2, __attribute__((target("avx2,fma"))))
#endif
MNEME_ADAM_LOOP(adamLoopPortable, )
#undef MNEME_ADAM_LOOP

inline void adamLoop(const KernelTable& table, const AdamArrays& arrays, int64_t count) {
#if defined(__x86_64__)
  if (std::strcmp(table.instructionSet, "avx512") == 0) return adamLoopAvx512(arrays, count);
  if (std::strcmp(table.instructionSet, "avx2") == 0) return adamLoopAvx2(arrays, count);
#endif
  adamLoopPortable(arrays, count);
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
    for (const int64_t count : {10000, 100000, 1000000, 10000000}) addAdam(count);
    addNorm(1000000);
    addCrossEntropy(2500, 65);
    addCrossEntropy(400, 10000);
    addEmbeddingGradient(2500, 64, 65);
    addEmbeddingGradient(400, 200, 10000);
  }

 private:
  bool wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }
  GeneralKernel& own() { return *kernels_.emplace_back(std::make_unique<GeneralKernel>()); }
  void add(const std::string& name, int threads, std::function<void()> run) { cases_->push_back({name, 0, threads, std::move(run)}); }
  void add(const std::string& name, GeneralKernel& kernel) {
    add(name, team_.size(), [&kernel] { kernel.call->run(); });
  }
  Operand idsOf(GeneralKernel& kernel, int64_t count, int64_t limit) {
    std::vector<int32_t>& ids = kernel.ids.emplace_back(static_cast<std::size_t>(count));
    for (int64_t i = 0; i < count; ++i) ids[static_cast<std::size_t>(i)] = static_cast<int32_t>(i * 7919 % limit);
    return test::operand(ids, {count});
  }

  void addAdam(int64_t count) {
    const std::string name = "adam " + std::to_string(count);
    if (!wanted(name)) return;
    GeneralKernel& kernel = own();
    const Operand parameter = kernel.arrays.random({count}, 1, 1), gradient = kernel.arrays.random({count}, 2, 1);
    const Operand first = kernel.arrays.random({count}, 3, 1), second = kernel.arrays.empty({count});
    const Operand rate = kernel.arrays.random({1}, 4, 1e-3f);
    // Registers: 0 parameter, 1 gradient, 2 first, 3 second moment, 4 rate; 5-9 constants; 10-12 temporaries.
    std::vector<int32_t> words = {0, 5, 3, 5, 3, 5};
    for (const float constant : {0.9f, 0.1f, 0.999f, 0.001f, 1e-8f}) words.push_back(wordOf(constant));
    for (const int32_t word : {24, 10, 5, 2, 6, 1, 12, 11, 1, 1, 0, 0, 24, 11, 7, 3, 8, 11, 25, 12, 10, 11, 9, 0, 23, 12, 4, 12, 0, 0, 12, 10, 11}) words.push_back(word);
    kernel.call = std::make_unique<KernelCall>(table_, "map", std::vector<Operand>{parameter, gradient, first, second, rate},
                                               std::vector<Operand>{parameter, first, second}, words, team_);
    add(name, kernel);
    const AdamArrays arrays = {static_cast<float*>(parameter.data), static_cast<float*>(gradient.data), static_cast<float*>(first.data), static_cast<float*>(second.data)};
    add(name + " by hand, one thread", 1, [this, arrays, count] { adamLoop(table_, arrays, count); });
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
