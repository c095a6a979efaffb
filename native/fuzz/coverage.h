// Which places of the engine and the kernels have been reached since the process began. Counted by what the compiler calls at
// each of them (-fsanitize-coverage=trace-pc), so that the fuzzer keeps what leads to new ones.
#pragma once

#include <cstdint>

namespace mneme::fuzz {

int64_t placesReached() noexcept;

}  // namespace mneme::fuzz
