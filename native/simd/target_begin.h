// Opens the code of one instruction set. Every kernel file includes its standard and contract headers first, then this,
// then the simd headers and its code, then target_end.h. CMake compiles the file once for each instruction set with
// one of MNEME_AVX512, MNEME_AVX2, MNEME_PORTABLE defined.
//
// The target is set for a region, not by a compiler flag for the whole file: a flag would also compile the inline functions
// of shared headers for that instruction set, and the linker may keep that copy for every processor. (gcc takes no macro in
// the pragma, hence the repetition.) For the same reason no standard header may be included inside the region: those that
// the simd headers need are included here, before it opens.
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if defined(MNEME_AVX512)
#define MNEME_TARGET_NAMESPACE avx512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")
#endif
#elif defined(MNEME_AVX2)
#define MNEME_TARGET_NAMESPACE avx2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi2")
#endif
#elif defined(MNEME_PORTABLE)
#define MNEME_TARGET_NAMESPACE portable
#else
#error "a kernel file is compiled with one instruction set defined"
#endif
