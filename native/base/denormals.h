// Flushing of denormals for the length of a scope.
//
// Results below 2^-126 become zero and operands below it are read as zero: on many processors a denormal costs
// a hundred cycles, and a recurrent network with saturated gates makes many. The thread's setting is restored
// when the scope ends, so that nothing outside it computes differently.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace mneme {

class DenormalsFlushed {
 public:
  DenormalsFlushed() noexcept : previous_(read()) { write(previous_ | flushing); }
  ~DenormalsFlushed() { write(previous_); }
  DenormalsFlushed(const DenormalsFlushed&) = delete;
  DenormalsFlushed& operator=(const DenormalsFlushed&) = delete;

 private:
#if defined(__x86_64__) || defined(_M_X64)
  using Register = uint32_t;
  static constexpr Register flushing = 0x8040;  // MXCSR: flush to zero (bit 15), denormals are zero (bit 6)
  static Register read() noexcept { return _mm_getcsr(); }
  static void write(Register value) noexcept { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Register = uint64_t;
  static constexpr Register flushing = Register{1} << 24;  // FPCR: FZ covers results and operands
  static Register read() noexcept {
    Register value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(Register value) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Register = uint32_t;
  static constexpr Register flushing = 0;
  static Register read() noexcept { return 0; }
  static void write(Register) noexcept {}
#endif
  Register previous_;
};

}  // namespace mneme
