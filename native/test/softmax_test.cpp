// softmax and its cross entropy, against double precision.
#include <cmath>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

constexpr int32_t shapes[][2] = {{1, 1}, {3, 2}, {5, 16}, {50, 65}, {7, 100}, {2, 4096}, {3, 10000}};
// exp is good to 1 ulp, and so are the subtraction before it (on arguments up to 20: 2^-24 * 20 more), the sum over few lanes
// and the product after it.
constexpr double relative = 40 * 0x1p-23;

struct RowReference {
  std::vector<double> softmax;
  double logSum;  // log of the sum of e^x
};
RowReference referenceOf(const Array& x, int64_t row, int64_t columns) {
  double largest = -INFINITY, sum = 0;
  for (int64_t i = 0; i < columns; ++i) largest = std::fmax(largest, x.at(row * columns + i));
  RowReference reference;
  for (int64_t i = 0; i < columns; ++i) reference.softmax.push_back(std::exp(x.at(row * columns + i) - largest));
  for (const double value : reference.softmax) sum += value;
  for (double& value : reference.softmax) value /= sum;
  reference.logSum = largest + std::log(sum);
  return reference;
}

KernelCase crossEntropy(Array logits, Array targets, float scale, bool gradient, Array weights = absentArray(), float smoothing = 0.0f) {
  Array gradientArray = gradient ? emptyArray(logits.type) : absentArray();
  return {"softmaxCrossEntropy", {std::move(logits), std::move(targets), std::move(weights)}, {floats({1}), std::move(gradientArray)},
          {bitsOfFloat(scale), bitsOfFloat(smoothing)}, {}};
}

}  // namespace

MNEME_TEST(softmaxValues, "softmax: e^x over its sum, in place too, and far from zero") {
  for (const auto& shape : shapes) {
    for (const float offset : {0.0f, 1000.0f, -1000.0f}) {
      KernelCase test = {"softmax", {noise({shape[0], shape[1]}, 1, 10)}, {floats({shape[0], shape[1]})}, {}, {}};
      for (int64_t i = 0; i < test.inputs[0].count(); ++i) test.inputs[0].set(i, test.inputs[0].at(i) + offset);
      const std::vector<Array> outputs = runEverywhere(test);
      for (int64_t row = 0; row < shape[0]; ++row) {
        const RowReference reference = referenceOf(test.inputs[0], row, shape[1]);
        for (int64_t i = 0; i < shape[1]; ++i) {
          const double want = reference.softmax[static_cast<std::size_t>(i)];
          MNEME_CHECK_NEAR(outputs[0].at(row * shape[1] + i), want, relative * want + 1e-37);
        }
      }
      test.sharing = {{0, 0}};
      MNEME_CHECK(sameWords(runEverywhere(test)[0], outputs[0]));
    }
  }
}

MNEME_TEST(crossEntropyIds, "softmax cross entropy with ids: the loss, and in the same pass its gradient") {
  for (const auto& shape : shapes) {
    const int64_t rows = shape[0], columns = shape[1];
    const float scale = 1.0f / static_cast<float>(rows);
    const KernelCase test = crossEntropy(noise({shape[0], shape[1]}, 1, 10), noiseIds({shape[0]}, 2, shape[1]), scale, true);
    const std::vector<Array> outputs = runEverywhere(test);
    double loss = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const RowReference reference = referenceOf(test.inputs[0], row, columns);
      const int32_t target = test.inputs[1].idAt(row);
      loss += reference.logSum - test.inputs[0].at(row * columns + target);
      for (int64_t i = 0; i < columns; ++i) {
        const double probability = reference.softmax[static_cast<std::size_t>(i)];
        MNEME_CHECK_NEAR(outputs[1].at(row * columns + i), scale * (probability - (i == target)), scale * (relative * probability + 0x1p-23));
      }
    }
    // Each row: its log and the distance to the largest, at most 30, rounded a few times.
    MNEME_CHECK_NEAR(outputs[0].at(0), scale * loss, 30 * relative);
    // The loss alone is the same to the bit, and the gradient may lie on the logits.
    const std::vector<Array> alone = runEverywhere(crossEntropy(test.inputs[0], test.inputs[1], scale, false));
    MNEME_CHECK(sameWords(alone[0], outputs[0]));
    KernelCase inPlace = test;
    inPlace.sharing = {{1, 0}};
    const std::vector<Array> shared = runEverywhere(inPlace);
    MNEME_CHECK(sameWords(shared[0], outputs[0]) && sameWords(shared[1], outputs[1]));
  }
}

