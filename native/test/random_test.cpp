// Random numbers against a plain generator with published values; drawing from logits against its rule in double precision.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

struct Words {
  uint32_t word[4];
};
Words plainPhilox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter.word[0], c = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(c >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(c), static_cast<uint32_t>(a >> 32) ^ counter.word[3] ^ key1,
                static_cast<uint32_t>(a)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}
uint32_t plainWord(int64_t element, int32_t seedLow, int32_t seedHigh, int32_t step, int32_t purpose) {
  const Words words = plainPhilox({{static_cast<uint32_t>(element / 4), 0, static_cast<uint32_t>(step), static_cast<uint32_t>(purpose)}},
                                  static_cast<uint32_t>(seedLow), static_cast<uint32_t>(seedHigh));
  return words.word[element % 4];
}

KernelCase randomCase(int32_t count, int32_t step, std::vector<int32_t> words) { return {"random", {integers({1}, {step})}, {floats({count})}, std::move(words), {}}; }

KernelCase sampleCase(Array logits, float temperature, float topP, float topK, int32_t step = 7) {
  const auto rows = static_cast<int32_t>(logits.type.rows());
  return {"sample", {std::move(logits), floats({3}, {temperature, topP, topK}), integers({2}, {11, 22}), integers({1}, {step})}, {integers({rows})}, {}, {}};
}

// The rule of docs/architecture.md in double precision, for one row.
int32_t plainSample(const Array& logits, int64_t row, double temperature, double topP, int64_t topK, double u) {
  const int64_t columns = logits.type.columns();
  std::vector<int32_t> order(static_cast<std::size_t>(columns));
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](int32_t id) { return static_cast<double>(logits.at(row * columns + id)); };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  const double largest = logit(order[0]);
  const auto weight = [&](int32_t id) { return std::exp((logit(id) - largest) / temperature); };
  if (topK > 0 && topK < columns) order.resize(static_cast<std::size_t>(topK));
  if (topP < 1) {
    double total = 0, running = 0;
    for (const int32_t id : order) total += weight(id);
    std::size_t stay = 0;
    while (stay < order.size() && (stay == 0 || running < topP * total)) running += weight(order[stay++]);
    order.resize(stay);
  }
  std::sort(order.begin(), order.end());
  double total = 0, running = 0;
  for (const int32_t id : order) total += weight(id);
  for (const int32_t id : order) {
    running += weight(id);
    if (running > u * total) return id;
  }
  return order.back();
}

}  // namespace

