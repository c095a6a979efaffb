// Expression code through the map kernel: every opcode, registers used again, outputs that lie on inputs; and all the
// ways in which hostile code is refused.
#include <cmath>
#include <limits>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

using Instruction = std::vector<int32_t>;  // opcode, destination, then operands

// The words of map without guard.
std::vector<int32_t> mapWords(int32_t inputs, const std::vector<float>& constants, int32_t temporaries, const std::vector<Instruction>& code,
                              const std::vector<int32_t>& outputs, int32_t guard = 0) {
  std::vector<int32_t> words = {guard, inputs, static_cast<int32_t>(outputs.size()), static_cast<int32_t>(constants.size()), temporaries,
                                static_cast<int32_t>(code.size())};
  for (const float constant : constants) words.push_back(bitsOfFloat(constant));
  for (Instruction instruction : code) {
    instruction.resize(6, 0);
    words.insert(words.end(), instruction.begin(), instruction.end());
  }
  words.insert(words.end(), outputs.begin(), outputs.end());
  return words;
}

struct Opcode {
  int32_t code;
  int operands;
  double (*value)(double a, double b, double c, double d);
  double ulps;  // 0: exact. 1 ulp is 2^-23 relative at most.
};
double maximumWithNan(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b); }
double minimumWithNan(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b); }
const Opcode opcodes[] = {
    {0, 1, [](double a, double, double, double) { return a; }, 0},
    {1, 1, [](double a, double, double, double) { return -a; }, 0},
    {2, 1, [](double a, double, double, double) { return std::fabs(a); }, 0},
    {3, 1, [](double a, double, double, double) { return std::exp(a); }, 2},
    {4, 1, [](double a, double, double, double) { return std::log(a); }, 2},
    {5, 1, [](double a, double, double, double) { return std::sqrt(a); }, 0.5},
    {6, 1, [](double a, double, double, double) { return std::tanh(a); }, 4},
    {7, 1, [](double a, double, double, double) { return 1 / (1 + std::exp(-a)); }, 4},
    {8, 1, [](double a, double, double, double) { return std::isnan(a) ? a : (a > 0) - (a < 0); }, 0},
    {9, 1, [](double a, double, double, double) { return std::floor(a); }, 0},
    {10, 2, [](double a, double b, double, double) { return a + b; }, 0.5},
    {11, 2, [](double a, double b, double, double) { return a - b; }, 0.5},
    {12, 2, [](double a, double b, double, double) { return a * b; }, 0.5},
    {13, 2, [](double a, double b, double, double) { return a / b; }, 0.5},
    {14, 2, [](double a, double b, double, double) { return minimumWithNan(a, b); }, 0},
    {15, 2, [](double a, double b, double, double) { return maximumWithNan(a, b); }, 0},
    {16, 2, [](double a, double b, double, double) { return a < b ? 1.0 : 0.0; }, 0},
    {17, 2, [](double a, double b, double, double) { return a <= b ? 1.0 : 0.0; }, 0},
    {18, 2, [](double a, double b, double, double) { return a == b ? 1.0 : 0.0; }, 0},
    {20, 3, [](double a, double b, double c, double) { return a != 0 ? b : c; }, 0},
    {21, 3, [](double a, double b, double c, double) { return a * b + c; }, 0.5},
    {22, 3, [](double a, double b, double c, double) { return a * b - c; }, 0.5},
    {23, 3, [](double a, double b, double c, double) { return c - a * b; }, 0.5},
    // Two roundings: of c*d, and of the sum; the first may be large beside the sum where the products cancel.
    {24, 4, [](double a, double b, double c, double d) { return std::fma(a, b, static_cast<double>(static_cast<float>(c * d))); }, 0.5},
    {25, 3, [](double a, double b, double c, double) { return a / (std::sqrt(b) + c); }, 2},
    {26, 1, [](double a, double, double, double) { return std::erf(a); }, 1.5},
    {27, 1, [](double a, double, double, double) { return std::expm1(a); }, 2},
    {28, 1, [](double a, double, double, double) { return std::log1p(a); }, 2},
    {29, 4,
     [](double a, double b, double c, double d) {
       const auto square = static_cast<double>(static_cast<float>(d * d));
       return std::fma(a, b, static_cast<double>(static_cast<float>(c * square)));
     },
     0.5},
    {30, 4, [](double a, double b, double c, double d) { return a * b / (std::sqrt(c) + d); }, 2.5},
};

