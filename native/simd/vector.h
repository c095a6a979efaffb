// The vector of the instruction set being compiled. Each of the files below defines, with the same names and the same
// results to the bit,
//
//   Vector      `width` floats               Mask   the outcome of a comparison, one truth value a lane
//   Integers    `width` 32-bit integers
//
// and on them, as free functions:
//   memory      load, store; loadFirst, storeFirst (the first n lanes only: nothing beyond is touched, lanes not
//               loaded are zero); broadcast, zero; loadIntegers, storeIntegers, broadcastInteger; prefetch
//   exact IEEE  add, subtract, multiply, divide, squareRoot, fma(a, b, c) = a*b + c rounded once,
//               fnma(a, b, c) = c - a*b rounded once
//   order       minimum, maximum (NaN in either operand gives NaN); lower(a, b) = a < b ? a : b and
//               higher(a, b) = a > b ? a : b (so NaN gives b: clamps written lower(limit, x) keep NaN)
//   sign        absolute, negate, copySign(magnitude, sign), floor
//   comparison  less, lessOrEqual, equal, isNan, equalIntegers; both, either; select(mask, a, b) = mask ? a : b; any
//   integers    bitsOf, fromBits, toFloats, truncate (|x| < 2^31), addIntegers, subtractIntegers, multiplyLow,
//               multiplyHigh (unsigned), bitAnd, bitOr, bitXor, shiftLeft<n>, shiftRight<n> (zeros come in),
//               shiftRightSigned<n>
//   timesPowerOfTwo(x, n)  x * 2^n rounded once, for whole n with |n| <= 252
//   transpose(x)  of a square of `width` Vectors, in place
//   fmaFromMemory(a, b, c)  fma(a, load(b), c), where it pays with the load as an operand of the instruction
//   pin(x)      keeps x in a register: gcc would otherwise fold a load into each of its uses
//
// A new instruction set is one more file and one more line here (and its flags in target_begin.h and CMake).
#ifndef MNEME_SIMD_VECTOR
#define MNEME_SIMD_VECTOR

#define MNEME_INLINE inline __attribute__((always_inline))

#if defined(MNEME_AVX512)
#include "simd/avx512.h"
#elif defined(MNEME_AVX2)
#include "simd/avx2.h"
#else
#include "simd/portable.h"
#endif

#endif