MNEME_TEST(crossEntropySmoothing, "softmax cross entropy with smoothed ids: a part of the target goes to all classes evenly") {
  for (const auto& shape : shapes) {
    const int64_t rows = shape[0], columns = shape[1];
    const float scale = 1.0f / static_cast<float>(rows), smoothing = 0.1f;
    const KernelCase test = crossEntropy(noise({shape[0], shape[1]}, 1, 10), noiseIds({shape[0]}, 2, shape[1]), scale, true, absentArray(), smoothing);
    const std::vector<Array> outputs = runEverywhere(test);
    double loss = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const RowReference reference = referenceOf(test.inputs[0], row, columns);
      for (int64_t i = 0; i < columns; ++i) {
        const double target = static_cast<double>(smoothing) / static_cast<double>(columns) + (i == test.inputs[1].idAt(row) ? 1.0 - static_cast<double>(smoothing) : 0.0);
        const double probability = reference.softmax[static_cast<std::size_t>(i)];
        loss += target * (reference.logSum - test.inputs[0].at(row * columns + i));
        MNEME_CHECK_NEAR(outputs[1].at(row * columns + i), scale * (probability - target), scale * (relative * probability + 0x1p-22 * target));
      }
    }
    MNEME_CHECK_NEAR(outputs[0].at(0), scale * loss, 30 * relative);
    const std::vector<Array> alone = runEverywhere(crossEntropy(test.inputs[0], test.inputs[1], scale, false, absentArray(), smoothing));
    MNEME_CHECK(sameWords(alone[0], outputs[0]));
    KernelCase inPlace = test;
    inPlace.sharing = {{1, 0}};
    const std::vector<Array> shared = runEverywhere(inPlace);
    MNEME_CHECK(sameWords(shared[0], outputs[0]) && sameWords(shared[1], outputs[1]));
  }
}

MNEME_TEST(crossEntropyRowWeights, "softmax cross entropy: rows weigh as they are told, and one of weight 0 is not looked at") {
  for (const bool byId : {true, false}) {
    for (const auto& shape : shapes) {
      const int64_t rows = shape[0], columns = shape[1];
      Array targets = noiseIds({shape[0]}, 2, shape[1]);
      if (!byId) {
        targets = noise({shape[0], shape[1]}, 3);
        for (int64_t i = 0; i < targets.count(); ++i) targets.set(i, std::fabs(targets.at(i)) / static_cast<float>(columns));
      }
      const Array logits = noise({shape[0], shape[1]}, 1, 10);
      Array ones = floats({shape[0]}), weights = floats({shape[0]});
      for (int64_t row = 0; row < rows; ++row) {
        ones.set(row, 1.0f);
        weights.set(row, row % 3 == 1 ? 0.0f : 0.5f * static_cast<float>(row + 1));
      }
      // Rows that weigh 1 are the same to the bit as rows without weights.
      const std::vector<Array> plain = runEverywhere(crossEntropy(logits, targets, 0.25f, true));
      const std::vector<Array> weighedOne = runEverywhere(crossEntropy(logits, targets, 0.25f, true, ones));
      MNEME_CHECK(sameWords(plain[0], weighedOne[0]) && sameWords(plain[1], weighedOne[1]));

      KernelCase test = crossEntropy(logits, targets, 0.25f, true, weights);
      for (int64_t row = 1; row < rows; row += 3) {
        test.inputs[0].set(row * columns, NAN);
        if (byId) test.inputs[1].words[static_cast<std::size_t>(row)] = -100;
        else test.inputs[1].set(row * columns, NAN);
      }
      const std::vector<Array> outputs = runEverywhere(test);
      double loss = 0, magnitude = 0;
      for (int64_t row = 0; row < rows; ++row) {
        const double weight = weights.at(row);
        const RowReference reference = referenceOf(logits, row, columns);
        for (int64_t i = 0; i < columns; ++i) {
          const double target = byId ? (targets.idAt(row) == i ? 1.0 : 0.0) : static_cast<double>(targets.at(row * columns + i));
          loss += weight * target * (reference.logSum - logits.at(row * columns + i));
          magnitude += weight * target;
          // Scaled by a power of two and a small number: rounded once more.
          MNEME_CHECK_NEAR(outputs[1].at(row * columns + i), weight * plain[1].at(row * columns + i), 0.25 * weight * relative);
          if (weight == 0) MNEME_CHECK(outputs[1].at(row * columns + i) == 0.0f);
        }
      }
      MNEME_CHECK_NEAR(outputs[0].at(0), 0.25 * loss, 30 * relative * (magnitude + 1e-30));
      const std::vector<Array> alone = runEverywhere(crossEntropy(test.inputs[0], test.inputs[1], 0.25f, false, weights));
      MNEME_CHECK(sameWords(alone[0], outputs[0]));
      KernelCase inPlace = test;
      inPlace.sharing = {{1, 0}};
      const std::vector<Array> shared = runEverywhere(inPlace);
      MNEME_CHECK(sameWords(shared[0], outputs[0]) && sameWords(shared[1], outputs[1]));
    }
  }
}

