// The vectors of every instruction set give the same bits, and the elementary functions are as exact as they claim.
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "test/check.h"

namespace simd_test {
using ArrayFunction = void (*)(const float* a, const float* b, const float* c, float* out, int64_t count);
struct Function {
  const char* name;
  ArrayFunction run;
};
}  // namespace simd_test

#if defined(__x86_64__)
#define MNEME_AVX512
#include "simd/target_begin.h"
#include "test/simd_under_test.h"
#include "simd/target_end.h"
#undef MNEME_AVX512
#define MNEME_AVX2
#include "simd/target_begin.h"
#include "test/simd_under_test.h"
#include "simd/target_end.h"
#undef MNEME_AVX2
#endif
#define MNEME_PORTABLE
#include "simd/target_begin.h"
#include "test/simd_under_test.h"
#include "simd/target_end.h"
#undef MNEME_PORTABLE

namespace {

using simd_test::ArrayFunction;
using simd_test::Function;

struct InstructionSet {
  const char* name;
  const Function* functions;
};
constexpr int functionCount = sizeof mneme::portable::under_test::functions / sizeof(Function);

std::vector<InstructionSet> available() {
  std::vector<InstructionSet> sets;
  sets.push_back({"portable", mneme::portable::under_test::functions});
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back({"avx2", mneme::avx2::under_test::functions});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    sets.push_back({"avx512", mneme::avx512::under_test::functions});
#endif
  return sets;
}

ArrayFunction find(const InstructionSet& set, const char* name) {
  for (int i = 0; i < functionCount; ++i)
    if (std::strcmp(set.functions[i].name, name) == 0) return set.functions[i].run;
  return nullptr;
}

uint32_t nextRandom(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 32);
}
float fromWord(uint32_t word) {
  float x;
  std::memcpy(&x, &word, 4);
  return x;
}
uint32_t toWord(float x) {
  uint32_t word;
  std::memcpy(&word, &x, 4);
  return word;
}

// Every bit pattern is as likely as any other, with the special values sprinkled in.
std::vector<float> anyBits(int64_t count, uint64_t seed) {
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, FLT_MIN, -FLT_MIN, FLT_MAX, -FLT_MAX, FLT_MIN / 8, -FLT_MIN / 8, 1.0f, -1.0f, 0.5f, 8388608.0f};
  std::vector<float> values(count);
  for (float& value : values) {
    const uint32_t word = nextRandom(seed);
    value = word % 8 == 0 ? special[word / 8 % 15] : fromWord(nextRandom(seed));
  }
  return values;
}
// Of ordinary size, where rounding is what can differ.
std::vector<float> ordinary(int64_t count, uint64_t seed, float scale) {
  std::vector<float> values(count);
  for (float& value : values) {
    const float mantissa = 1.0f + (nextRandom(seed) >> 9) * 0x1p-23f;
    const int exponent = static_cast<int>(nextRandom(seed) % 24) - 12;
    value = (nextRandom(seed) & 1 ? -scale : scale) * std::ldexp(mantissa, exponent);
  }
  return values;
}

bool sameBitsOrBothNan(float a, float b) { return toWord(a) == toWord(b) || (a != a && b != b); }

void setDenormalsFlushed(bool flushed) {
#if defined(__x86_64__)
  const unsigned bits = 0x8040;
  __builtin_ia32_ldmxcsr(flushed ? __builtin_ia32_stmxcsr() | bits : __builtin_ia32_stmxcsr() & ~bits);
#else
  (void)flushed;
#endif
}

void compareSets(bool flushed) {
  const int64_t count = 1 << 18;
  const std::vector<InstructionSet> sets = available();
  for (int kind = 0; kind < 3; ++kind) {
    std::vector<float> a = kind == 0 ? anyBits(count, 1) : ordinary(count, 4, 1.0f);
    std::vector<float> b = kind == 0 ? anyBits(count, 2) : ordinary(count, 5, 1.0f);
    std::vector<float> c = kind == 0 ? anyBits(count, 3) : ordinary(count, 6, 1.0f);
    // Nearly cancelling sums: c is close to -a*b.
    if (kind == 2)
      for (int64_t i = 0; i < count; ++i) c[i] = fromWord(toWord(-a[i] * b[i]) + static_cast<uint32_t>(i % 5) - 2);
    std::vector<float> want(count), got(count);
    for (int f = 0; f < functionCount; ++f) {
      for (const InstructionSet& set : sets) {
        std::vector<float>& out = &set == &sets[0] ? want : got;
        setDenormalsFlushed(flushed);
        set.functions[f].run(a.data(), b.data(), c.data(), out.data(), count);
        setDenormalsFlushed(false);
        if (&set == &sets[0]) continue;
        int64_t different = 0;
        for (int64_t i = 0; i < count; ++i) {
          if (sameBitsOrBothNan(want[i], got[i])) continue;
          if (++different <= 3)
            std::printf("  %s, %s against %s, kind %d: (%a, %a, %a) gave %a and %a\n", set.functions[f].name, set.name, sets[0].name, kind,
                        a[i], b[i], c[i], got[i], want[i]);
        }
        MNEME_CHECK(different == 0);
      }
    }
  }
}

