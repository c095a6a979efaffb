// A program taken apart, so that a mutation can change one thing of it and leave the rest in order; engine/program.h has the
// layout of the words.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace mneme::fuzz {

using Words = std::vector<int32_t>;

struct Draft {
  struct Buffer {
    int32_t arena, offset, dtype;
    Words shape;
    Words strides{};  // loop and elements in turn
  };
  struct Instruction {
    int32_t name;
    Words inputs, outputs, words;
  };
  std::array<int32_t, 6> elements{};
  std::vector<std::array<int32_t, 16>> names;
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  std::vector<std::array<int32_t, 3>> loops;  // first, end, count
  Words inputPorts, outputPorts;

  // False where the words cannot be taken apart; what they mean is not looked at.
  static bool read(const Words& words, Draft* result);
  Words words() const;

  // The number of a kernel's name, added where the draft has not had it.
  int32_t nameOf(const char* kernel);
  // Makes every arena as large as its buffers reach.
  void fitArenas();
};

}  // namespace mneme::fuzz