void checkValue(const Opcode& opcode, double got, double want) {
  if (std::isnan(want)) {
    MNEME_CHECK(std::isnan(got));
  } else if (std::isinf(want) || std::fabs(want) > std::numeric_limits<float>::max()) {
    MNEME_CHECK(std::isinf(got) && (got > 0) == (want > 0));
  } else {
    // Denormal results are flushed; the double's own rounding is hidden in the last term.
    const double bound = opcode.ulps * std::ldexp(std::fabs(want), -23) + 1.2e-38 + 1e-12 * std::fabs(want);
    if (!(std::fabs(got - want) <= (opcode.ulps == 0 ? 0.0 : bound))) std::printf("opcode %d\n", opcode.code);
    MNEME_CHECK_NEAR(got, want, opcode.ulps == 0 ? 0.0 : bound);
  }
}

// 21 elements: full vectors at every width, and a rest.
constexpr int32_t length = 1045;

Array positive(Array array) {
  for (int64_t i = 0; i < array.count(); ++i) array.set(i, std::fabs(array.at(i)) + 1e-3f);
  return array;
}

}  // namespace

MNEME_TEST(everyOpcode, "expression: every opcode, with every choice of operands that are scalars, gives its value") {
  for (const Opcode& opcode : opcodes) {
    std::vector<Array> operands;
    for (uint32_t operand = 0; operand < 4; ++operand) operands.push_back(noise({length}, operand + 1, 3.0f));
    if (opcode.code == 4 || opcode.code == 5 || opcode.code == 28) operands[0] = positive(operands[0]);
    if (opcode.code == 25) operands[1] = positive(operands[1]), operands[2] = positive(operands[2]);
    if (opcode.code == 30) operands[2] = positive(operands[2]), operands[3] = positive(operands[3]);
    if (opcode.code >= 16 && opcode.code <= 20) {
      for (int64_t i = 0; i < length; i += 3) operands[0].set(i, opcode.code == 20 ? 0.0f : operands[1].at(i));
    }
    for (int scalars = 0; scalars < 1 << opcode.operands; ++scalars) {
      KernelCase test = {"map", {}, {floats({length})}, {}, {}};
      Instruction instruction = {opcode.code, opcode.operands};
      for (int operand = 0; operand < opcode.operands; ++operand) {
        const Array& whole = operands[static_cast<std::size_t>(operand)];
        test.inputs.push_back((scalars >> operand & 1) != 0 ? floats({1}, {whole.at(0)}) : whole);
        instruction.push_back(operand);
      }
      test.words = mapWords(opcode.operands, {}, 1, {instruction}, {opcode.operands});
      const std::vector<Array> outputs = runEverywhere(test);
      for (int64_t i = 0; i < length; ++i) {
        double values[4] = {0, 0, 0, 0};
        for (int operand = 0; operand < opcode.operands; ++operand)
          values[operand] = (scalars >> operand & 1) != 0 ? operands[static_cast<std::size_t>(operand)].at(0) : operands[static_cast<std::size_t>(operand)].at(i);
        checkValue(opcode, outputs[0].at(i), opcode.value(values[0], values[1], values[2], values[3]));
      }
    }
  }
}

MNEME_TEST(specialValues, "expression: NaN, infinities and zeros go through every opcode as they should") {
  const float nan = NAN, infinity = INFINITY;
  const std::vector<float> special = {nan, infinity, -infinity, 0.0f, -0.0f, 1.0f, -2.5f};
  for (const Opcode& opcode : opcodes) {
    if (opcode.operands > 2) continue;
    std::vector<float> a, b;
    for (const float x : special) {
      for (const float y : special) {
        a.push_back(x);
        b.push_back(y);
      }
    }
    const auto count = static_cast<int32_t>(a.size());
    KernelCase test = {"map", {floats({count}, a), floats({count}, b)}, {floats({count})}, mapWords(2, {}, 1, {{opcode.code, 2, 0, 1}}, {2}), {}};
    const std::vector<Array> outputs = runEverywhere(test);
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      checkValue(opcode, outputs[0].at(i), opcode.value(a[at], b[at], 0, 0));
    }
  }
}

