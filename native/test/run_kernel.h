// Runs kernels as the engine does, on every instruction set this processor has and on 1, 2 and 3 threads, and checks that
// the bits of the results are the same everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "test/check.h"
#include "test/kernel_call.h"

namespace mneme::test {

// An operand: its elements are words, read as floats or integers.
struct Array {
  OperandType type;
  std::vector<int32_t> words;

  float at(int64_t index) const {
    float value;
    std::memcpy(&value, &words[static_cast<std::size_t>(index)], sizeof value);
    return value;
  }
  int32_t idAt(int64_t index) const { return words[static_cast<std::size_t>(index)]; }
  void set(int64_t index, float value) { std::memcpy(&words[static_cast<std::size_t>(index)], &value, sizeof value); }
  int64_t count() const { return static_cast<int64_t>(words.size()); }
};

// A float as an attribute word.
inline int32_t bitsOfFloat(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline OperandType typeOf(Dtype dtype, std::initializer_list<int32_t> shape) {
  OperandType type;
  type.present = true;
  type.dtype = dtype;
  for (const int32_t extent : shape) type.shape[type.rank++] = extent;
  return type;
}
inline Array absentArray() { return {}; }
// Filled with a pattern, so that what a kernel leaves untouched is seen.
inline Array emptyArray(OperandType type) {
  return {type, std::vector<int32_t>(static_cast<std::size_t>(type.count()), 0x7fc12345)};
}
inline Array floats(std::initializer_list<int32_t> shape) { return emptyArray(typeOf(Dtype::f32, shape)); }
inline Array integers(std::initializer_list<int32_t> shape) { return emptyArray(typeOf(Dtype::i32, shape)); }
inline Array floats(std::initializer_list<int32_t> shape, const std::vector<float>& values) {
  Array array = floats(shape);
  for (std::size_t i = 0; i < values.size(); ++i) array.set(static_cast<int64_t>(i), values[i]);
  return array;
}
inline Array integers(std::initializer_list<int32_t> shape, std::vector<int32_t> values) {
  Array array = integers(shape);
  array.words = std::move(values);
  return array;
}

// Numbers between -scale and scale that are the same in every run.
inline Array noise(std::initializer_list<int32_t> shape, uint32_t seed, float scale = 1.0f) {
  Array array = floats(shape);
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (int64_t i = 0; i < array.count(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    array.set(i, scale * (static_cast<float>(state >> 40) * 0x1p-23f - 1.0f));
  }
  return array;
}
inline Array noiseIds(std::initializer_list<int32_t> shape, uint32_t seed, int32_t limit) {
  const Array values = noise(shape, seed);
  Array array = integers(shape);
  for (int64_t i = 0; i < array.count(); ++i) {
    const auto id = static_cast<int32_t>((values.at(i) + 1.0f) * 0.5f * static_cast<float>(limit));
    array.words[static_cast<std::size_t>(i)] = id < limit ? id : limit - 1;
  }
  return array;
}

struct KernelCase {
  const char* name;
  std::vector<Array> inputs, outputs;
  std::vector<int32_t> words;
  // Pairs {output, input} that share memory.
  std::vector<std::pair<int, int>> sharing;
};

inline Status verifyCase(const KernelTable& table, const KernelCase& test, int threads, Requirements* requirements) {
  const Kernel* kernel = table.find(test.name, std::strlen(test.name));
  if (kernel == nullptr) return Status::error(Code::invalidProgram, "no kernel %s", test.name);
  std::vector<OperandType> inputs, outputs;
  for (const Array& array : test.inputs) inputs.push_back(array.type);
  for (const Array& array : test.outputs) outputs.push_back(array.type);
  const Signature signature = {{inputs.data(), static_cast<int64_t>(inputs.size())},
                               {outputs.data(), static_cast<int64_t>(outputs.size())},
                               {test.words.data(), static_cast<int64_t>(test.words.size())},
                               threads};
  return kernel->verify(signature, requirements);
}

// Verifies and runs once; outputs (and inputs that are overwritten) are changed in `test`.
inline Status runCase(const KernelTable& table, KernelCase& test, Team& team) {
  const auto operandsOf = [](std::vector<Array>& arrays) {
    std::vector<Operand> operands;
    for (Array& array : arrays) operands.push_back({array.type, array.type.present ? array.words.data() : nullptr});
    return operands;
  };
  std::vector<Operand> inputs = operandsOf(test.inputs), outputs = operandsOf(test.outputs);
  for (const auto& [output, input] : test.sharing) outputs[static_cast<std::size_t>(output)].data = inputs[static_cast<std::size_t>(input)].data;
  const Status status = KernelCall(table, test.name, inputs, outputs, test.words, team).run();
  for (const auto& [output, input] : test.sharing) test.outputs[static_cast<std::size_t>(output)].words = test.inputs[static_cast<std::size_t>(input)].words;
  return status;
}

// The same bits, or NaN in both.
inline bool sameWords(const Array& a, const Array& b) {
  for (int64_t i = 0; i < a.count(); ++i) {
    if (a.idAt(i) == b.idAt(i)) continue;
    if (a.type.dtype != Dtype::f32 || a.at(i) == a.at(i) || b.at(i) == b.at(i)) {
      std::printf("element %lld: %.9g (%08x) and %.9g (%08x)\n", static_cast<long long>(i), a.at(i), static_cast<unsigned>(a.idAt(i)), b.at(i),
                  static_cast<unsigned>(b.idAt(i)));
      return false;
    }
  }
  return true;
}

// Runs everywhere and returns the outputs, having checked that they are the same everywhere. `status` is that of the last
// run, which must be the same everywhere too.
inline std::vector<Array> runEverywhere(const KernelCase& test, Status* status = nullptr) {
  std::vector<Array> first;
  Status firstStatus;
  for (const int threads : {1, 2, 3}) {
    Team team(threads);
    for (const KernelTable* table : availableTables()) {
      KernelCase own = test;
      const Status result = runCase(*table, own, team);
      if (first.empty()) {
        first = own.outputs;
        firstStatus = result;
        if (status == nullptr && !result.isOk()) std::printf("%s: %s\n", test.name, result.message);
        MNEME_CHECK(status != nullptr || result.isOk());
      }
      MNEME_CHECK(result.code == firstStatus.code && std::strcmp(result.message, firstStatus.message) == 0);
      if (!result.isOk()) continue;
      for (std::size_t output = 0; output < first.size(); ++output) {
        const bool same = sameWords(first[output], own.outputs[output]);
        if (!same) std::printf("%s, output %zu, %s, %d threads\n", test.name, output, table->instructionSet, threads);
        MNEME_CHECK(same);
      }
    }
  }
  if (status != nullptr) *status = firstStatus;
  return first;
}

// Whether every instruction set refuses the case, with a sentence.
inline bool refused(const KernelCase& test) {
  bool all = true;
  for (const KernelTable* table : availableTables()) {
    for (const int threads : {1, 3}) {
      Requirements requirements;
      const Status status = verifyCase(*table, test, threads, &requirements);
      all = all && status.code == Code::invalidProgram && status.message[0] != '\0';
    }
  }
  return all;
}

}  // namespace mneme::test