MNEME_TEST(crossEntropyTargets, "softmax cross entropy with targets that are no ids: soft ones, and rows of zeros that count for nothing") {
  for (const auto& shape : shapes) {
    const int64_t rows = shape[0], columns = shape[1];
    Array weights = noise({shape[0], shape[1]}, 3);
    for (int64_t i = 0; i < weights.count(); ++i) weights.set(i, i / columns == 1 ? 0.0f : std::fabs(weights.at(i)) / static_cast<float>(columns));
    const KernelCase test = crossEntropy(noise({shape[0], shape[1]}, 1, 10), weights, 0.25f, true);
    const std::vector<Array> outputs = runEverywhere(test);
    double loss = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const RowReference reference = referenceOf(test.inputs[0], row, columns);
      double total = 0;
      for (int64_t i = 0; i < columns; ++i) {
        total += weights.at(row * columns + i);
        loss += weights.at(row * columns + i) * (reference.logSum - test.inputs[0].at(row * columns + i));
      }
      for (int64_t i = 0; i < columns; ++i) {
        const double probability = reference.softmax[static_cast<std::size_t>(i)], weight = weights.at(row * columns + i);
        MNEME_CHECK_NEAR(outputs[1].at(row * columns + i), 0.25 * (probability * total - weight), 0.25 * relative * (probability * total + weight) + 1e-37);
        if (row == 1) MNEME_CHECK(outputs[1].at(row * columns + i) == 0.0f);
      }
    }
    MNEME_CHECK_NEAR(outputs[0].at(0), 0.25 * loss, 30 * relative * static_cast<double>(rows));
    KernelCase inPlace = test;
    inPlace.sharing = {{1, 0}};
    const std::vector<Array> shared = runEverywhere(inPlace);
    MNEME_CHECK(sameWords(shared[0], outputs[0]) && sameWords(shared[1], outputs[1]));
  }
  // One-hot weights are ids, written at length.
  const Array ids = noiseIds({20}, 5, 30);
  Array oneHot = floats({20, 30}, std::vector<float>(600, 0.0f));
  for (int64_t row = 0; row < 20; ++row) oneHot.set(row * 30 + ids.idAt(row), 1.0f);
  const std::vector<Array> byId = runEverywhere(crossEntropy(noise({20, 30}, 6), ids, 1.0f, true));
  const std::vector<Array> byWeight = runEverywhere(crossEntropy(noise({20, 30}, 6), oneHot, 1.0f, true));
  MNEME_CHECK_NEAR(byId[0].at(0), byWeight[0].at(0), 1e-5 * byId[0].at(0));
  for (int64_t i = 0; i < 600; ++i) MNEME_CHECK_NEAR(byId[1].at(i), byWeight[1].at(i), 2e-7);
}

