// Changes programs so that many of the results are still programs: operands, shapes and attributes of the engine's own layout
// are changed as such, words and bits only sometimes. The same seed gives the same changes everywhere.
#pragma once

#include <random>

#include "fuzz/draft.h"
#include "kernels/kernel.h"

namespace mneme::fuzz {

class Mutator {
 public:
  Mutator(uint64_t seed, const KernelTable& kernels) : random_(seed), kernels_(kernels) {}

  // A number from 0 to below `limit`.
  std::size_t below(std::size_t limit);
  bool chance(std::size_t in) { return below(in) == 0; }

  // A program made of this one; `other` lends parts.
  Words mutate(const Words& program, const Words& other);

 private:
  void mutateDraft(Draft* draft, const Draft& other);
  void mutateBuffer(Draft* draft);
  void mutateLoops(Draft* draft);
  void mutateInstruction(Draft* draft);
  void mutateAttributes(Words* words);
  void splice(Draft* draft, const Draft& other);
  void mutateWords(Words* words, const Words& other);
  int32_t tempting();

  std::mt19937_64 random_;
  const KernelTable& kernels_;
};

}  // namespace mneme::fuzz
