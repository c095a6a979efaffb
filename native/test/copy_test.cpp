// Kernels that move elements: transpose, concatenate, slice, pad, assign, increment.
#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

// The shape of a part along an axis.
OperandType withExtent(OperandType type, int32_t axis, int32_t extent) {
  type.shape[axis] = extent;
  return type;
}
Array noiseOf(const OperandType& type, uint32_t seed) {
  Array flat = noise({static_cast<int32_t>(type.count())}, seed);
  flat.type = type;
  return flat;
}
// The index in an array of `whole` for index i of a part that starts at `start` along `axis`.
int64_t indexInWhole(int64_t i, const OperandType& part, const OperandType& whole, int32_t axis, int64_t start) {
  int64_t inner = 1;
  for (int32_t later = axis + 1; later < part.rank; ++later) inner *= part.shape[later];
  const int64_t stride = part.shape[axis] * inner;
  return i / stride * whole.shape[axis] * inner + start * inner + i % stride;
}

const OperandType wholes[] = {typeOf(Dtype::f32, {9}), typeOf(Dtype::f32, {7, 5}), typeOf(Dtype::f32, {4, 9, 3}), typeOf(Dtype::f32, {3, 5, 4, 6}),
                              typeOf(Dtype::f32, {70, 50, 64}), typeOf(Dtype::f32, {100000})};

}  // namespace

MNEME_TEST(transposes, "transpose: the first two axes change places, whatever follows them") {
  for (const OperandType& type : {typeOf(Dtype::f32, {1, 1}), typeOf(Dtype::f32, {3, 70}), typeOf(Dtype::f32, {200, 131}), typeOf(Dtype::f32, {5, 4, 1}),
                                  typeOf(Dtype::f32, {50, 32, 65}), typeOf(Dtype::i32, {50, 50}), typeOf(Dtype::f32, {3, 4, 2, 5})}) {
    OperandType turned = type;
    turned.shape[0] = type.shape[1];
    turned.shape[1] = type.shape[0];
    KernelCase test = {"transpose", {noiseOf(type, 1)}, {emptyArray(turned)}, {}, {}};
    const std::vector<Array> outputs = runEverywhere(test);
    const int64_t inner = type.count() / type.shape[0] / type.shape[1];
    for (int64_t i = 0; i < type.count(); ++i) {
      const int64_t row = i / inner / type.shape[1], column = i / inner % type.shape[1];
      MNEME_CHECK(outputs[0].idAt((column * type.shape[0] + row) * inner + i % inner) == test.inputs[0].idAt(i));
    }
  }
  MNEME_CHECK(refused({"transpose", {noise({4, 6}, 1)}, {floats({4, 6})}, {}, {}}));
  MNEME_CHECK(refused({"transpose", {noise({4}, 1)}, {floats({4})}, {}, {}}));
  MNEME_CHECK(refused({"transpose", {noise({4, 6, 2}, 1)}, {floats({6, 4, 3})}, {}, {}}));
  MNEME_CHECK(refused({"transpose", {noise({4, 6}, 1)}, {integers({6, 4})}, {}, {}}));
  MNEME_CHECK(refused({"transpose", {noise({4, 6}, 1)}, {floats({6, 4, 1})}, {}, {}}));
}

MNEME_TEST(slicesAndPads, "slice takes a part along any axis; pad puts it back among zeros") {
  for (const OperandType& whole : wholes) {
    for (int32_t axis = 0; axis < whole.rank; ++axis) {
      for (const int32_t start : {0, 1, 2}) {
        for (const int32_t extent : {1, whole.shape[axis] - 2, whole.shape[axis] - start}) {
          if (start + extent > whole.shape[axis] || extent < 1) continue;
          const OperandType part = withExtent(whole, axis, extent);
          KernelCase slice = {"slice", {noiseOf(whole, 1)}, {emptyArray(part)}, {axis, start}, {}};
          const std::vector<Array> cut = runEverywhere(slice);
          KernelCase pad = {"pad", {cut[0]}, {emptyArray(whole)}, {axis, start}, {}};
          const std::vector<Array> padded = runEverywhere(pad);
          std::vector<bool> covered(static_cast<std::size_t>(whole.count()), false);
          bool right = true;
          for (int64_t i = 0; i < part.count(); ++i) {
            const int64_t place = indexInWhole(i, part, whole, axis, start);
            covered[static_cast<std::size_t>(place)] = true;
            right = right && cut[0].idAt(i) == slice.inputs[0].idAt(place) && padded[0].idAt(place) == cut[0].idAt(i);
          }
          for (int64_t i = 0; i < whole.count(); ++i) right = right && (covered[static_cast<std::size_t>(i)] || padded[0].idAt(i) == 0);
          MNEME_CHECK(right);
        }
      }
    }
  }
  for (const std::vector<int32_t>& words : std::vector<std::vector<int32_t>>{{2, 0}, {-1, 0}, {INT32_MAX, 0}, {1, -1}, {1, 5}, {1, INT32_MAX}, {0, 0}, {1}, {}, {1, 0, 0}}) {
    MNEME_CHECK(refused({"slice", {noise({4, 6}, 1)}, {floats({4, 2})}, words, {}}));
    MNEME_CHECK(refused({"pad", {noise({4, 2}, 1)}, {floats({4, 6})}, words, {}}));
  }
  MNEME_CHECK(refused({"slice", {noise({4, 6}, 1)}, {integers({4, 2})}, {1, 0}, {}}));
  MNEME_CHECK(refused({"slice", {noise({4, 6}, 1)}, {floats({4, 7})}, {1, 0}, {}}));
  MNEME_CHECK(refused({"pad", {noise({4, 6}, 1)}, {floats({4, 2})}, {1, 0}, {}}));
}

