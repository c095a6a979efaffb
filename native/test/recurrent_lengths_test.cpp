// recurrent and recurrentGradient with rows of unequal lengths: what the sequences give one by one.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

#include "test/recurrent_kernels.h"

namespace {

using namespace mneme;
using namespace mneme::test;

using Options = RecurrentOptions;
using Result = RecurrentResult<float>;

// Falling from at most `time` to 0 in uneven steps.
std::vector<int32_t> makeLengths(int64_t time, int64_t batch, uint64_t seed) {
  std::vector<int32_t> lengths;
  for (int64_t row = 0; row < batch; ++row) lengths.push_back(static_cast<int32_t>((nextUniform(seed) + 1) / 2 * static_cast<float>(time + 1)));
  std::sort(lengths.rbegin(), lengths.rend());
  return lengths;
}

// Numbers of one row: of [B, n], or of the first `length` steps of [T, B, n].
std::vector<float> rowOf(const std::vector<float>& all, int64_t batch, int64_t row, int64_t columns, int64_t steps) {
  std::vector<float> own;
  for (int64_t t = 0; t < steps && !all.empty(); ++t) own.insert(own.end(), all.begin() + (t * batch + row) * columns, all.begin() + (t * batch + row + 1) * columns);
  return own;
}

// One sequence of the batch, alone.
RecurrentData sequenceOf(const RecurrentData& data, int64_t row) {
  RecurrentData own = data;
  const int64_t B = data.batch, length = data.lengths[row];
  own.time = length, own.batch = 1;
  own.lengths.clear();
  own.x = rowOf(data.x, B, row, data.inputs, length);
  own.dy = rowOf(data.dy, B, row, data.hidden, length);
  own.ids.clear();
  for (int64_t t = 0; t < length && !data.ids.empty(); ++t) own.ids.push_back(data.ids[t * B + row]);
  own.initialHidden = rowOf(data.initialHidden, B, row, data.hidden, 1);
  own.dFinalHidden = rowOf(data.dFinalHidden, B, row, data.hidden, 1);
  own.recurrentMask = rowOf(data.recurrentMask, B, row, data.hidden, 1);
  own.initialCell = rowOf(data.initialCell, B, row, data.units, 1);
  own.dFinalCell = rowOf(data.dFinalCell, B, row, data.units, 1);
  const auto keepOf = [&](const std::vector<float>& keep) {
    return keep.size() <= 1 ? keep : rowOf(keep, B, row, static_cast<int64_t>(keep.size()) / (data.time * B), length);
  };
  own.hiddenKeep = keepOf(data.hiddenKeep);
  own.cellKeep = keepOf(data.cellKeep);
  return own;
}

// NaN, or ids that there are not, where no row lives.
void spoilPadding(RecurrentData& data) {
  for (int64_t t = 0; t < data.time; ++t)
    for (int64_t row = 0; row < data.batch; ++row) {
      if (t < data.lengths[row]) continue;
      const int64_t at = t * data.batch + row;
      if (!data.ids.empty()) data.ids[at] = row % 2 == 0 ? -1 : INT32_MAX;
      for (std::vector<float>* one : {&data.x, &data.dy, &data.hiddenKeep, &data.cellKeep}) {
        const int64_t columns = static_cast<int64_t>(one->size()) / (data.time * data.batch);
        for (int64_t i = 0; i < columns && one->size() > 1; ++i) (*one)[at * columns + i] = NAN;
      }
    }
}

std::string describe(const RecurrentData& data) {
  const char* names[] = {"simple", "lstm", "gru after", "gru before"};
  std::string text = std::string(names[static_cast<int>(data.cell)]) + (data.coupled ? " coupled" : "") + (data.peephole.empty() ? "" : " peepholes") +
                     (data.projection.empty() ? "" : " projected") + (data.recurrentMask.empty() ? "" : " masked") + " keeps " +
                     std::to_string(data.hiddenKeep.size()) + " " + std::to_string(data.cellKeep.size()) + " " + data.candidate->name + " T=" + std::to_string(data.time) +
                     " I=" + std::to_string(data.inputs) + " H=" + std::to_string(data.units) + (data.ids.empty() ? "" : " ids") + " lengths";
  for (int32_t length : data.lengths) text += " " + std::to_string(length);
  return text;
}

bool sameBits(const Result& a, const Result& b) {
  const auto first = a.all(), second = b.all();
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::vector<float> &x = *first[i].second, &y = *second[i].second;
    if (x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0)) continue;
    std::printf("  %s differs\n", first[i].first);
    return false;
  }
  return true;
}

