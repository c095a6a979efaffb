// Programs as the native engine holds them: decoded once from words, verified, immutable afterwards.
//
// Word layout (int32 little endian), written by src/compute/engine/encoding.ts:
//   [0] magic 0x6d6e656d  [1] version 2
//   [2] number of names N  [3] number of buffers B  [4] number of instructions I
//   [5] number of loops L  [6] of input ports P  [7] of output ports Q
//   [8..13] elements of each arena: parameters, updater, state, scratch, input, output
//   N names, 16 words each: the kernel's name in ASCII, one character a byte, zero padded to 64 bytes
//   B buffers: arena, offset (elements), dtype (0 f32, 1 i32), rank (1..4), number of strides, then the extents (at least
//     1), then for each stride a loop and the elements by which the buffer moves in each of its iterations
//   I instructions: name index, number of inputs, of outputs, of attribute words, then the input buffers,
//     the output buffers (-1: absent), the attribute words
//   L loops, 3 words each: first instruction, end (the one behind the last), count
//   P buffers in the input arena, Q buffers in the output arena: what is copied in and out
// Nothing may follow. Every count, index, extent and range is checked before it is used.
//
// Loops: the instructions of one run `count` times. They are listed by their first instruction, outer ones before those
// inside of them; any two are apart or one lies in the other, at most maximumDepth deep. A buffer's strides name loops in
// order, and only instructions inside of all of them use it; it stays in its arena in every iteration. Ports do not move.
//
// Writing (in every iteration): an output lies in any arena but `input`. It overlaps no other output, and no input, except that it may lie
// exactly on an input where the kernel says so (Kernel::inPlace). An input that the kernel overwrites (Kernel::consumes)
// overlaps no other operand.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "kernels/kernel.h"

namespace mneme {

enum class Arena : int32_t { parameters = 0, updater, state, scratch, input, output };
constexpr int arenaCount = 6;
constexpr int persistentArenas = 3;  // the first three: memories given with each step
// Of an instruction's inputs, of its outputs, of ports: keeps comparing all pairs short.
constexpr int32_t maximumOperands = 1024;
constexpr std::size_t maximumDepth = 8;         // of loops in each other
constexpr int64_t maximumRuns = INT32_MAX;      // of one instruction in one step

struct Stride {
  int32_t loop;
  int64_t elements;
};

struct Loop {
  int32_t first, end;
  int64_t count;
};

struct Buffer {
  Arena arena;
  int64_t offset;  // elements
  OperandType type;
  std::vector<Stride> strides;
};

struct Instruction {
  const Kernel* kernel;
  std::vector<int32_t> inputs, outputs;  // buffer numbers, -1 absent
  std::vector<int32_t> words;
  std::vector<OperandType> inputTypes, outputTypes;
  uint32_t writes = 0;  // bit a: it writes arena a
  std::vector<int32_t> loops;       // it lies in, outermost first
  std::vector<int32_t> endingLoops; // whose last instruction it is, innermost first
};

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  std::vector<Loop> loops;
  std::vector<int32_t> inputPorts, outputPorts;  // buffer numbers
  int64_t elements[arenaCount] = {0, 0, 0, 0, 0, 0};
  uint32_t uses = 0;    // bit a: some instruction reads or writes arena a
  uint32_t writes = 0;  // bit a: some instruction writes arena a

  // Decodes and verifies. On failure the status names the instruction and the reason.
  static Status load(Span<const int32_t> words, const KernelTable& kernels, std::shared_ptr<const Program>* result);
};

// Elements [low, high) of its arena that a buffer covers while all loops run.
struct Reach {
  int64_t low, high;
};
Reach reachOf(const Buffer& buffer, const std::vector<Loop>& loops) noexcept;

// The signature of an instruction for a team of so many threads; it points into the instruction.
Signature signatureOf(const Instruction& instruction, int threads) noexcept;

}  // namespace mneme
