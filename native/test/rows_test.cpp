// Kernels that know the rows of a batch and their lengths: sortRows, permuteRows, reverseSequence.
#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

Array noiseOf(const OperandType& type, uint32_t seed) {
  Array flat = noise({static_cast<int32_t>(type.count())}, seed);
  flat.type = type;
  return flat;
}

}  // namespace

MNEME_TEST(sortsRows, "sortRows: by falling length, rows of equal length as they stood, and the way back") {
  for (const int32_t batch : {1, 2, 7, 64, 1000}) {
    for (const int32_t time : {1, 5, 300}) {
      KernelCase test = {"sortRows", {noiseIds({batch}, 3, time + 1)}, {integers({batch}), integers({batch}), integers({batch})}, {time}, {}};
      const std::vector<Array> outputs = runEverywhere(test);
      for (int32_t place = 0; place < batch; ++place) {
        const int32_t row = outputs[0].idAt(place);
        MNEME_CHECK(row >= 0 && row < batch && outputs[1].idAt(row) == place);
        MNEME_CHECK(outputs[2].idAt(place) == test.inputs[0].idAt(row));
        if (place == 0) continue;
        MNEME_CHECK(outputs[2].idAt(place - 1) > outputs[2].idAt(place) ||
                    (outputs[2].idAt(place - 1) == outputs[2].idAt(place) && outputs[0].idAt(place - 1) < row));
      }
    }
  }
  for (const int32_t bad : {-1, 6, INT32_MAX, INT32_MIN}) {
    KernelCase test = {"sortRows", {integers({3}, {5, 0, bad})}, {integers({3}), integers({3}), integers({3})}, {5}, {}};
    Status status;
    runEverywhere(test, &status);
    char want[100];
    std::snprintf(want, sizeof want, "the length %d of row 2 is outside 0..5", bad);
    MNEME_CHECK(status.code == Code::outOfRange && std::strcmp(status.message, want) == 0);
  }
  MNEME_CHECK(refused({"sortRows", {integers({3})}, {integers({3}), integers({3}), integers({2})}, {5}, {}}));
  MNEME_CHECK(refused({"sortRows", {floats({3})}, {integers({3}), integers({3}), integers({3})}, {5}, {}}));
  MNEME_CHECK(refused({"sortRows", {integers({3, 1})}, {integers({3, 1}), integers({3, 1}), integers({3, 1})}, {5}, {}}));
  MNEME_CHECK(refused({"sortRows", {integers({3})}, {integers({3}), integers({3}), integers({3})}, {0}, {}}));
  MNEME_CHECK(refused({"sortRows", {integers({3})}, {integers({3}), integers({3}), integers({3})}, {}, {}}));
}

MNEME_TEST(permutesRows, "permuteRows: rows in the order that is given, along either axis, and back") {
  for (const OperandType& type : {typeOf(Dtype::f32, {1}), typeOf(Dtype::i32, {9}), typeOf(Dtype::f32, {7, 5}), typeOf(Dtype::f32, {4, 9, 3}),
                                  typeOf(Dtype::f32, {3, 5, 4, 6}), typeOf(Dtype::f32, {70, 50, 64})}) {
    for (const int32_t axis : {0, 1}) {
      if (axis >= type.rank) continue;
      const int32_t batch = type.shape[axis];
      std::vector<int32_t> rows;
      for (int32_t i = 0; i < batch; ++i) rows.push_back(batch - 1 - i);
      if (batch > 2) std::swap(rows[0], rows[1]);
      const Array order = integers({batch}, rows);
      KernelCase test = {"permuteRows", {noiseOf(type, 1), order}, {emptyArray(type)}, {axis, 0}, {}};
      const std::vector<Array> there = runEverywhere(test);
      const int64_t steps = axis == 0 ? 1 : type.shape[0], inner = type.count() / batch / steps;
      for (int64_t i = 0; i < type.count(); ++i) {
        const int64_t row = i / inner % batch, from = i + (rows[static_cast<std::size_t>(row)] - row) * inner;
        MNEME_CHECK(there[0].idAt(i) == test.inputs[0].idAt(from));
      }
      const std::vector<Array> back = runEverywhere({"permuteRows", {there[0], order}, {emptyArray(type)}, {axis, 1}, {}});
      MNEME_CHECK(back[0].words == test.inputs[0].words);
    }
  }
  for (const std::vector<int32_t>& order : std::vector<std::vector<int32_t>>{{0, 1, 3}, {0, 1, -1}, {0, 1, 1}, {0, 1, INT32_MAX}}) {
    for (const int32_t inverse : {0, 1}) {
      Status status;
      runEverywhere({"permuteRows", {noise({3, 4}, 1), integers({3}, order)}, {floats({3, 4})}, {0, inverse}, {}}, &status);
      MNEME_CHECK(status.code == Code::outOfRange && std::strstr(status.message, "at position 2") != nullptr);
    }
  }
  const Array order = integers({4}, {0, 1, 2, 3});
  for (const std::vector<int32_t>& words : std::vector<std::vector<int32_t>>{{1, 0}, {2, 0}, {-1, 0}, {0, 2}, {0}, {0, 0, 0}})
    MNEME_CHECK(refused({"permuteRows", {noise({4, 6}, 1), order}, {floats({4, 6})}, words, {}}));
  MNEME_CHECK(refused({"permuteRows", {noise({4, 6}, 1), noise({4}, 1)}, {floats({4, 6})}, {0, 0}, {}}));
  MNEME_CHECK(refused({"permuteRows", {noise({4, 6}, 1), order}, {integers({4, 6})}, {0, 0}, {}}));
  MNEME_CHECK(refused({"permuteRows", {noise({4, 6}, 1), order}, {floats({6, 4})}, {0, 0}, {}}));
  MNEME_CHECK(refused({"permuteRows", {noise({4}, 1), order}, {floats({4})}, {1, 0}, {}}));
}

