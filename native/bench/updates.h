// Updates of parameters as training runs them: the instruction is read from a file that bench/updaters.mjs writes. Beside each
// runs the same loop written by hand, which a compiler turns into vectors, on the same arrays and as many threads.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/recurrent_layer.h"

namespace mneme::bench {

struct AdamArrays {
  float *parameter, *gradient, *first, *second;
};
struct AdamNumbers {
  float scale, rate, offset;
};

// clang-format off
#define MNEME_ADAM_LOOP(name, attributes)                                                              \
  attributes inline void name(const AdamArrays& a, const AdamNumbers& by, int64_t begin, int64_t end) {       \
    float* __restrict parameter = a.parameter; const float* __restrict gradient = a.gradient;          \
    float* __restrict first = a.first; float* __restrict second = a.second;                            \
    for (int64_t i = begin; i < end; ++i) {                                                            \
      const float g = by.scale * gradient[i];                                                          \
      first[i] = __builtin_fmaf(0.9f, first[i], 0.1f * g);                                             \
      second[i] = __builtin_fmaf(0.999f, second[i], 0.001f * (g * g));                                 \
      parameter[i] -= by.rate * first[i] / (__builtin_sqrtf(second[i]) + by.offset);                   \
    }                                                                                                  \
  }
// clang-format on
#if defined(__x86_64__)
MNEME_ADAM_LOOP(adamLoopAvx512, __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512"))))
MNEME_ADAM_LOOP(adamLoopAvx2, __attribute__((target("avx2,fma"))))
#endif
MNEME_ADAM_LOOP(adamLoopPortable, )
#undef MNEME_ADAM_LOOP

inline void adamLoop(const KernelTable& table, const AdamArrays& arrays, const AdamNumbers& numbers, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (std::strcmp(table.instructionSet, "avx512") == 0) return adamLoopAvx512(arrays, numbers, begin, end);
  if (std::strcmp(table.instructionSet, "avx2") == 0) return adamLoopAvx2(arrays, numbers, begin, end);
#endif
  adamLoopPortable(arrays, numbers, begin, end);
}

class UpdateCases {
 public:
  UpdateCases(const KernelTable& table, Team& team, const char* file, std::vector<Case>* cases) : table_(table), team_(team), cases_(cases) {
    std::ifstream stream(file);
    std::string line;
    while (std::getline(stream, line)) {
      if (line.compare(0, 7, "update ") == 0) add(stream, line.substr(7));
    }
  }

 private:
  struct Update {
    Arrays arrays;
    Operand parameters, gradient, states[2];
    std::unique_ptr<KernelCall> proven, guarded;
  };

  static Operand scalar(Update& update, float value) {
    Operand operand = update.arrays.empty({1});
    *static_cast<float*>(operand.data) = value;
    return operand;
  }

  void add(std::ifstream& stream, const std::string& name) {
    Update& update = *updates_.emplace_back(std::make_unique<Update>());
    int64_t count = 0, inputCount = 0, wordCount = 0;
    stream >> count >> inputCount;
    update.parameters = update.arrays.random({count}, 1, 1);
    update.gradient = update.arrays.random({count}, 2, 1e-3f);
    update.states[0] = update.arrays.random({count}, 3, 1e-3f);
    update.states[1] = update.arrays.empty({count});
    std::vector<Operand> inputs;
    for (int64_t input = 0; input < inputCount; ++input) {
      std::string kind;
      stream >> kind;
      float value = 0;
      if (kind == "number") stream >> value, inputs.push_back(scalar(update, value));
      else inputs.push_back(kind == "parameters" ? update.parameters : kind == "gradient" ? update.gradient : update.states[kind.back() - '0']);
    }
    AdamNumbers numbers = {0.5f, 0, 0};
    stream >> numbers.rate >> numbers.offset >> wordCount;
    std::vector<int32_t> words(static_cast<std::size_t>(wordCount));
    for (int32_t& word : words) stream >> word;
    Operand flag = update.arrays.empty({1});
    flag.type.dtype = Dtype::i32;
    const std::vector<Operand> outputs = {update.parameters, update.states[0], update.states[1]};
    const auto make = [&](const std::vector<Operand>& more, const std::vector<int32_t>& code) {
      std::vector<Operand> all = outputs;
      all.insert(all.end(), more.begin(), more.end());
      auto call = std::make_unique<KernelCall>(table_, "map", inputs, all, code, team_);
      if (!call->status().isOk()) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), call->status().message);
        std::exit(1);
      }
      return call;
    };
    update.proven = make({update.arrays.empty({6}), flag}, words);
    // Without the proof: one result less, and the first evaluation is made.
    std::vector<int32_t> unproven = words;
    unproven[0] = 1;
    unproven[2] -= 1;
    unproven.pop_back();
    update.guarded = make({flag}, unproven);
    const AdamArrays arrays = {static_cast<float*>(update.parameters.data), static_cast<float*>(update.gradient.data),
                               static_cast<float*>(update.states[0].data), static_cast<float*>(update.states[1].data)};
    const std::string byHand = name + " by hand";
    cases_->push_back({byHand, 0, team_.size(), [this, arrays, numbers, count] {
                         if (team_.size() == 1) return adamLoop(table_, arrays, numbers, 0, count);
                         team_.run([&](int member) {
                           const Share share = shareOf(count, member, team_.size(), 16);
                           adamLoop(table_, arrays, numbers, share.begin, share.end);
                         });
                       }});
    cases_->push_back({name + " proven", 0, team_.size(), [&update] { update.proven->run(); }, byHand});
    cases_->push_back({name + " guarded", 0, team_.size(), [&update] { update.guarded->run(); }, byHand});
  }

  const KernelTable& table_;
  Team& team_;
  std::vector<Case>* cases_;
  std::vector<std::unique_ptr<Update>> updates_;
};

}  // namespace mneme::bench