MNEME_TEST(registersReused, "expression: temporaries used again, constants, and scalars computed once give the same as written out") {
  // (x*y + 2)*(s + 3) - x, with temporary 0 first scalar, then not: registers 0 x, 1 y, 2 s, 3 = 2, 4 = 3, 5 6 temporaries.
  const std::vector<Instruction> code = {{10, 5, 2, 4}, {21, 6, 0, 1, 3}, {12, 6, 6, 5}, {11, 5, 6, 0}, {1, 6, 5}};
  KernelCase test = {"map", {noise({3, 400}, 1), noise({3, 400}, 2), floats({1}, {0.75f})}, {floats({3, 400}), floats({3, 400})},
                     mapWords(3, {2.0f, 3.0f}, 2, code, {5, 6}), {}};
  const std::vector<Array> outputs = runEverywhere(test);
  for (int64_t i = 0; i < 1200; ++i) {
    const float x = test.inputs[0].at(i), y = test.inputs[1].at(i);
    const float want = std::fma(x, y, 2.0f) * 3.75f - x;
    MNEME_CHECK(outputs[0].at(i) == want);
    MNEME_CHECK(outputs[1].at(i) == -want);
  }
}

MNEME_TEST(outputsAreRegisters, "expression: outputs may be inputs, constants, scalars, and one register twice") {
  KernelCase test = {"map", {noise({700}, 1), floats({1}, {4.0f})}, {floats({700}), floats({700}), floats({700}), floats({700}), floats({700})},
                     mapWords(2, {9.0f}, 2, {{10, 3, 0, 2}, {10, 4, 1, 2}}, {0, 2, 4, 3, 3}), {}};
  const std::vector<Array> outputs = runEverywhere(test);
  for (int64_t i = 0; i < 700; ++i) {
    MNEME_CHECK(outputs[0].at(i) == test.inputs[0].at(i));
    MNEME_CHECK(outputs[1].at(i) == 9.0f);
    MNEME_CHECK(outputs[2].at(i) == 13.0f);
    MNEME_CHECK(outputs[3].at(i) == test.inputs[0].at(i) + 9.0f && outputs[4].at(i) == outputs[3].at(i));
  }
}

MNEME_TEST(inPlace, "expression: outputs on inputs: an input is still whole for whoever reads it later") {
  // a' = a + b lies on a, though b' = a - b reads a afterwards; and two inputs change places.
  KernelCase update = {"map", {noise({1300}, 1), noise({1300}, 2)}, {floats({1300}), floats({1300})},
                       mapWords(2, {}, 2, {{10, 2, 0, 1}, {11, 3, 0, 1}}, {2, 3}), {{0, 0}, {1, 1}}};
  const std::vector<Array> sums = runEverywhere(update);
  KernelCase swap = {"map", {update.inputs[0], update.inputs[1]}, {floats({1300}), floats({1300})}, mapWords(2, {}, 0, {}, {1, 0}), {{0, 0}, {1, 1}}};
  const std::vector<Array> swapped = runEverywhere(swap);
  // The sum is an output for good as soon as it is computed, but the copy of a is taken at the very end.
  KernelCase copied = {"map", {update.inputs[0], update.inputs[1]}, {floats({1300}), floats({1300})},
                       mapWords(2, {}, 1, {{10, 2, 0, 1}}, {2, 0}), {{0, 0}}};
  const std::vector<Array> copies = runEverywhere(copied);
  for (int64_t i = 0; i < 1300; ++i) {
    const float a = update.inputs[0].at(i), b = update.inputs[1].at(i);
    MNEME_CHECK(sums[0].at(i) == a + b && sums[1].at(i) == a - b);
    MNEME_CHECK(swapped[0].at(i) == b && swapped[1].at(i) == a);
    MNEME_CHECK(copies[0].at(i) == a + b && copies[1].at(i) == a);
  }
}