MNEME_TEST(reversesSequences, "reverseSequence: every row backwards from its own end, zeros behind it, and nothing seen of what was there") {
  for (const OperandType& type : {typeOf(Dtype::f32, {1, 1}), typeOf(Dtype::i32, {7, 5}), typeOf(Dtype::f32, {6, 9, 3}), typeOf(Dtype::f32, {5, 3, 4, 6}),
                                  typeOf(Dtype::f32, {70, 50, 64})}) {
    const int32_t time = type.shape[0], batch = type.shape[1];
    const int64_t inner = type.count() / time / batch;
    for (const bool given : {false, true}) {
      const Array lengths = given ? noiseIds({batch}, 5, time + 1) : absentArray();
      KernelCase test = {"reverseSequence", {noiseOf(type, 1), lengths}, {emptyArray(type)}, {}, {}};
      const auto lengthOf = [&](int64_t row) { return given ? lengths.idAt(row) : time; };
      for (int64_t i = 0; i < type.count() && type.dtype == Dtype::f32; ++i)
        if (i / inner / batch >= lengthOf(i / inner % batch)) test.inputs[0].set(i, NAN);
      const std::vector<Array> outputs = runEverywhere(test);
      for (int64_t i = 0; i < type.count(); ++i) {
        const int64_t step = i / inner / batch, row = i / inner % batch, source = lengthOf(row) - 1 - step;
        MNEME_CHECK(outputs[0].idAt(i) == (source < 0 ? 0 : test.inputs[0].idAt((source * batch + row) * inner + i % inner)));
      }
    }
  }
  for (const int32_t bad : {-1, 4}) {
    Status status;
    runEverywhere({"reverseSequence", {noise({3, 2}, 1), integers({2}, {3, bad})}, {floats({3, 2})}, {}, {}}, &status);
    MNEME_CHECK(status.code == Code::outOfRange && std::strstr(status.message, "of row 1 is outside 0..3") != nullptr);
  }
  MNEME_CHECK(refused({"reverseSequence", {noise({4}, 1), absentArray()}, {floats({4})}, {}, {}}));
  MNEME_CHECK(refused({"reverseSequence", {noise({4, 2}, 1), integers({4})}, {floats({4, 2})}, {}, {}}));
  MNEME_CHECK(refused({"reverseSequence", {noise({4, 2}, 1), noise({2}, 1)}, {floats({4, 2})}, {}, {}}));
  MNEME_CHECK(refused({"reverseSequence", {noise({4, 2}, 1), absentArray()}, {floats({2, 4})}, {}, {}}));
  MNEME_CHECK(refused({"reverseSequence", {noise({4, 2}, 1), absentArray()}, {floats({4, 2})}, {0}, {}}));
}
