// Tables and ids: embedding, its gradient, one-hot rows.
#include <cmath>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

struct Size {
  int32_t positions, rows, columns;
};
constexpr Size sizes[] = {{1, 1, 1}, {7, 5, 3}, {50, 65, 64}, {400, 30, 17}, {3, 1000, 70}, {2500, 65, 64}, {300, 2, 200}};

}  // namespace

MNEME_TEST(embeddingRows, "embedding: each id gives its row of the table") {
  for (const Size& size : sizes) {
    KernelCase test = {"embedding", {noiseIds({size.positions}, 1, size.rows), noise({size.rows, size.columns}, 2)}, {floats({size.positions, size.columns})}, {}, {}};
    const std::vector<Array> outputs = runEverywhere(test);
    for (int64_t i = 0; i < outputs[0].count(); ++i) {
      MNEME_CHECK(outputs[0].idAt(i) == test.inputs[1].idAt(test.inputs[0].idAt(i / size.columns) * size.columns + i % size.columns));
    }
  }
}

MNEME_TEST(embeddingGradientSums, "embedding gradient: rows in use are sums over their positions in order, to the bit; the others are zero") {
  for (const Size& size : sizes) {
    for (const bool oneId : {false, true}) {
      Array ids = noiseIds({size.positions}, 1, oneId ? 1 : size.rows);
      KernelCase test = {"embeddingGradient", {ids, noise({size.positions, size.columns}, 2)}, {floats({size.rows, size.columns})}, {}, {}};
      const std::vector<Array> outputs = runEverywhere(test);
      std::vector<float> sums(static_cast<std::size_t>(outputs[0].count()), 0.0f);
      for (int64_t position = 0; position < size.positions; ++position)
        for (int64_t column = 0; column < size.columns; ++column)
          sums[static_cast<std::size_t>(ids.idAt(position) * size.columns + column)] += test.inputs[1].at(position * size.columns + column);
      for (int64_t i = 0; i < outputs[0].count(); ++i) MNEME_CHECK(outputs[0].at(i) == sums[static_cast<std::size_t>(i)]);
    }
  }
}

MNEME_TEST(oneHotRows, "one-hot: zeros, and a one at each id") {
  for (const Size& size : sizes) {
    KernelCase test = {"oneHot", {noiseIds({size.positions}, 1, size.rows)}, {floats({size.positions, size.rows})}, {}, {}};
    const std::vector<Array> outputs = runEverywhere(test);
    for (int64_t i = 0; i < outputs[0].count(); ++i) {
      MNEME_CHECK(outputs[0].at(i) == (i % size.rows == test.inputs[0].idAt(i / size.rows) ? 1.0f : 0.0f));
    }
  }
}

MNEME_TEST(idsOutOfRange, "ids outside a table are named, the first of them, with its place and the table's size") {
  for (const int32_t bad : {-1, 65, INT32_MAX, INT32_MIN}) {
    Array ids = noiseIds({2500}, 1, 65);
    ids.words[1700] = bad;
    ids.words[2400] = 99;
    const KernelCase cases[] = {{"embedding", {ids, noise({65, 64}, 2)}, {floats({2500, 64})}, {}, {}},
                                {"embeddingGradient", {ids, noise({2500, 64}, 2)}, {floats({65, 64})}, {}, {}},
                                {"oneHot", {ids}, {floats({2500, 65})}, {}, {}}};
    for (const KernelCase& test : cases) {
      Status status;
      runEverywhere(test, &status);
      char want[100];
      std::snprintf(want, sizeof want, "id %d at position 1700 is outside the table of 65 (0 to 64)", bad);
      MNEME_CHECK(status.code == Code::outOfRange && std::strcmp(status.message, want) == 0);
    }
  }
}

MNEME_TEST(embeddingRefused, "embedding, its gradient, one-hot: shapes and dtypes that do not fit are refused") {
  const Array ids = noiseIds({2, 3}, 1, 5), table = noise({5, 4}, 2), rows = noise({2, 3, 4}, 3);
  MNEME_CHECK(!refused({"embedding", {ids, table}, {floats({2, 3, 4})}, {}, {}}));
  for (Array output : {floats({2, 3, 5}), floats({3, 4}), integers({2, 3, 4}), absentArray()}) MNEME_CHECK(refused({"embedding", {ids, table}, {output}, {}, {}}));
  MNEME_CHECK(refused({"embedding", {noise({2, 3}, 1), table}, {floats({2, 3, 4})}, {}, {}}));
  MNEME_CHECK(refused({"embedding", {ids, noise({5, 2, 2}, 1)}, {floats({2, 3, 4})}, {}, {}}));
  MNEME_CHECK(refused({"embedding", {ids}, {floats({2, 3, 4})}, {}, {}}));
  MNEME_CHECK(refused({"embedding", {ids, table}, {floats({2, 3, 4})}, {1}, {}}));
  MNEME_CHECK(!refused({"embeddingGradient", {ids, rows}, {floats({5, 4})}, {}, {}}));
  for (Array output : {floats({5, 5}), floats({4}), integers({5, 4}), absentArray()}) MNEME_CHECK(refused({"embeddingGradient", {ids, rows}, {output}, {}, {}}));
  MNEME_CHECK(refused({"embeddingGradient", {ids, noise({5, 4}, 3)}, {floats({5, 4})}, {}, {}}));
  MNEME_CHECK(!refused({"oneHot", {ids}, {floats({2, 3, 5})}, {}, {}}));
  for (Array output : {floats({5}), floats({2, 5}), integers({2, 3, 5})}) MNEME_CHECK(refused({"oneHot", {ids}, {output}, {}, {}}));
}
