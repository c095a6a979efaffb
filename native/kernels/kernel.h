// What a kernel is: a name, a check of its operands, and a function that runs. Kernels know pointers, shapes,
// attribute words and a team of threads, and nothing of programs, streams or JavaScript.
//
// Every kernel file is compiled once for each instruction set (see simd/target_begin.h) and listed in
// kernels/table.inc. The operands of each kernel are written down at the top of its file and, for both sides
// of the language border, in docs/architecture.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "base/team.h"

namespace mneme {

enum class Dtype : int32_t { f32 = 0, i32 = 1 };

constexpr int maximumRank = 4;

// Shape and type of an operand. `present` is false for an optional operand that was not given.
struct OperandType {
  bool present = false;
  Dtype dtype = Dtype::f32;
  int32_t rank = 0;
  int32_t shape[maximumRank] = {0, 0, 0, 0};

  int64_t count() const noexcept {
    int64_t product = 1;
    for (int axis = 0; axis < rank; ++axis) product *= shape[axis];
    return product;
  }
  // All axes but the last as one, and the last.
  int64_t rows() const noexcept { return rank == 0 ? 1 : count() / (columns() ? columns() : 1); }
  int64_t columns() const noexcept { return rank == 0 ? 1 : shape[rank - 1]; }
};

template <typename Type>
struct Span {
  Type* data = nullptr;
  int64_t size = 0;
  Type& operator[](int64_t index) const noexcept { return data[index]; }
};

// What verification sees: fixed when a program is loaded.
struct Signature {
  Span<const OperandType> inputs;
  Span<const OperandType> outputs;
  Span<const int32_t> words;  // attributes, as docs/architecture.md lists them
  int32_t threads = 1;        // of the team that will run it
};

// What a kernel asks for beside its operands; both 64-byte aligned.
struct Requirements {
  int64_t workspaceBytes = 0;  // undefined at the start of `run`, shared by all members
  int64_t preparedBytes = 0;   // written by `prepare`, kept as long as the inputs in `preparedInputs` do not change
  uint32_t preparedInputs = 0; // bit i: `prepare` reads input i (weights to be packed)
};

// One call. Pointers are null where the operand is absent. Outputs never overlap inputs unless the kernel's
// contract allows it.
struct Call {
  const Signature* signature;
  void* const* inputs;
  void* const* outputs;
  void* workspace;
  void* prepared;
  Team* team;

  const float* input(int index) const noexcept { return static_cast<const float*>(inputs[index]); }
  float* mutableInput(int index) const noexcept { return static_cast<float*>(inputs[index]); }
  const int32_t* inputIds(int index) const noexcept { return static_cast<const int32_t*>(inputs[index]); }
  float* output(int index) const noexcept { return static_cast<float*>(outputs[index]); }
  int32_t* outputIds(int index) const noexcept { return static_cast<int32_t*>(outputs[index]); }
};

struct Kernel {
  const char* name;
  // Refuses every signature with which `run` could read or write outside its operands. Pure.
  Status (*verify)(const Signature& signature, Requirements* requirements) noexcept;
  // Optional (null). Packs weights into call.prepared. Called by one thread, before run, when they changed;
  // uses call.team->run itself.
  void (*prepare)(const Call& call) noexcept;
  // Called by one thread; uses call.team->run itself. Fails only with outOfRange or stopped.
  Status (*run)(const Call& call) noexcept;
  // Bit i: `run` overwrites input i, which may then overlap no other operand (the tape of recurrentGradient).
  uint32_t consumes = 0;
  // Bit i: an output of the same dtype and element count may lie exactly on input i. Every other overlap of an
  // output with an input or another output is refused by the engine.
  uint32_t inPlace = 0;
};

struct Calibration;

// All kernels of one instruction set, in the order of kernels/table.inc.
struct KernelTable {
  const char* instructionSet;  // "avx512", "avx2", "portable"
  Span<const Kernel* const> kernels;
  const Calibration* calibration;  // kernels/calibrate.h: this machine's limits with this instruction set
  const Kernel* find(const char* name, std::size_t length) const noexcept;
};

// The table for an instruction set this processor has; null where it has not, or the build has not.
const KernelTable* kernelTable(const char* instructionSet) noexcept;
// The best one, or the one MNEME_ISA names. Fails with a sentence when MNEME_ISA names one that is not available.
Status selectKernelTable(const char* forced, const KernelTable** table) noexcept;

}  // namespace mneme
