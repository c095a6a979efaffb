// What is fuzzed: verification, and the promise behind it. Words are refused with a reason, or they are a program that stays
// inside its buffers, leaves alone what it does not say it writes, and gives the same bits with any instruction set and any
// number of threads, whatever lies in its memories.
#pragma once

#include <cstdint>

#include "fuzz/draft.h"
#include "kernels/kernel.h"

namespace mneme::fuzz {

enum class Outcome { refused, tooLarge, ran };

// Ends the process with a sentence where the promise does not hold; memory is watched by the sanitizers this is built with.
// `seed` decides what lies in the memories.
Outcome check(const Words& words, uint64_t seed);

// Names of the operations in the words, for which there is a kernel.
void operationsOf(const Words& words, void (*take)(void* context, const char* name), void* context);

}  // namespace mneme::fuzz
