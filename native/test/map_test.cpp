// map and reduce: broadcasting, the guard, the order of sums.
#include <cmath>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

// The order of docs/architecture.md in plain code: 16 lanes, folded 8, 4, 2, 1; chunks of 4096 in order.
float sumInLanes(const std::vector<float>& x) {
  float total = 0.0f;
  for (std::size_t start = 0; start < x.size(); start += 4096) {
    float lanes[16] = {0};
    for (std::size_t i = start; i < x.size() && i < start + 4096; ++i) lanes[(i - start) % 16] += x[i];
    for (int half = 8; half > 0; half /= 2)
      for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    total = start == 0 ? lanes[0] : total + lanes[0];
  }
  return total;
}

// The expression a*b of two inputs, or a alone.
const std::vector<int32_t> productCode = {2, 1, 0, 1, 1, 12, 2, 0, 1, 0, 0, 2};
const std::vector<int32_t> identityCode = {1, 1, 0, 0, 0, 0};

std::vector<int32_t> reduceWords(int32_t kind, int32_t axis, float scale, const std::vector<int32_t>& code) {
  std::vector<int32_t> words = {kind, axis, bitsOfFloat(scale)};
  words.insert(words.end(), code.begin(), code.end());
  return words;
}

constexpr int32_t shapes[][2] = {{1, 1}, {1, 5}, {7, 1}, {3, 16}, {100, 10}, {37, 65}, {5, 511}, {4, 512}, {3, 513}, {300, 40}, {2, 5000}, {600, 3}};

}  // namespace

MNEME_TEST(mapBroadcasts, "map: scalars, rows and columns are spread over the outputs' shape") {
  // x + columns * rows + scalar
  const std::vector<int32_t> words = {0, 4, 1, 0, 1, 2, 21, 4, 1, 2, 3, 0, 10, 4, 4, 0, 0, 0, 4};
  for (const auto& shape : shapes) {
    const int32_t rows = shape[0], columns = shape[1];
    KernelCase test = {"map", {noise({rows, columns}, 1), noise({columns}, 2), noise({rows, 1}, 3), floats({1}, {0.5f})}, {floats({rows, columns})}, words, {}};
    const std::vector<Array> outputs = runEverywhere(test);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        const float want = std::fma(test.inputs[1].at(column), test.inputs[2].at(row), 0.5f) + test.inputs[0].at(row * columns + column);
        MNEME_CHECK(outputs[0].at(row * columns + column) == want);
      }
    }
  }
  // Leading axes may be several.
  KernelCase deep = {"map", {noise({3, 4, 6}, 1), noise({3, 4, 1}, 2)}, {floats({3, 4, 6})}, {0, 2, 1, 0, 1, 1, 12, 2, 0, 1, 0, 0, 2}, {}};
  const std::vector<Array> outputs = runEverywhere(deep);
  for (int64_t i = 0; i < 72; ++i) MNEME_CHECK(outputs[0].at(i) == deep.inputs[0].at(i) * deep.inputs[1].at(i / 6));
}