MNEME_TEST(philoxKnown, "random: the plain generator of this test gives the published words of Philox 4x32-10") {
  const Words zeros = plainPhilox({{0, 0, 0, 0}}, 0, 0);
  const Words ones = plainPhilox({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u);
  const Words pi = plainPhilox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0);
  const Words expected[] = {{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  MNEME_CHECK(std::memcmp(&zeros, &expected[0], sizeof zeros) == 0);
  MNEME_CHECK(std::memcmp(&ones, &expected[1], sizeof ones) == 0);
  MNEME_CHECK(std::memcmp(&pi, &expected[2], sizeof pi) == 0);
}

MNEME_TEST(uniformNumbers, "random: uniform numbers are the upper 24 bits of their words") {
  for (const int32_t count : {1, 3, 64, 65, 1000, 40000}) {
    const std::vector<Array> outputs = runEverywhere(randomCase(count, -5, {123456789, -987654321, 3, 0}));
    for (int64_t i = 0; i < count; ++i) {
      MNEME_CHECK(outputs[0].at(i) == static_cast<float>(plainWord(i, 123456789, -987654321, -5, 3) >> 8) * 0x1p-24f);
    }
  }
}

MNEME_TEST(normalNumbers, "random: normal numbers are Box and Muller's, and have the moments of the normal distribution") {
  constexpr int32_t count = 200002;
  const std::vector<Array> outputs = runEverywhere(randomCase(count, 9, {5, 6, 7, 1}));
  double moments[5] = {0};
  for (int64_t i = 0; i < count; ++i) {
    const double u = (static_cast<double>(plainWord(i & ~int64_t{1}, 5, 6, 9, 7) >> 8) + 1) * 0x1p-24;
    const double v = static_cast<double>(plainWord(i | 1, 5, 6, 9, 7) >> 8) * 0x1p-24;
    const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::acos(-1.0) * v;
    const double want = radius * ((i & 1) == 0 ? std::cos(angle) : std::sin(angle));
    // log, root, the angle, the series and the products: about 6 roundings of the radius or less.
    MNEME_CHECK_NEAR(outputs[0].at(i), want, 6 * 0x1p-24 * radius);
    double power = 1;
    for (double& moment : moments) {
      moment += power / count;
      power *= outputs[0].at(i);
    }
  }
  // Means of n samples of x, x^2, x^3, x^4 have the variances 1, 2, 15, 96 over n; five standard deviations.
  const double expected[] = {1, 0, 1, 0, 3}, variance[] = {0, 1, 2, 15, 96};
  for (int moment = 0; moment < 5; ++moment) MNEME_CHECK_NEAR(moments[moment], expected[moment], 5 * std::sqrt(variance[moment] / count) + 1e-9);
}

MNEME_TEST(randomRefused, "random: words and operands that do not fit are refused") {
  for (const std::vector<int32_t>& words : std::vector<std::vector<int32_t>>{{1, 2, 3, 2}, {1, 2, 3, -1}, {1, 2, 3}, {1, 2, 3, 0, 0}, {}}) MNEME_CHECK(refused(randomCase(5, 0, words)));
  MNEME_CHECK(refused({"random", {floats({1})}, {floats({5})}, {1, 2, 3, 0}, {}}));
  MNEME_CHECK(refused({"random", {integers({2})}, {floats({5})}, {1, 2, 3, 0}, {}}));
  MNEME_CHECK(refused({"random", {integers({1})}, {integers({5})}, {1, 2, 3, 0}, {}}));
}

MNEME_TEST(sampleLargest, "sample: temperature 0 takes the largest logit, of equal ones the lowest id") {
  Array logits = noise({5, 65}, 1);
  for (const int64_t place : {3, 20, 64}) logits.set(2 * 65 + place, 9.0f);
  const std::vector<Array> outputs = runEverywhere(sampleCase(logits, 0.0f, 0.5f, 3.0f));
  for (int64_t row = 0; row < 5; ++row) {
    int32_t largest = 0;
    for (int32_t id = 1; id < 65; ++id)
      if (logits.at(row * 65 + id) > logits.at(row * 65 + largest)) largest = id;
    MNEME_CHECK(outputs[0].idAt(row) == largest);
  }
  MNEME_CHECK(outputs[0].idAt(2) == 3);
}

MNEME_TEST(sampleRule, "sample: temperature, top-k and top-p together draw what the rule says") {
  struct {
    float temperature, topP, topK;
  } const settings[] = {{1, 1, 0}, {0.5f, 1, 0}, {2, 1, 5}, {1, 0.9f, 0}, {1, 0.3f, 10}, {1, 1, 1}, {1, 0, 0}, {1, 1, 1000}, {1e-3f, 1, 0}};
  int64_t drawn = 0, same = 0;
  for (const auto& setting : settings) {
    for (const int32_t columns : {1, 2, 65, 1000}) {
      const Array logits = noise({40, columns}, 3, 4);
      for (const int32_t step : {0, 1}) {
        const std::vector<Array> outputs = runEverywhere(sampleCase(logits, setting.temperature, setting.topP, setting.topK, step));
        for (int64_t row = 0; row < 40; ++row) {
          const double u = static_cast<double>(plainWord(row, 11, 22, step, 0) >> 8) * 0x1p-24;
          const int32_t want = plainSample(logits, row, setting.temperature, setting.topP, static_cast<int64_t>(setting.topK), u);
          MNEME_CHECK(outputs[0].idAt(row) >= 0 && outputs[0].idAt(row) < columns);
          ++drawn;
          same += outputs[0].idAt(row) == want;
        }
      }
    }
  }
  // Weights are off by a few ulp, so that one draw in 2^24 / columns / a few may fall on the other side of a border.
  MNEME_CHECK(drawn - same <= 1);
}

MNEME_TEST(sampleTies, "sample: equal logits stand by rising id, so that top-k keeps the lowest") {
  const Array equal = floats({20, 10}, std::vector<float>(200, 1.5f));
  const std::vector<Array> outputs = runEverywhere(sampleCase(equal, 1.0f, 1.0f, 3.0f));
  bool seen[3] = {false, false, false};
  for (int64_t row = 0; row < 20; ++row) {
    MNEME_CHECK(outputs[0].idAt(row) < 3);
    if (outputs[0].idAt(row) < 3) seen[outputs[0].idAt(row)] = true;
  }
  MNEME_CHECK(seen[0] && seen[1] && seen[2]);
}

MNEME_TEST(sampleFrequencies, "sample: ids come as often as their probabilities say") {
  const std::vector<float> probabilities = {0.5f, 0.25f, 0.125f, 0.0625f, 0.0625f};
  constexpr int32_t rows = 20000;
  Array logits = floats({rows, 5});
  for (int64_t i = 0; i < logits.count(); ++i) logits.set(i, std::log(probabilities[static_cast<std::size_t>(i % 5)]) + 3.0f);
  const std::vector<Array> outputs = runEverywhere(sampleCase(logits, 1.0f, 1.0f, 0.0f));
  double counts[5] = {0};
  for (int64_t row = 0; row < rows; ++row) ++counts[outputs[0].idAt(row)];
  for (int id = 0; id < 5; ++id) {
    const double p = probabilities[static_cast<std::size_t>(id)];
    MNEME_CHECK_NEAR(counts[id] / rows, p, 5 * std::sqrt(p * (1 - p) / rows));
  }
}

MNEME_TEST(sampleNotFinite, "sample: a row with NaN or without a finite largest logit gives -1; minus infinity is never drawn") {
  Array logits = noise({4, 6}, 1);
  logits.set(6 + 2, NAN);
  logits.set(2 * 6 + 5, INFINITY);
  for (int64_t i = 0; i < 6; ++i)
    if (i != 4) logits.set(3 * 6 + i, -INFINITY);
  for (const float temperature : {0.0f, 1.0f}) {
    for (const float topP : {1.0f, 0.5f}) {
      const std::vector<Array> outputs = runEverywhere(sampleCase(logits, temperature, topP, 0.0f));
      MNEME_CHECK(outputs[0].idAt(0) >= 0);
      MNEME_CHECK(outputs[0].idAt(1) == -1 && outputs[0].idAt(2) == -1);
      MNEME_CHECK(outputs[0].idAt(3) == 4);
    }
  }
}

MNEME_TEST(sampleStrangeSettings, "sample: settings without sense draw an id all the same") {
  for (const float strange : {NAN, INFINITY, -INFINITY, -1.0f, 1e30f, 1e-45f}) {
    for (int setting = 0; setting < 3; ++setting) {
      KernelCase test = sampleCase(noise({3, 65}, 1), 1.0f, 0.9f, 10.0f);
      test.inputs[1].set(setting, strange);
      const std::vector<Array> outputs = runEverywhere(test);
      for (int64_t row = 0; row < 3; ++row) MNEME_CHECK(outputs[0].idAt(row) >= 0 && outputs[0].idAt(row) < 65);
    }
  }
}

MNEME_TEST(sampleRefused, "sample: operands that do not fit are refused") {
  const KernelCase good = sampleCase(noise({3, 65}, 1), 1, 1, 0);
  MNEME_CHECK(!refused(good));
  for (std::size_t input = 0; input < 4; ++input) {
    for (Array bad : {floats({7}), integers({7}), absentArray()}) {
      KernelCase test = good;
      test.inputs[input] = bad;
      MNEME_CHECK(refused(test));
    }
  }
  KernelCase test = good;
  test.outputs[0] = integers({4});
  MNEME_CHECK(refused(test));
  test.outputs[0] = floats({3});
  MNEME_CHECK(refused(test));
}
