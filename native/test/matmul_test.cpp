// The matrix product: against sums in double precision, with the same bits everywhere, and refusing what does not fit.
#include <cfloat>
#include <cmath>
#include <vector>

#include "test/check.h"
#include "test/kernel_call.h"

namespace {

using namespace mneme;
using namespace mneme::test;

struct Case {
  int64_t rows, columns, terms;
  bool transposeA, transposeB, bias;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const int64_t sizes[][3] = {{1, 65, 128}, {1, 16, 1}, {7, 64, 16}, {33, 65, 3}, {50, 10, 257}, {5, 130, 300}, {300, 1, 70}, {2, 200, 513}, {64, 48, 33}, {3, 32, 1000}};
  for (const auto& size : sizes)
    for (int kind = 0; kind < 8; ++kind) all.push_back({size[0], size[1], size[2], (kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0});
  return all;
}

struct Problem {
  Case shape;
  std::vector<float> a, b, bias;
  explicit Problem(const Case& one)
      : shape(one), a(uniform(one.rows * one.terms, 1)), b(uniform(one.terms * one.columns, 2)), bias(uniform(one.columns, 3)) {}

  float aAt(int64_t row, int64_t term) const { return shape.transposeA ? a[term * shape.rows + row] : a[row * shape.terms + term]; }
  float bAt(int64_t term, int64_t column) const { return shape.transposeB ? b[column * shape.terms + term] : b[term * shape.columns + column]; }

  std::vector<float> run(const KernelTable& table, Team& team) {
    // NaN beyond the end and in the output shows reads and writes that should not be.
    std::vector<float> c(static_cast<std::size_t>(shape.rows * shape.columns), NAN);
    KernelCall call(table, "matmul",
                    {shape.transposeA ? operand(a, {shape.terms, shape.rows}) : operand(a, {shape.rows, shape.terms}),
                     shape.transposeB ? operand(b, {shape.columns, shape.terms}) : operand(b, {shape.terms, shape.columns}),
                     shape.bias ? operand(bias, {shape.columns}) : absent()},
                    {operand(c, {shape.rows, shape.columns})}, {shape.transposeA, shape.transposeB}, team);
    const Status status = call.run();
    if (!status.isOk()) std::printf("  %s\n", status.message);
    MNEME_CHECK(status.isOk());
    return c;
  }
};

MNEME_TEST(matmulExact, "matmul: every output is the sum of its products") {
  for (const Case& one : cases()) {
    Problem problem(one);
    for (const KernelTable* table : availableTables()) {
      Team team(1);
      const std::vector<float> c = problem.run(*table, team);
      int64_t wrong = 0;
      for (int64_t row = 0; row < one.rows; ++row)
        for (int64_t column = 0; column < one.columns; ++column) {
          double sum = one.bias ? problem.bias[column] : 0, size = std::fabs(sum);
          for (int64_t term = 0; term < one.terms; ++term) {
            const double product = static_cast<double>(problem.aAt(row, term)) * problem.bAt(term, column);
            sum += product;
            size += std::fabs(product);
          }
          // One rounding a term, each of at most half a unit of a partial sum.
          const double bound = static_cast<double>(one.terms + 1) * 0.5 * FLT_EPSILON * size;
          if (!(std::fabs(c[row * one.columns + column] - sum) <= bound)) ++wrong;
        }
      MNEME_CHECK(wrong == 0);
    }
  }
}

MNEME_TEST(matmulOrder, "matmul: terms are added in order with one rounding each") {
  for (const Case& one : cases()) {
    Problem problem(one);
    Team team(1);
    const std::vector<float> c = problem.run(*availableTables()[0], team);
    int64_t wrong = 0;
    for (int64_t row = 0; row < one.rows; ++row)
      for (int64_t column = 0; column < one.columns; ++column) {
        float sum = one.bias ? problem.bias[column] : 0.0f;
        for (int64_t term = 0; term < one.terms; ++term) sum = std::fma(problem.aAt(row, term), problem.bAt(term, column), sum);
        wrong += c[row * one.columns + column] != sum;
      }
    MNEME_CHECK(wrong == 0);
  }
}

MNEME_TEST(matmulBits, "matmul: the same bits for 1, 2 and 3 threads and every instruction set") {
  std::vector<Case> all = cases();
  all.push_back({130, 200, 300, false, false, true});
  all.push_back({100, 65, 600, true, false, false});
  all.push_back({4, 513, 600, false, true, false});
  for (const Case& one : all) {
    Problem problem(one);
    Team single(1);
    const std::vector<float> want = problem.run(*availableTables()[0], single);
    for (const KernelTable* table : availableTables())
      for (int threads = 1; threads <= 3; ++threads) {
        Team team(threads);
        const std::vector<float> got = problem.run(*table, team);
        MNEME_CHECK(std::memcmp(want.data(), got.data(), want.size() * sizeof(float)) == 0);
      }
  }
}

MNEME_TEST(matmulSpecial, "matmul: infinities and NaN come through, and only where they belong") {
  Problem problem({9, 70, 20, false, false, false});
  problem.a[3 * 20 + 5] = INFINITY;
  problem.b[7 * 70 + 66] = NAN;
  for (const KernelTable* table : availableTables()) {
    Team team(1);
    const std::vector<float> c = problem.run(*table, team);
    int64_t wrong = 0;
    for (int64_t row = 0; row < 9; ++row)
      for (int64_t column = 0; column < 70; ++column) wrong += std::isfinite(c[row * 70 + column]) != (row != 3 && column != 66);
    MNEME_CHECK(wrong == 0);
  }
}

MNEME_TEST(matmulRefuses, "matmul: shapes that do not fit are refused") {
  std::vector<float> a(100), b(100), c(100), bias(100);
  std::vector<int32_t> ids(100);
  const KernelTable& table = *availableTables()[0];
  Team team(1);
  const auto refused = [&](std::vector<Operand> inputs, std::vector<Operand> outputs, std::vector<int32_t> words) {
    return KernelCall(table, "matmul", std::move(inputs), std::move(outputs), std::move(words), team).status().code == Code::invalidProgram;
  };
  MNEME_CHECK(!refused({operand(a, {2, 3, 4}), operand(b, {4, 5})}, {operand(c, {2, 3, 5})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(b, {5, 4})}, {operand(c, {6, 4})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(b, {4, 5})}, {operand(c, {5, 6})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(b, {4, 5})}, {operand(c, {6, 5})}, {1, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(b, {4, 5}), operand(bias, {6})}, {operand(c, {6, 5})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(ids, {4, 5})}, {operand(c, {6, 5})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4})}, {operand(c, {6, 5})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), absent()}, {operand(c, {6, 5})}, {0, 0}));
  MNEME_CHECK(refused({operand(a, {6, 4}), operand(b, {4, 5})}, {operand(c, {6, 5})}, {0}));
}

}  // namespace