MNEME_TEST(mapShapesRefused, "map: shapes that do not spread, other dtypes and absent operands are refused") {
  const std::vector<int32_t> words = {0, 2, 1, 0, 1, 1, 12, 2, 0, 1, 0, 0, 2};
  const auto with = [&](Array second) { return KernelCase{"map", {noise({4, 6}, 1), std::move(second)}, {floats({4, 6})}, words, {}}; };
  MNEME_CHECK(!refused(with(noise({6}, 1))));
  for (Array bad : {noise({4}, 1), noise({5}, 1), noise({6, 1}, 1), noise({1, 6}, 1), noise({1, 1}, 1), noise({2, 4, 6}, 1), noise({4, 1, 1}, 1), integers({4, 6}), absentArray()})
    MNEME_CHECK(refused(with(bad)));
  KernelCase twoShapes = {"map", {noise({6}, 1)}, {floats({6}), floats({7})}, {0, 1, 2, 0, 0, 0, 0, 0}, {}};
  MNEME_CHECK(refused(twoShapes));
  KernelCase noFlag = {"map", {noise({6}, 1)}, {floats({6})}, {1, 1, 1, 0, 0, 0, 0}, {}};
  MNEME_CHECK(refused(noFlag));
  KernelCase longFlag = {"map", {noise({6}, 1)}, {floats({6}), integers({2})}, {1, 1, 1, 0, 0, 0, 0}, {}};
  MNEME_CHECK(refused(longFlag));
  for (const int32_t rank : {0, 5, -1, INT32_MAX}) {
    KernelCase strange = with(noise({6}, 1));
    strange.inputs[1].type.rank = rank;
    MNEME_CHECK(refused(strange));
  }
  for (const int32_t extent : {0, -6, INT32_MAX}) {
    KernelCase strange = with(noise({6}, 1));
    strange.inputs[1].type.shape[0] = extent;
    MNEME_CHECK(refused(strange));
    strange.outputs[0].type = typeOf(Dtype::f32, {INT32_MAX, INT32_MAX, INT32_MAX, 2});
    MNEME_CHECK(refused(strange));
  }
}

MNEME_TEST(guardHolds, "map with guard: one element that is not finite, anywhere, and nothing is stored") {
  // a' = a + b in place, c = a * b
  const std::vector<int32_t> words = {1, 2, 2, 0, 2, 2, 10, 2, 0, 1, 0, 0, 12, 3, 0, 1, 0, 0, 2, 3};
  for (const int32_t count : {1, 100, 512, 5000, 40000, 150000}) {
    KernelCase test = {"map", {noise({count}, 1), noise({count}, 2)}, {floats({count}), floats({count}), integers({1})}, words, {{0, 0}}};
    const std::vector<Array> stored = runEverywhere(test);
    MNEME_CHECK(stored[2].idAt(0) == 1);
    for (int64_t i = 0; i < count; ++i) {
      MNEME_CHECK(stored[0].at(i) == test.inputs[0].at(i) + test.inputs[1].at(i));
      MNEME_CHECK(stored[1].at(i) == test.inputs[0].at(i) * test.inputs[1].at(i));
    }
    for (const int64_t place : {int64_t{0}, int64_t{count} / 2, int64_t{count} - 1}) {
      for (const float bad : {NAN, INFINITY, 3e38f}) {
        KernelCase broken = test;
        broken.inputs[1].set(place, bad);
        broken.inputs[0].set(place, bad);  // 3e38: finite, but neither the sum nor the product is
        const Array before = broken.inputs[0];
        const std::vector<Array> kept = runEverywhere(broken);
        MNEME_CHECK(kept[2].idAt(0) == 0);
        MNEME_CHECK(sameWords(kept[0], before));
        MNEME_CHECK(sameWords(kept[1], floats({count})));
      }
    }
  }
}

// a' = a + b in place, c = a * b; the proof is the scalar input `trusted`.
KernelCase provenCase(int32_t count, float trusted) {
  const std::vector<int32_t> words = {2, 3, 3, 0, 2, 2, 10, 3, 0, 1, 0, 0, 12, 4, 0, 1, 0, 0, 3, 4, 2};
  return {"map", {noise({count}, 1), noise({count}, 2), floats({1}, {trusted})}, {floats({count}), floats({count}), floats({4}), integers({1})}, words, {{0, 0}}};
}

