// Array versions of what native/simd offers, for simd_test.cpp, which includes this once for each instruction set, inside
// its region (hence no guard).
#include "simd/functions.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

namespace under_test {

template <Vector (*function)(Vector)>
void unary(const float* a, const float*, const float*, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += Vector::width) store(out + i, function(load(a + i)));
}
template <Vector (*function)(Vector, Vector)>
void binary(const float* a, const float* b, const float*, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += Vector::width) store(out + i, function(load(a + i), load(b + i)));
}
template <Vector (*function)(Vector, Vector, Vector)>
void ternary(const float* a, const float* b, const float* c, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += Vector::width) store(out + i, function(load(a + i), load(b + i), load(c + i)));
}

inline Vector ratioOfOrders(Vector a, Vector b) {
  const Vector one = broadcast(1.0f), two = broadcast(2.0f), four = broadcast(4.0f);
  Vector sum = select(less(a, b), one, zero());
  sum = add(sum, select(lessOrEqual(a, b), two, zero()));
  return add(sum, select(either(equal(a, b), isNan(a)), four, zero()));
}
inline Vector integerMixture(Vector a, Vector b) {
  const Integers x = bitsOf(a), y = bitsOf(b);
  Integers mixture = bitXor(multiplyLow(x, y), multiplyHigh(x, y));
  mixture = addIntegers(mixture, bitOr(shiftLeft<5>(x), shiftRight<27>(x)));
  mixture = subtractIntegers(mixture, bitAnd(shiftRightSigned<9>(y), x));
  return toFloats(mixture);
}
inline Vector powerOfTwo(Vector a, Vector b) {
  return timesPowerOfTwo(a, lower(floor(higher(b, broadcast(-252.0f))), broadcast(252.0f)));
}
inline Vector truncated(Vector a) {
  const Mask fits = less(absolute(a), broadcast(2147483520.0f));
  return select(fits, toFloats(truncate(select(fits, a, zero()))), a);
}

// Folds and partial loads and stores: count is a multiple of 16 and out receives as many elements.
inline void foldSums(const float* a, const float*, const float*, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) {
    const int first = static_cast<int>(i / 16 % 17);
    const Lanes16 x = add(load16(a + i), loadFirst16(a + i, first));
    store16(out + i, broadcast16(foldSum(x)));
    storeFirst16(out + i, x, first);
    out[i + 15] = foldMaximum(load16(a + i));
  }
}

// Every square of `width` rows of `width` elements.
inline void transposedSquares(const float* a, const float*, const float*, float* out, int64_t count) {
  constexpr int width = Vector::width;
  for (int64_t square = 0; square < count; square += 16 * 16) {
    for (int row = 0; row < 16; row += width) {
      for (int column = 0; column < 16; column += width) {
        Vector x[width];
        for (int i = 0; i < width; ++i) x[i] = load(a + square + (row + i) * 16 + column);
        transpose(x);
        for (int i = 0; i < width; ++i) store(out + square + (column + i) * 16 + row, x[i]);
      }
    }
  }
}

inline constexpr simd_test::Function functions[] = {
    {"add", binary<add>}, {"subtract", binary<subtract>}, {"multiply", binary<multiply>}, {"divide", binary<divide>},
    {"squareRoot", unary<squareRoot>}, {"fma", ternary<fma>}, {"fnma", ternary<fnma>}, {"minimum", binary<minimum>},
    {"maximum", binary<maximum>}, {"lower", binary<lower>}, {"higher", binary<higher>}, {"absolute", unary<absolute>},
    {"negate", unary<negate>}, {"copySign", binary<copySign>}, {"floor", unary<floor>}, {"orders", binary<ratioOfOrders>},
    {"integers", binary<integerMixture>}, {"powerOfTwo", binary<powerOfTwo>}, {"truncate", unary<truncated>},
    {"fold", foldSums}, {"transpose", transposedSquares}, {"exp", unary<exp>}, {"log", unary<log>}, {"sigmoid", unary<sigmoid>}, {"tanh", unary<tanh>},
    {"erf", unary<erf>}, {"expm1", unary<expm1>}, {"log1p", unary<log1p>},
};

}  // namespace under_test

}  // namespace mneme::MNEME_TARGET_NAMESPACE