MNEME_TEST(sameBits, "every instruction set gives the same bits") { compareSets(false); }
MNEME_TEST(sameBitsFlushed, "every instruction set gives the same bits where denormals are flushed") { compareSets(true); }

MNEME_TEST(transposes, "transpose swaps rows and columns") {
  std::vector<float> x(256), y(256);
  for (int i = 0; i < 256; ++i) x[i] = static_cast<float>(i);
  for (const InstructionSet& set : available()) {
    find(set, "transpose")(x.data(), nullptr, nullptr, y.data(), 256);
    int wrong = 0;
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 16; ++column) wrong += y[column * 16 + row] != x[row * 16 + column];
    MNEME_CHECK(wrong == 0);
  }
}

MNEME_TEST(fusedMultiplyAdd, "fma is rounded once, in every instruction set") {
  const int64_t count = 1 << 16;
  enum { everything, nearTies, cancelling, kinds };
  for (int kind = 0; kind < kinds; ++kind) {
    std::vector<float> a = kind == everything ? anyBits(count, 7) : ordinary(count, 8, 1.0f);
    std::vector<float> b = kind == everything ? anyBits(count, 9) : ordinary(count, 10, 1.0f);
    std::vector<float> c = kind == everything ? anyBits(count, 11) : ordinary(count, 12, 0x1p-20f);
    if (kind == nearTies) {
      // With odd i and j the product (1 + i/4096) (1 + j/4096) lies halfway between two floats, and a sum in double precision
      // does not see what c adds on either side.
      uint64_t seed = 13;
      for (int64_t i = 0; i < count; ++i) {
        a[i] = 1.0f + static_cast<float>(nextRandom(seed) % 800 * 2 + 1) / 4096;
        b[i] = 1.0f + static_cast<float>(nextRandom(seed) % 800 * 2 + 1) / 4096;
        c[i] = std::ldexp(i % 2 ? 1.0f : -1.0f, -25 - static_cast<int>(i / 2 % 90));
        if (i % 3 == 0) a[i] = -a[i];
      }
    }
    if (kind == cancelling)
      for (int64_t i = 0; i < count; ++i) c[i] = fromWord(toWord(-a[i] * b[i]) + static_cast<uint32_t>(i % 5) - 2);
    for (const InstructionSet& set : available()) {
      std::vector<float> out(count);
      find(set, "fma")(a.data(), b.data(), c.data(), out.data(), count);
      int64_t wrong = 0;
      for (int64_t i = 0; i < count; ++i) wrong += !sameBitsOrBothNan(out[i], std::fma(a[i], b[i], c[i]));
      MNEME_CHECK(wrong == 0);
    }
  }
}

// The largest error at those places (a multiple of 16) in units of the last place of the exact result.
double largestError(ArrayFunction function, const std::vector<float>& x, const std::vector<long double>& exact) {
  std::vector<float> y(x.size());
  function(x.data(), nullptr, nullptr, y.data(), static_cast<int64_t>(x.size()));
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double want = exact[i];
    if (sameBitsOrBothNan(y[i], static_cast<float>(want))) continue;
    int exponent;
    std::frexp(static_cast<double>(want), &exponent);
    const double unit = std::ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
    const double error = static_cast<double>(std::fabs(y[i] - want)) / unit;
    if (!(error <= largest)) largest = error;
  }
  return largest;
}
double largestError(ArrayFunction function, long double (*exact)(long double), float low, float high) {
  const int64_t count = 1 << 20;
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = low + (high - low) * (static_cast<float>(i) / (count - 1));
  std::vector<long double> want(count);
  for (int64_t i = 0; i < count; ++i) want[i] = exact(x[i]);
  return largestError(function, x, want);
}
long double exactSigmoid(long double x) { return 1 / (1 + std::exp(-x)); }
long double exactExp(long double x) { return std::exp(x); }
long double exactLog(long double x) { return std::log(x); }
long double exactTanh(long double x) { return std::tanh(x); }

MNEME_TEST(errors, "exp, log, sigmoid and tanh are exact to a few units in the last place") {
  for (const InstructionSet& set : available()) {
    MNEME_CHECK_NEAR(largestError(find(set, "exp"), exactExp, -87.0f, 88.7f), 0.0, 1.5);
    MNEME_CHECK_NEAR(largestError(find(set, "exp"), exactExp, -1.0f, 1.0f), 0.0, 1.5);
    MNEME_CHECK_NEAR(largestError(find(set, "log"), exactLog, FLT_MIN, 4.0f), 0.0, 1.5);
    MNEME_CHECK_NEAR(largestError(find(set, "log"), exactLog, 0.9f, 1.1f), 0.0, 1.5);
    MNEME_CHECK_NEAR(largestError(find(set, "log"), exactLog, 1.0f, 1e30f), 0.0, 1.5);
    MNEME_CHECK_NEAR(largestError(find(set, "sigmoid"), exactSigmoid, -20.0f, 20.0f), 0.0, 4.0);
    MNEME_CHECK_NEAR(largestError(find(set, "sigmoid"), exactSigmoid, -87.0f, 0.0f), 0.0, 8.0);
    MNEME_CHECK_NEAR(largestError(find(set, "tanh"), exactTanh, -10.0f, 10.0f), 0.0, 4.0);
    MNEME_CHECK_NEAR(largestError(find(set, "tanh"), exactTanh, -1e-3f, 1e-3f), 0.0, 4.0);
    MNEME_CHECK_NEAR(largestError(find(set, "tanh"), exactTanh, -1e-30f, 1e-30f), 0.0, 4.0);
  }
}