bool allZero(const std::vector<float>& values) {
  for (float value : values)
    if (value != 0) return false;
  return true;
}

// What belongs to one row is a chain of additions that knows no other rows, so it has the bits of that sequence alone. Sums over all
// rows are those of the sequences, added up in another order: an error of a rounding a term, of at most the sum of the
// terms' sizes, of which the sums of the sequences are the least.
void compareOneByOne(const RecurrentData& data, const Options& options, const Result& got) {
  const int64_t T = data.time, B = data.batch, H = data.units, P = data.hidden, I = data.inputs;
  constexpr int weightCount = 6;
  Team team(1);
  bool same = true;
  std::vector<std::vector<double>> sums(weightCount), sizes(weightCount);
  std::vector<float> Result::*const weights[weightCount] = {&Result::dKernel, &Result::dRecurrentKernel, &Result::dBias, &Result::dRecurrentBias, &Result::dPeephole, &Result::dProjection};
  for (int w = 0; w < weightCount; ++w) sums[w].resize((got.*weights[w]).size()), sizes[w].resize((got.*weights[w]).size());
  for (int64_t row = 0; row < B; ++row) {
    const int64_t length = data.lengths[row];
    const auto own = [&](const std::vector<float>& all, int64_t columns) { return rowOf(all, B, row, columns, 1); };
    const auto padding = [&](const std::vector<float>& all, int64_t columns) {
      std::vector<float> behind = rowOf(all, B, row, columns, T);
      behind.erase(behind.begin(), behind.begin() + std::min<int64_t>(behind.size(), length * columns));
      return behind;
    };
    same = same && allZero(padding(got.y, P)) && allZero(padding(got.dx, I));
    const RecurrentData alone = sequenceOf(data, row);
    if (length == 0) {
      const auto handedOn = [](const std::vector<float>& result, const std::vector<float>& given) { return given.empty() ? allZero(result) : result.empty() || result == given; };
      same = same && handedOn(own(got.finalHidden, P), alone.initialHidden) && handedOn(own(got.finalCell, H), alone.initialCell);
      same = same && handedOn(own(got.dInitialHidden, P), alone.dFinalHidden) && handedOn(own(got.dInitialCell, H), alone.dFinalCell);
      continue;
    }
    const Result want = runKernels(alone, options, *availableTables()[0], team);
    same = same && rowOf(got.y, B, row, P, length) == want.y && rowOf(got.dx, B, row, I, length) == want.dx;
    same = same && own(got.finalHidden, P) == want.finalHidden && own(got.finalCell, H) == want.finalCell;
    same = same && own(got.dInitialHidden, P) == want.dInitialHidden && own(got.dInitialCell, H) == want.dInitialCell;
    for (int w = 0; w < weightCount; ++w)
      for (std::size_t i = 0; i < sums[w].size(); ++i) {
        sums[w][i] += (want.*weights[w])[i];
        sizes[w][i] += std::fabs((want.*weights[w])[i]);
      }
  }
  const double bound = 0.5 * FLT_EPSILON * static_cast<double>(T * B + 1);
  for (int w = 0; w < weightCount; ++w) {
    double largest = 0;
    for (double size : sizes[w]) largest = std::max(largest, size);
    for (std::size_t i = 0; i < sums[w].size(); ++i) same = same && std::fabs(sums[w][i] - (got.*weights[w])[i]) <= bound * largest;
  }
  if (!same) std::printf("  %s\n", describe(data).c_str());
  MNEME_CHECK(same);
}