MNEME_TEST(proofSpares, "map with a proof: the same results and extremes with and without a first evaluation") {
  for (const int32_t count : {1, 5, 16, 100, 513, 5000, 40000, 150000, 400000}) {
    std::vector<Array> without;
    for (const float trusted : {0.0f, 1.0f, NAN, -2.0f}) {
      const KernelCase test = provenCase(count, trusted);
      const std::vector<Array> outputs = runEverywhere(test);
      MNEME_CHECK(outputs[3].idAt(0) == 1);
      float extremes[4] = {INFINITY, -INFINITY, INFINITY, -INFINITY};
      for (int64_t i = 0; i < count; ++i) {
        const float results[2] = {test.inputs[0].at(i) + test.inputs[1].at(i), test.inputs[0].at(i) * test.inputs[1].at(i)};
        for (int output = 0; output < 2; ++output) {
          MNEME_CHECK(outputs[output].at(i) == results[output]);
          extremes[2 * output] = std::fmin(extremes[2 * output], results[output]);
          extremes[2 * output + 1] = std::fmax(extremes[2 * output + 1], results[output]);
        }
      }
      for (int64_t i = 0; i < 4; ++i) MNEME_CHECK(outputs[2].at(i) == extremes[i]);
    }
  }
}

MNEME_TEST(proofZeros, "map with a proof: the extremes have no negative zero, wherever it stands") {
  for (const int32_t place : {0, 7, 39}) {
    for (const float trusted : {0.0f, 1.0f}) {
      KernelCase test = provenCase(40, trusted);
      for (int64_t i = 0; i < 40; ++i) test.inputs[0].set(i, i == place ? -0.0f : 0.0f), test.inputs[1].set(i, i == place ? -0.0f : 0.0f);
      const std::vector<Array> outputs = runEverywhere(test);
      for (int64_t i = 0; i < 4; ++i) MNEME_CHECK(outputs[2].idAt(i) == 0);
    }
  }
}

MNEME_TEST(proofMissing, "map with a proof that does not hold: one element that is not finite, and nothing is stored") {
  for (const int32_t count : {1, 513, 40000, 400000}) {
    for (const int64_t place : {int64_t{0}, int64_t{count} - 1}) {
      for (const float trusted : {0.0f, NAN}) {
        KernelCase broken = provenCase(count, trusted);
        broken.inputs[1].set(place, INFINITY);
        const Array before = broken.inputs[0];
        const std::vector<Array> kept = runEverywhere(broken);
        MNEME_CHECK(kept[3].idAt(0) == 0);
        MNEME_CHECK(sameWords(kept[0], before));
        MNEME_CHECK(sameWords(kept[1], floats({count})));
      }
    }
  }
}

MNEME_TEST(proofPerElement, "map with a proof that differs from element to element: it proves nothing") {
  KernelCase test = provenCase(1000, 1);
  test.words.back() = 1;
  test.inputs[1].set(999, INFINITY);
  const std::vector<Array> kept = runEverywhere(test);
  MNEME_CHECK(kept[3].idAt(0) == 0);
  MNEME_CHECK(sameWords(kept[0], test.inputs[0]));
}

MNEME_TEST(proofRefused, "map with a proof: operands that do not fit are refused") {
  MNEME_CHECK(!refused(provenCase(10, 1)));
  for (Array extremes : {floats({2}), floats({5}), integers({4}), absentArray()}) {
    KernelCase bad = provenCase(10, 1);
    bad.outputs[2] = extremes;
    MNEME_CHECK(refused(bad));
  }
  for (const int32_t guard : {-1, 0, 1, 3}) {
    KernelCase bad = provenCase(10, 1);
    bad.words[0] = guard;
    MNEME_CHECK(refused(bad));
  }
  // A proof and nothing that it could prove.
  MNEME_CHECK(refused({"map", {floats({1}, {1})}, {floats({1}), integers({1})}, {2, 1, 1, 0, 0, 0, 0}, {}}));
}

