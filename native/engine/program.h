// Programs as the native engine holds them: decoded once from words, verified, immutable afterwards.
//
// Word layout (int32 little endian), written by src/compute/engine/encoding.ts:
//   [0] magic 0x6d6e656d  [1] version 1
//   [2] number of names N  [3] number of buffers B  [4] number of instructions I
//   [5..10] elements of each arena: parameters, updater, state, scratch, input, output
//   N names, 16 words each: the kernel's name in ASCII, one character a byte, zero padded to 64 bytes
//   B buffers, 4 + rank words each: arena, offset (elements), dtype (0 f32, 1 i32), rank (1..4), extents
//   I instructions: name index, number of inputs, of outputs, of attribute words, then the input buffers,
//     the output buffers (-1: absent), the attribute words
// Nothing may follow. Every count, index, extent and range is checked before it is used.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "kernels/kernel.h"

namespace mneme {

enum class Arena : int32_t { parameters = 0, updater, state, scratch, input, output };
constexpr int arenaCount = 6;

struct Buffer {
  Arena arena;
  int64_t offset;  // elements
  OperandType type;
};

struct Instruction {
  const Kernel* kernel;
  std::vector<int32_t> inputs, outputs;  // buffer numbers, -1 absent
  std::vector<int32_t> words;
  std::vector<OperandType> inputTypes, outputTypes;
  Signature signature;  // points into the vectors above
  Requirements requirements;
};

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  int64_t elements[arenaCount] = {0, 0, 0, 0, 0, 0};
  int64_t workspaceBytes = 0;  // largest of any instruction
  int64_t preparedBytes = 0;   // sum over instructions
  uint32_t writes = 0;         // bit a: some instruction writes arena a

  // Decodes and verifies. On failure the status names the instruction and the reason.
  static Status load(Span<const int32_t> words, const KernelTable& kernels, int threads,
                     std::unique_ptr<const Program>* result);
};

}  // namespace mneme