struct Size {
  int64_t time, batch, inputs, units;
};
const Size sizes[] = {{1, 1, 1, 1}, {1, 5, 8, 32}, {3, 2, 1, 10}, {5, 7, 20, 40}, {40, 1, 5, 8}, {6, 33, 3, 80}, {40, 9, 12, 16}, {9, 32, 70, 65}, {300, 3, 4, 20}};
const Cell allCells[] = {Cell::simple, Cell::lstm, Cell::gruAfter, Cell::gruBefore};

void compareEverySize(const Options& options, const char* activation = "tanh") {
  Team team(2);
  for (Cell cell : allCells)
    for (const Size& size : sizes) {
      RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options, "sigmoid", activation);
      data.lengths = makeLengths(size.time, size.batch, static_cast<uint64_t>(size.units));
      spoilPadding(data);
      for (const KernelTable* table : availableTables()) {
        if (table != availableTables()[0] && size.time * size.units > 1000) continue;
        compareOneByOne(data, options, runKernels(data, options, *table, team));
      }
    }
}

// One of each kind of option.
std::vector<Options> someOptions() {
  std::vector<Options> all(7);
  all[1].ids = true;
  all[2].initial = all[2].dFinal = false;
  all[3].dy = false;
  all[4].coupled = all[4].peepholes = all[4].clip = true;
  all[4].projection = 0.6f;
  all[5].mask = true;
  all[5].hiddenKeep = 1, all[5].cellKeep = 3;
  all[6].peepholes = true;
  all[6].projection = 0.3f;
  all[6].hiddenKeep = all[6].cellKeep = 4;
  return all;
}

}  // namespace

MNEME_TEST(recurrentLengths, "recurrent: rows of unequal lengths give what the sequences give one by one, whatever lies behind them") {
  for (const Options& options : someOptions()) compareEverySize(options);
  compareEverySize({}, "softsign");
}

MNEME_TEST(recurrentLengthsEdges, "recurrent: rows that are all empty, all full, or all but one empty") {
  Team team(2);
  for (Cell cell : allCells)
    for (const Options& options : someOptions())
      for (const Size& size : {Size{4, 20, 6, 20}, Size{4, 3, 6, 40}})
        for (const int32_t first : {0, 1, 4}) {
          RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options);
          data.lengths.assign(static_cast<std::size_t>(size.batch), 0);
          data.lengths[0] = first;
          spoilPadding(data);
          compareOneByOne(data, options, runKernels(data, options, *availableTables()[0], team));
        }
}

MNEME_TEST(recurrentFullLengths, "recurrent: lengths that are all those of the batch change no bit") {
  for (Cell cell : allCells)
    for (const Size& size : sizes)
      for (const Options& options : someOptions())
        for (const int threads : {1, 2}) {
          RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options);
          Team team(threads);
          const KernelTable& table = *availableTables()[0];
          const Result without = runKernels(data, options, table, team);
          data.lengths.assign(static_cast<std::size_t>(size.batch), static_cast<int32_t>(size.time));
          MNEME_CHECK(sameBits(without, runKernels(data, options, table, team)));
        }
}

MNEME_TEST(recurrentLengthsBits, "recurrent: with lengths, the same bits for 1, 2 and 3 threads and every instruction set, with and without a tape") {
  for (Cell cell : allCells)
    for (const Size& size : {Size{7, 40, 9, 40}, Size{7, 5, 20, 150}, Size{20, 24, 3, 20}, Size{9, 26, 5, 48}})
      for (std::size_t kind = 0; kind < someOptions().size(); ++kind) {
        const Options options = someOptions()[kind];
        RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options, "sigmoid", kind == 2 ? "softsign" : "tanh");
        data.lengths = makeLengths(size.time, size.batch, 3);
        Team single(1);
        const Result want = runKernels(data, options, *availableTables()[0], single);
        for (const KernelTable* table : availableTables())
          for (int threads = table == availableTables().back() ? 3 : 1; threads <= 3; ++threads) {  // the portable one is slow
            Team team(threads);
            MNEME_CHECK(sameBits(want, runKernels(data, options, *table, team)));
            const Result without = runKernels(data, options, *table, team, true);
            MNEME_CHECK(want.y == without.y && want.finalHidden == without.finalHidden && want.finalCell == without.finalCell);
          }
      }
}