MNEME_TEST(reduceEverything, "reduce over everything: the sum in 16 lanes and chunks, to the bit; the largest") {
  for (const int32_t count : {1, 15, 16, 17, 511, 512, 4095, 4096, 4097, 50000}) {
    KernelCase test = {"reduce", {noise({count}, 1), noise({count}, 2)}, {floats({1})}, reduceWords(0, 0, 0.5f, productCode), {}};
    std::vector<float> products;
    float largest = -INFINITY;
    for (int64_t i = 0; i < count; ++i) products.push_back(test.inputs[0].at(i) * test.inputs[1].at(i));
    for (const float product : products) largest = product > largest ? product : largest;
    MNEME_CHECK(runEverywhere(test)[0].at(0) == 0.5f * sumInLanes(products));
    test.words = reduceWords(1, 0, 1.0f, productCode);
    MNEME_CHECK(runEverywhere(test)[0].at(0) == largest);
  }
}

MNEME_TEST(reduceAxes, "reduce over rows and over columns: in the order that is written down, to the bit") {
  for (const auto& shape : shapes) {
    const int32_t rows = shape[0], columns = shape[1];
    KernelCase test = {"reduce", {noise({rows, columns}, 1)}, {floats({columns})}, reduceWords(0, 1, 2.0f, identityCode), {}};
    const Array& x = test.inputs[0];
    const std::vector<Array> overRows = runEverywhere(test);
    for (int64_t column = 0; column < columns; ++column) {
      float total = 0.0f;
      for (int64_t chunk = 0; chunk < rows; chunk += 256) {
        float sum = 0.0f;
        for (int64_t row = chunk; row < rows && row < chunk + 256; ++row) sum += x.at(row * columns + column);
        total = chunk == 0 ? sum : total + sum;
      }
      MNEME_CHECK(overRows[0].at(column) == 2.0f * total);
    }
    test.outputs = {floats({rows})};
    test.words = reduceWords(0, 2, 2.0f, identityCode);
    const std::vector<Array> overColumns = runEverywhere(test);
    test.words = reduceWords(1, 2, 1.0f, identityCode);
    const std::vector<Array> largest = runEverywhere(test);
    for (int64_t row = 0; row < rows; ++row) {
      std::vector<float> values;
      float most = -INFINITY;
      for (int64_t column = 0; column < columns; ++column) {
        values.push_back(x.at(row * columns + column));
        most = values.back() > most ? values.back() : most;
      }
      MNEME_CHECK(overColumns[0].at(row) == 2.0f * sumInLanes(values));
      MNEME_CHECK(largest[0].at(row) == most);
    }
  }
}

MNEME_TEST(reduceBroadcasts, "reduce: a row of columns, a column of rows and a scalar are spread as in map") {
  // a * b * c * s
  const std::vector<int32_t> code = {4, 1, 0, 1, 3, 12, 4, 0, 1, 0, 0, 12, 4, 4, 2, 0, 0, 12, 4, 4, 3, 0, 0, 4};
  KernelCase test = {"reduce", {noise({70, 65}, 1), noise({65}, 2), noise({70, 1}, 3), floats({1}, {3.0f})}, {floats({65})}, reduceWords(0, 1, 1.0f, code), {}};
  const std::vector<Array> outputs = runEverywhere(test);
  for (int64_t column = 0; column < 65; ++column) {
    double total = 0, magnitude = 0;
    for (int64_t row = 0; row < 70; ++row) {
      const double term = 3.0 * test.inputs[0].at(row * 65 + column) * test.inputs[1].at(column) * test.inputs[2].at(row);
      total += term;
      magnitude += std::fabs(term);
    }
    // Three products and at most 70 additions, half an ulp each.
    MNEME_CHECK_NEAR(outputs[0].at(column), total, 73 * magnitude * 0x1p-24);
  }
}

