// Runs one kernel of one instruction set on plain arrays: what the engine does for an instruction, for tests and benchmarks.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "base/memory.h"
#include "base/team.h"
#include "kernels/kernel.h"

namespace mneme::test {

// An operand: f32 or i32 data with a shape, or absent.
struct Operand {
  OperandType type;
  void* data = nullptr;
};
inline Operand absent() { return {}; }
inline Operand operand(std::vector<float>& data, std::initializer_list<int64_t> shape) {
  Operand result;
  result.type.present = true;
  for (int64_t extent : shape) result.type.shape[result.type.rank++] = static_cast<int32_t>(extent);
  result.data = data.data();
  return result;
}
inline Operand operand(std::vector<int32_t>& data, std::initializer_list<int64_t> shape) {
  Operand result;
  result.type.present = true;
  result.type.dtype = Dtype::i32;
  for (int64_t extent : shape) result.type.shape[result.type.rank++] = static_cast<int32_t>(extent);
  result.data = data.data();
  return result;
}

class KernelCall {
 public:
  KernelCall(const KernelTable& table, const char* name, std::vector<Operand> inputs, std::vector<Operand> outputs, std::vector<int32_t> words, Team& team)
      : kernel_(table.find(name, std::strlen(name))), words_(std::move(words)), team_(team) {
    for (const Operand& operand : inputs) {
      inputTypes_.push_back(operand.type);
      inputs_.push_back(operand.data);
    }
    for (const Operand& operand : outputs) {
      outputTypes_.push_back(operand.type);
      outputs_.push_back(operand.data);
    }
    signature_.inputs = {inputTypes_.data(), static_cast<int64_t>(inputTypes_.size())};
    signature_.outputs = {outputTypes_.data(), static_cast<int64_t>(outputTypes_.size())};
    signature_.words = {words_.data(), static_cast<int64_t>(words_.size())};
    signature_.threads = team.size();
    status_ = kernel_ == nullptr ? Status::error(Code::invalidProgram, "no kernel is called %s", name) : kernel_->verify(signature_, &requirements_);
    if (status_.isOk()) status_ = Memory::allocate(requirements_.workspaceBytes, &workspace_);
    if (status_.isOk()) status_ = Memory::allocate(requirements_.preparedBytes, &prepared_);
    // What an earlier instruction may have left there.
    if (status_.isOk() && requirements_.workspaceBytes > 0) std::memset(workspace_.data(), 0xff, static_cast<std::size_t>(requirements_.workspaceBytes));
    if (status_.isOk() && requirements_.preparedBytes > 0) std::memset(prepared_.data(), 0xff, static_cast<std::size_t>(requirements_.preparedBytes));
  }

  // Of verification.
  const Status& status() const { return status_; }

  void prepare() {
    if (status_.isOk() && kernel_->prepare != nullptr) kernel_->prepare(call());
  }
  Status runPrepared() { return status_.isOk() ? kernel_->run(call()) : status_; }
  Status run() {
    prepare();
    return runPrepared();
  }

 private:
  Call call() { return {&signature_, inputs_.data(), outputs_.data(), workspace_.data(), prepared_.data(), &team_}; }

  const Kernel* kernel_;
  std::vector<OperandType> inputTypes_, outputTypes_;
  std::vector<void*> inputs_, outputs_;
  std::vector<int32_t> words_;
  Team& team_;
  Signature signature_;
  Requirements requirements_;
  Memory workspace_, prepared_;
  Status status_;
};

// The tables this processor can run.
inline std::vector<const KernelTable*> availableTables() {
  std::vector<const KernelTable*> tables;
  for (const char* name : {"avx512", "avx2", "portable"})
    if (const KernelTable* table = kernelTable(name)) tables.push_back(table);
  return tables;
}

inline float nextUniform(uint64_t& state) {  // in [-1, 1)
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1p-31f;
}
inline std::vector<float> uniform(int64_t count, uint64_t seed, float scale = 1.0f) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = scale * nextUniform(seed);
  return values;
}

}  // namespace mneme::test