MNEME_TEST(manyRegisters, "expression: the largest programs that are allowed run") {
  std::vector<Instruction> code;
  for (int32_t i = 0; i < 512; ++i) code.push_back({10, 1 + i, i == 0 ? 0 : i, 0});
  for (int32_t i = 512; i < 4096; ++i) code.push_back({0, 1 + i % 511, 512});
  KernelCase test = {"map", {noise({600}, 1)}, {floats({600})}, mapWords(1, {}, 512, code, {512}), {}};
  const std::vector<Array> outputs = runEverywhere(test);
  for (int64_t i = 0; i < 600; ++i) {
    const double want = 513.0 * test.inputs[0].at(i);
    // Each of 512 additions rounds by at most half an ulp of a partial sum.
    MNEME_CHECK_NEAR(outputs[0].at(i), want, 512 * std::fabs(want) * 0x1p-24);
  }
}

MNEME_TEST(hostileCode, "expression: hostile code is refused") {
  const auto test = [](std::vector<int32_t> words, int inputs = 1, int outputs = 1) {
    KernelCase result = {"map", {}, {}, std::move(words), {}};
    for (int input = 0; input < inputs; ++input) result.inputs.push_back(noise({8}, 1));
    for (int output = 0; output < outputs; ++output) result.outputs.push_back(floats({8}));
    return result;
  };
  MNEME_CHECK(!refused(test(mapWords(1, {1.0f}, 1, {{10, 2, 0, 1}}, {2}))));
  // Registers out of range, destinations that are no temporaries, reading before writing, opcodes that are not there.
  for (const Instruction& bad : std::vector<Instruction>{{10, 2, 0, 3}, {10, 2, 0, -1}, {10, 2, INT32_MAX, 0}, {10, 2, INT32_MIN, 0}, {10, 1, 0, 1}, {10, 0, 0, 1},
                                                         {10, 3, 0, 1}, {10, -1, 0, 1}, {10, INT32_MIN, 0, 1}, {10, INT32_MAX, 0, 1}, {10, 2, 0, 2}, {19, 2, 0, 1},
                                                         {31, 2, 0, 1}, {-1, 2, 0, 1}, {INT32_MAX, 2, 0, 1}, {24, 2, 0, 0, 0, 7}, {20, 2, 0, 0, 9}})
    MNEME_CHECK(refused(test(mapWords(1, {1.0f}, 1, {bad}, {0}))));
  // Outputs from registers that hold nothing.
  for (const int32_t output : {2, 3, -1, INT32_MAX, INT32_MIN}) MNEME_CHECK(refused(test(mapWords(1, {1.0f}, 1, {}, {output}))));
  // Counts that are negative, too large, or do not fit the words and operands.
  const std::vector<int32_t> good = mapWords(1, {1.0f}, 1, {{10, 2, 0, 1}}, {2});
  for (std::size_t word = 0; word < 6; ++word) {
    for (const int32_t value : {-1, INT32_MIN, INT32_MAX, 1 << 20, good[word] + 1}) {
      if (word == 4 && value == good[word] + 1) continue;  // one temporary more is no harm
      std::vector<int32_t> bad = good;
      bad[word] = value;
      MNEME_CHECK(refused(test(bad)));
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) MNEME_CHECK(refused(test({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)})));
  std::vector<int32_t> longer = good;
  longer.push_back(0);
  MNEME_CHECK(refused(test(longer)));
  MNEME_CHECK(refused(test(good, 0)));
  MNEME_CHECK(refused(test(good, 2)));
  MNEME_CHECK(refused(test(good, 1, 0)));
  MNEME_CHECK(refused(test(good, 1, 2)));
  MNEME_CHECK(refused(test(mapWords(1, {}, 0, {}, {}), 1, 0)));
}