MNEME_TEST(crossEntropyNan, "softmax cross entropy: NaN and infinite logits are seen in the loss") {
  for (const float bad : {NAN, INFINITY}) {
    for (const int64_t place : {0, 17, 64, 129}) {
      KernelCase test = crossEntropy(noise({2, 65}, 1), integers({2}, {3, 4}), 1.0f, true);
      test.inputs[0].set(place, bad);
      MNEME_CHECK(std::isnan(runEverywhere(test)[0].at(0)));
    }
  }
}

MNEME_TEST(crossEntropyOutOfRange, "softmax cross entropy: an id outside the classes is named, with its place") {
  for (const int32_t bad : {-1, 65, INT32_MAX, INT32_MIN}) {
    KernelCase test = crossEntropy(noise({4000, 65}, 1), noiseIds({4000}, 2, 65), 1.0f, true);
    test.inputs[1].words[3000] = bad;
    test.inputs[1].words[3900] = 70;
    Status status;
    runEverywhere(test, &status);
    MNEME_CHECK(status.code == Code::outOfRange);
    char want[100];
    std::snprintf(want, sizeof want, "id %d at position 3000 is outside the table of 65", bad);
    MNEME_CHECK(std::strstr(status.message, want) != nullptr);
  }
}

MNEME_TEST(softmaxRefused, "softmax and its cross entropy: shapes that do not fit are refused") {
  MNEME_CHECK(refused({"softmax", {noise({2, 3}, 1)}, {floats({3, 2})}, {}, {}}));
  MNEME_CHECK(refused({"softmax", {integers({2, 3})}, {floats({2, 3})}, {}, {}}));
  const Array logits = noise({4, 6}, 1);
  MNEME_CHECK(!refused(crossEntropy(logits, noiseIds({4}, 1, 6), 1, true)));
  MNEME_CHECK(!refused(crossEntropy(noise({2, 2, 6}, 1), noiseIds({2, 2}, 1, 6), 1, true)));
  MNEME_CHECK(refused(crossEntropy(logits, noiseIds({5}, 1, 6), 1, true)));
  MNEME_CHECK(refused(crossEntropy(logits, noise({4}, 1), 1, true)));
  MNEME_CHECK(refused(crossEntropy(logits, noise({6, 4}, 1), 1, true)));
  MNEME_CHECK(refused(crossEntropy(logits, absentArray(), 1, true)));
  KernelCase test = crossEntropy(logits, noiseIds({4}, 1, 6), 1, true);
  test.outputs[1] = floats({4, 5});
  MNEME_CHECK(refused(test));
  test.outputs[1] = integers({4, 6});
  MNEME_CHECK(refused(test));
  test = crossEntropy(logits, noiseIds({4}, 1, 6), 1, true);
  test.outputs[0] = floats({2});
  MNEME_CHECK(refused(test));
  test = crossEntropy(logits, noiseIds({4}, 1, 6), 1, true);
  test.words = {};
  MNEME_CHECK(refused(test));
  MNEME_CHECK(!refused(crossEntropy(logits, noiseIds({4}, 1, 6), 1, true, noise({4}, 1))));
  MNEME_CHECK(refused(crossEntropy(logits, noiseIds({4}, 1, 6), 1, true, noise({3}, 1))));
  MNEME_CHECK(refused(crossEntropy(logits, noiseIds({4}, 1, 6), 1, true, noise({4, 6}, 1))));
  MNEME_CHECK(refused(crossEntropy(logits, noiseIds({4}, 1, 6), 1, true, integers({4}))));
  test = crossEntropy(logits, noiseIds({4}, 1, 6), 1, true);
  test.inputs.pop_back();
  MNEME_CHECK(refused(test));
}