MNEME_TEST(recurrentLengthsRefused, "recurrent: lengths outside the sequence, unsorted ones and too few are refused; so are ids within a row") {
  Team team(1);
  const KernelTable& table = *availableTables()[0];
  const RecurrentData data = makeData(Cell::lstm, 4, 3, 5, 6, {});
  std::vector<float> f(4096);
  std::vector<float> y(4 * 3 * 6, NAN);
  std::vector<int32_t> ids(4 * 3, 0);
  const auto callWith = [&](Operand x, Operand lengths) {
    std::vector<Operand> inputs = {x, operand(f, {5, 24}), operand(f, {6, 24})};
    inputs.resize(12, absent());
    inputs.push_back(lengths);
    return KernelCall(table, "recurrent", inputs, {operand(y, {4, 3, 6}), absent(), absent(), absent()}, wordsOf(data), team);
  };
  const struct {
    std::vector<int32_t> lengths;
    const char* sentence;
  } cases[] = {{{5, 1, 0}, "the length 5 of row 0 is outside 0..4"}, {{4, 1, -1}, "the length -1 of row 2 is outside 0..4"}, {{2, 3, 0}, "row 1 of length 3 comes after one of length 2"}};
  for (const auto& one : cases) {
    std::vector<int32_t> lengths = one.lengths;
    const Status status = callWith(operand(f, {4, 3, 5}), operand(lengths, {3})).run();
    MNEME_CHECK(status.code == Code::outOfRange && std::strstr(status.message, one.sentence) != nullptr);
    MNEME_CHECK(std::isnan(y[0]));
  }
  ids[1 * 3 + 1] = 5;
  std::vector<int32_t> within = {4, 2, 0}, outside = {4, 1, 0};
  const Status status = callWith(operand(ids, {4, 3}), operand(within, {3})).run();
  MNEME_CHECK(status.code == Code::outOfRange && std::strstr(status.message, "id 5 at [1, 1]") != nullptr);
  MNEME_CHECK(callWith(operand(ids, {4, 3}), operand(outside, {3})).run().isOk());
  std::vector<int32_t> lengths(4, 1);
  const auto refusedWith = [&](Operand given) { return callWith(operand(f, {4, 3, 5}), given).status().code == Code::invalidProgram; };
  MNEME_CHECK(!refusedWith(operand(lengths, {3})));
  MNEME_CHECK(refusedWith(operand(lengths, {4})));
  MNEME_CHECK(refusedWith(operand(lengths, {3, 1})));
  MNEME_CHECK(refusedWith(operand(f, {3})));
}

MNEME_TEST(recurrentLengthsStop, "recurrent: with lengths too, a team that is told to stop gives up, whoever waits for whom") {
  for (Cell cell : allCells)
    for (const Size& size : {Size{20, 40, 4, 16}, Size{20, 3, 4, 100}})
      for (int threads = 1; threads <= 3; ++threads) {
        Team team(threads);
        team.stop();
        RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, {});
        data.lengths = makeLengths(size.time, size.batch, 1);
        runKernels(data, {}, *availableTables()[0], team, false, Code::stopped);
      }
}

MNEME_TEST(recurrentGradientConsumes, "recurrentGradient says that it overwrites its tape: nothing that was checked, lengths or ids, may lie on it") {
  for (const KernelTable* table : availableTables()) MNEME_CHECK(table->find("recurrentGradient", 17)->consumes == 1u << 14);
}