MNEME_TEST(concatenates, "concatenate: values one after another along any axis") {
  for (const OperandType& whole : wholes) {
    for (int32_t axis = 0; axis < whole.rank; ++axis) {
      const int32_t extent = whole.shape[axis];
      if (extent < 4) continue;
      const int32_t extents[] = {1, extent - 3, 2};
      KernelCase test = {"concatenate", {}, {emptyArray(whole)}, {axis}, {}};
      for (uint32_t part = 0; part < 3; ++part) test.inputs.push_back(noiseOf(withExtent(whole, axis, extents[part]), part + 1));
      const std::vector<Array> outputs = runEverywhere(test);
      bool right = true;
      int64_t start = 0;
      for (const Array& part : test.inputs) {
        for (int64_t i = 0; i < part.count(); ++i) right = right && outputs[0].idAt(indexInWhole(i, part.type, whole, axis, start)) == part.idAt(i);
        start += part.type.shape[axis];
      }
      MNEME_CHECK(right);
    }
  }
  const auto with = [](std::vector<Array> inputs, std::vector<int32_t> words) { return KernelCase{"concatenate", std::move(inputs), {floats({4, 6})}, std::move(words), {}}; };
  MNEME_CHECK(!refused(with({noise({4, 2}, 1), noise({4, 4}, 1)}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), noise({4, 3}, 1)}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), noise({4, 5}, 1)}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), noise({3, 4}, 1)}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), integers({4, 4})}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), noise({4, 4, 1}, 1)}, {1})));
  MNEME_CHECK(refused(with({noise({4, 2}, 1), absentArray()}, {1})));
  MNEME_CHECK(refused(with({}, {1})));
  for (const int32_t axis : {-1, 2, INT32_MAX, INT32_MIN}) MNEME_CHECK(refused(with({noise({4, 2}, 1), noise({4, 4}, 1)}, {axis})));
}

MNEME_TEST(assigns, "assign: a copy, unless the condition is there and 0") {
  for (const int32_t count : {1, 100, 100000}) {
    const Array value = noise({count}, 1);
    MNEME_CHECK(sameWords(runEverywhere({"assign", {value}, {floats({count})}, {}, {}})[0], value));
    MNEME_CHECK(sameWords(runEverywhere({"assign", {value, absentArray()}, {floats({count})}, {}, {}})[0], value));
    for (const int32_t when : {1, -1, INT32_MIN}) MNEME_CHECK(sameWords(runEverywhere({"assign", {value, integers({1}, {when})}, {floats({count})}, {}, {}})[0], value));
    MNEME_CHECK(sameWords(runEverywhere({"assign", {value, integers({1}, {0})}, {floats({count})}, {}, {}})[0], floats({count})));
  }
  MNEME_CHECK(refused({"assign", {noise({4}, 1)}, {floats({5})}, {}, {}}));
  MNEME_CHECK(refused({"assign", {noise({4}, 1)}, {integers({4})}, {}, {}}));
  MNEME_CHECK(refused({"assign", {noise({4}, 1), noise({1}, 1)}, {floats({4})}, {}, {}}));
  MNEME_CHECK(refused({"assign", {}, {floats({4})}, {}, {}}));
  MNEME_CHECK(refused({"assign", {absentArray()}, {floats({4})}, {}, {}}));
}

MNEME_TEST(increments, "increment: adds and wraps around, in place too") {
  MNEME_CHECK(runEverywhere({"increment", {integers({1}, {41})}, {integers({1})}, {1}, {}})[0].idAt(0) == 42);
  MNEME_CHECK(runEverywhere({"increment", {integers({1}, {INT32_MAX})}, {integers({1})}, {1}, {{0, 0}}})[0].idAt(0) == INT32_MIN);
  MNEME_CHECK(runEverywhere({"increment", {integers({1}, {5})}, {integers({1})}, {-7}, {}})[0].idAt(0) == -2);
  MNEME_CHECK(refused({"increment", {integers({2})}, {integers({2})}, {1}, {}}));
  MNEME_CHECK(refused({"increment", {noise({1}, 1)}, {integers({1})}, {1}, {}}));
  MNEME_CHECK(refused({"increment", {integers({1})}, {integers({1})}, {}, {}}));
}