// Every 1021st bit pattern: all exponents of both signs, denormals, infinities and NaN.
std::vector<float> everySize() {
  std::vector<float> x;
  for (uint64_t word = 0; word < uint64_t{1} << 32; word += 1021) x.push_back(fromWord(static_cast<uint32_t>(word)));
  while (x.size() % 16 != 0) x.push_back(1.0f);
  return x;
}

MNEME_TEST(errorsEverywhere, "erf, expm1 and log1p are exact to a few units in the last place for every float") {
  struct Claim {
    const char* name;
    long double (*exact)(long double);
    double units;
  };
  const Claim claims[] = {
      {"erf", [](long double x) { return std::erf(x); }, 1.5},
      {"expm1", [](long double x) { return std::expm1(x); }, 2.0},
      {"log1p", [](long double x) { return std::log1p(x); }, 2.0},
  };
  const std::vector<float> x = everySize();
  for (const Claim& claim : claims) {
    std::vector<long double> want;
    for (const float at : x) want.push_back(claim.exact(at));
    for (const InstructionSet& set : available()) MNEME_CHECK_NEAR(largestError(find(set, claim.name), x, want), 0.0, claim.units);
    // More densely where the two formulas of erf meet, where n of expm1 and log1p changes, and where things nearly cancel.
    const InstructionSet best = available().back();
    MNEME_CHECK_NEAR(largestError(find(best, claim.name), claim.exact, -1.0f, 1.0f), 0.0, claim.units);
    MNEME_CHECK_NEAR(largestError(find(best, claim.name), claim.exact, -0.999999f, 6.0f), 0.0, claim.units);
  }
}

MNEME_TEST(limits, "the elementary functions have the right limits, and NaN stays NaN") {
  struct Case {
    const char* function;
    float x, want;
  };
  const Case cases[] = {
      {"exp", 0.0f, 1.0f}, {"exp", INFINITY, INFINITY}, {"exp", 88.8f, INFINITY}, {"exp", -INFINITY, 0.0f}, {"exp", -200.0f, 0.0f},
      {"log", 1.0f, 0.0f}, {"log", 0.0f, -INFINITY}, {"log", INFINITY, INFINITY}, {"log", -1.0f, NAN}, {"log", -INFINITY, NAN},
      {"sigmoid", 0.0f, 0.5f}, {"sigmoid", INFINITY, 1.0f}, {"sigmoid", -INFINITY, 0.0f}, {"sigmoid", 40.0f, 1.0f},
      {"tanh", 0.0f, 0.0f}, {"tanh", -0.0f, -0.0f}, {"tanh", INFINITY, 1.0f}, {"tanh", -INFINITY, -1.0f}, {"tanh", 20.0f, 1.0f},
      {"erf", 0.0f, 0.0f}, {"erf", -0.0f, -0.0f}, {"erf", INFINITY, 1.0f}, {"erf", -INFINITY, -1.0f}, {"erf", 4.0f, 1.0f}, {"erf", NAN, NAN},
      {"expm1", 0.0f, 0.0f}, {"expm1", -0.0f, -0.0f}, {"expm1", INFINITY, INFINITY}, {"expm1", 88.8f, INFINITY}, {"expm1", -INFINITY, -1.0f},
      {"expm1", -20.0f, -1.0f}, {"expm1", 1e-38f, 1e-38f}, {"expm1", NAN, NAN},
      {"log1p", 0.0f, 0.0f}, {"log1p", -0.0f, -0.0f}, {"log1p", INFINITY, INFINITY}, {"log1p", -1.0f, -INFINITY}, {"log1p", -1.5f, NAN},
      {"log1p", -INFINITY, NAN}, {"log1p", 1e-38f, 1e-38f}, {"log1p", -1e-38f, -1e-38f}, {"log1p", NAN, NAN},
      {"exp", NAN, NAN}, {"log", NAN, NAN}, {"sigmoid", NAN, NAN}, {"tanh", NAN, NAN}, {"tanh", 1e-38f, 1e-38f},
  };
  for (const InstructionSet& set : available()) {
    for (const Case& one : cases) {
      const std::vector<float> x(16, one.x);
      std::vector<float> y(16);
      find(set, one.function)(x.data(), nullptr, nullptr, y.data(), 16);
      if (!sameBitsOrBothNan(y[0], one.want)) std::printf("  %s(%a) = %a on %s, expected %a\n", one.function, one.x, y[0], set.name, one.want);
      MNEME_CHECK(sameBitsOrBothNan(y[0], one.want));
    }
  }
}

}  // namespace