MNEME_TEST(reduceNan, "reduce: a NaN anywhere is seen in the sum and in the largest, on every axis") {
  for (const int32_t kind : {0, 1}) {
    for (int64_t place = 0; place < 60; ++place) {
      KernelCase test = {"reduce", {noise({3, 20}, 1)}, {floats({1})}, reduceWords(kind, 0, 1.0f, identityCode), {}};
      test.inputs[0].set(place, NAN);
      MNEME_CHECK(std::isnan(runEverywhere(test)[0].at(0)));
      test.outputs = {floats({20})};
      test.words[1] = 1;
      const std::vector<Array> columns = runEverywhere(test);
      for (int64_t i = 0; i < 20; ++i) MNEME_CHECK(std::isnan(columns[0].at(i)) == (i == place % 20));
      test.outputs = {floats({3})};
      test.words[1] = 2;
      const std::vector<Array> rows = runEverywhere(test);
      for (int64_t i = 0; i < 3; ++i) MNEME_CHECK(std::isnan(rows[0].at(i)) == (i == place / 20));
    }
  }
}

MNEME_TEST(reduceNanChunks, "reduce: a NaN in one chunk is not lost among the others") {
  for (const int32_t kind : {0, 1}) {
    for (const int64_t place : {5, 5000, 9999}) {
      KernelCase everything = {"reduce", {noise({10000}, 1)}, {floats({1})}, reduceWords(kind, 0, 1.0f, identityCode), {}};
      everything.inputs[0].set(place, NAN);
      MNEME_CHECK(std::isnan(runEverywhere(everything)[0].at(0)));
      KernelCase overRows = {"reduce", {noise({10000, 1}, 1)}, {floats({1})}, reduceWords(kind, 1, 1.0f, identityCode), {}};
      overRows.inputs[0].set(place, NAN);
      MNEME_CHECK(std::isnan(runEverywhere(overRows)[0].at(0)));
      KernelCase overColumns = {"reduce", {noise({1, 10000}, 1)}, {floats({1})}, reduceWords(kind, 2, 1.0f, identityCode), {}};
      overColumns.inputs[0].set(place, NAN);
      MNEME_CHECK(std::isnan(runEverywhere(overColumns)[0].at(0)));
    }
  }
}

MNEME_TEST(reduceRefused, "reduce: words and shapes that do not fit are refused") {
  const auto with = [](std::vector<int32_t> words, Array output) { return KernelCase{"reduce", {noise({4, 6}, 1)}, {std::move(output)}, std::move(words), {}}; };
  MNEME_CHECK(!refused(with(reduceWords(0, 1, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(2, 1, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(-1, 1, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 3, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, -1, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 0, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 1, 1, identityCode), floats({4}))));
  MNEME_CHECK(refused(with(reduceWords(0, 2, 1, identityCode), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 1, 1, identityCode), integers({6}))));
  MNEME_CHECK(refused(with({0, 1}, floats({6}))));
  MNEME_CHECK(refused(with({0, 1, 0}, floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 1, 1, {1, 2, 0, 0, 0, 0, 0}), floats({6}))));
  MNEME_CHECK(refused(with(reduceWords(0, 1, 1, {0, 1, 1, 0, 0, 0, 0}), floats({6}))));
}

MNEME_TEST(finiteFlag, "finite: 1 unless an element of any value is NaN or infinite") {
  for (const int32_t count : {1, 63, 5000, 300000}) {
    KernelCase test = {"finite", {noise({17}, 1, 3e38f), noise({count}, 2)}, {integers({1})}, {}, {}};
    MNEME_CHECK(runEverywhere(test)[0].idAt(0) == 1);
    for (const int64_t place : {int64_t{0}, int64_t{count} - 1}) {
      for (const float bad : {NAN, INFINITY, -INFINITY}) {
        KernelCase broken = test;
        broken.inputs[1].set(place, bad);
        MNEME_CHECK(runEverywhere(broken)[0].idAt(0) == 0);
      }
    }
  }
  MNEME_CHECK(refused({"finite", {integers({3})}, {integers({1})}, {}, {}}));
  MNEME_CHECK(refused({"finite", {noise({3}, 1)}, {floats({1})}, {}, {}}));
}
