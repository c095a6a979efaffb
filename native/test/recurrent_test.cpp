// recurrent and recurrentGradient: against plain double precision, with the same bits everywhere, with every optional operand.
#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

#include "test/recurrent_kernels.h"

namespace {

using namespace mneme;
using namespace mneme::test;

using Options = RecurrentOptions;

std::string describe(const RecurrentData& data) {
  const char* names[] = {"simple", "lstm", "gru after", "gru before"};
  char text[240];
  std::snprintf(text, sizeof text, "%s%s%s%s%s%s keep %zu/%zu %s/%s/%s T=%lld B=%lld I=%lld H=%lld%s", names[static_cast<int>(data.cell)],
                data.coupled ? " coupled" : "", data.peephole.empty() ? "" : " peepholes", data.cellClip == 0 ? "" : " clipped",
                data.projection.empty() ? "" : " projected", data.recurrentMask.empty() ? "" : " masked", data.hiddenKeep.size(), data.cellKeep.size(),
                data.gate->name, data.candidate->name, data.output->name,
                static_cast<long long>(data.time), static_cast<long long>(data.batch), static_cast<long long>(data.inputs),
                static_cast<long long>(data.units), data.ids.empty() ? "" : " ids");
  return text;
}

// The error of a buffer, relative to its largest element. Each element is a chain of roundings of half a unit each: the terms of
// its own sum, and those of what it is computed from: a step's input and recurrent product, the way back's product over the
// gates, and a few for the cell (whose functions are exact to 4 units). The weights are scaled so that a step hands errors on
// without enlarging them, on average; the number of steps that an error may live on is bounded by the time.
void compareWithReference(const RecurrentData& data, const RecurrentResult<double>& want, const RecurrentResult<float>& got) {
  const double chain = static_cast<double>(data.inputs + data.units + data.width() + data.time * data.batch) + 32;
  const double bound = 0.5 * FLT_EPSILON * (chain + 8 * static_cast<double>(data.time));
  const auto wanted = want.all();
  const auto given = got.all();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (given[i].second->empty()) continue;
    // A buffer of one element may be a sum that cancels: then what counts is the size of its terms, some tenths.
    double largest = given[i].second->size() == 1 ? 0.1 : 0, error = 0;
    for (std::size_t j = 0; j < given[i].second->size(); ++j) {
      largest = std::max(largest, std::fabs((*wanted[i].second)[j]));
      const double difference = std::fabs((*wanted[i].second)[j] - (*given[i].second)[j]);
      if (!(difference <= error)) error = difference;
    }
    if (!(error <= bound * std::max(largest, 1e-30))) std::printf("  %s, %s: error %.3g of %.3g\n", describe(data).c_str(), wanted[i].first, error, largest);
    MNEME_CHECK(error <= bound * std::max(largest, 1e-30));
  }
}

int64_t differingBits(const RecurrentData& data, const RecurrentResult<float>& a, const RecurrentResult<float>& b, const char* what) {
  int64_t different = 0;
  const auto first = a.all(), second = b.all();
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::vector<float> &x = *first[i].second, &y = *second[i].second;
    if (x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0)) continue;
    std::printf("  %s, %s differs %s\n", describe(data).c_str(), first[i].first, what);
    ++different;
  }
  return different;
}

struct Size {
  int64_t time, batch, inputs, units;
};
const Size sizes[] = {{1, 1, 1, 1}, {3, 2, 1, 10}, {5, 7, 20, 40}, {2, 33, 100, 80}, {6, 1, 17, 130}, {40, 9, 12, 16}, {9, 32, 3, 65}, {1, 5, 8, 32}};
const Cell allCells[] = {Cell::simple, Cell::lstm, Cell::gruAfter, Cell::gruBefore};

void compareEverySize(const Options& options, const char* gate, const char* activation) {
  Team team(1);
  for (Cell cell : allCells)
    for (const Size& size : sizes) {
      const RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options, gate, activation);
      const RecurrentResult<double> want = RecurrentReference(data).run();
      for (const KernelTable* table : availableTables()) compareWithReference(data, want, runKernels(data, options, *table, team));
    }
}

MNEME_TEST(recurrentExact, "recurrent: states and gradients are those of plain double precision") { compareEverySize({}, "sigmoid", "tanh"); }

MNEME_TEST(recurrentIds, "recurrent: ids stand for one-hot vectors") {
  Options options;
  options.ids = true;
  compareEverySize(options, "sigmoid", "tanh");
}

MNEME_TEST(recurrentOptional, "recurrent: each optional operand may be absent") {
  for (int without = 0; without < 5; ++without) {
    Options options;
    (without == 0 ? options.bias : without == 1 ? options.initial : without == 2 ? options.dy : without == 3 ? options.dFinal : options.dx) = false;
    compareEverySize(options, "sigmoid", "tanh");
  }
  Options least;
  least.bias = least.initial = least.dFinal = least.dx = false;
  compareEverySize(least, "sigmoid", "tanh");
}

MNEME_TEST(recurrentActivations, "recurrent: any activation, by what it is or by its expression") {
  for (const char* activation : {"sigmoid", "tanh", "relu", "identity", "softsign", "undefinedAtZero"}) compareEverySize({}, "sigmoid", activation);
  for (const char* gate : {"softsign", "tanh"}) compareEverySize({}, gate, "softsign");
  Options options;
  options.byExpression = true;
  compareEverySize(options, "sigmoid", "tanh");
}

// The options one by one, and all of them at once.
std::vector<Options> everyOption() {
  std::vector<Options> all(12);
  all[0].peepholes = true;
  all[1].coupled = true;
  all[2].clip = true;
  all[3].projection = 0.5f;
  all[4].mask = true;
  all[5].hiddenKeep = 1, all[5].cellKeep = 1;
  all[6].hiddenKeep = 2, all[6].cellKeep = 3;
  all[7].hiddenKeep = 3, all[7].cellKeep = 2;
  all[8].hiddenKeep = 3;
  all[9].cellKeep = 4, all[9].clip = true, all[9].peepholes = true;
  Options& most = all[10];
  most.peepholes = most.clip = most.mask = true;
  most.projection = 0.4f;
  most.hiddenKeep = 4, most.cellKeep = 4;
  all[11] = most;
  all[11].coupled = true;
  all[11].hiddenKeep = 3, all[11].cellKeep = 3;
  return all;
}

MNEME_TEST(recurrentOptions, "recurrent: peepholes, coupled gates, clipping, projection, masks and keeps, alone and together") {
  for (Options options : everyOption()) {
    compareEverySize(options, "sigmoid", "tanh");
    options.output = "softsign";
    compareEverySize(options, "sigmoid", "tanh");
    options.initial = options.dFinal = false;
    compareEverySize(options, "sigmoid", "tanh");
  }
}

MNEME_TEST(recurrentBits, "recurrent: the same bits for 1, 2 and 3 threads and every instruction set") {
  const Size more[] = {{5, 26, 9, 80}, {3, 2, 20, 150}, {7, 24, 1, 40}, {10, 4, 5, 48}};
  std::vector<Size> all(std::begin(sizes), std::end(sizes));
  all.insert(all.end(), std::begin(more), std::end(more));
  for (Cell cell : allCells)
    for (const Size& size : all)
      for (int kind = 0; kind < 3; ++kind) {
        Options options;
        options.ids = kind == 1;
        const RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options, "sigmoid", kind == 2 ? "softsign" : "tanh");
        Team single(1);
        const RecurrentResult<float> want = runKernels(data, options, *availableTables()[0], single);
        for (const KernelTable* table : availableTables())
          for (int threads = table == availableTables().back() ? 3 : 1; threads <= 3; ++threads) {  // the portable one is slow
            Team team(threads);
            const std::string what = std::string(table->instructionSet) + ", threads: " + std::to_string(threads);
            MNEME_CHECK(differingBits(data, want, runKernels(data, options, *table, team), what.c_str()) == 0);
          }
      }
}

MNEME_TEST(recurrentOptionsBits, "recurrent: the same bits everywhere with every option, and without a tape") {
  const Size some[] = {{5, 26, 9, 80}, {3, 2, 20, 150}, {7, 24, 1, 40}, {10, 4, 5, 48}, {3, 1, 2, 7}};
  for (Cell cell : allCells)
    for (const Size& size : some)
      for (Options options : everyOption())
        for (const char* output : {static_cast<const char*>(nullptr), "softsign"}) {
          options.output = output;
          const RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options);
          Team single(1);
          const RecurrentResult<float> want = runKernels(data, options, *availableTables()[0], single);
          for (const KernelTable* table : availableTables())
            for (int threads = table == availableTables()[0] ? 2 : 3; threads <= 3; ++threads) {
              Team team(threads);
              const std::string what = std::string(table->instructionSet) + ", threads: " + std::to_string(threads);
              MNEME_CHECK(differingBits(data, want, runKernels(data, options, *table, team), what.c_str()) == 0);
              const RecurrentResult<float> inference = runKernels(data, options, *table, team, true);
              MNEME_CHECK(want.y == inference.y && want.finalHidden == inference.finalHidden && want.finalCell == inference.finalCell);
            }
        }
}

MNEME_TEST(recurrentKeptNan, "recurrent: where the whole of the old states is kept, NaN in the cell reaches neither states nor gradients") {
  for (Cell cell : allCells)
    for (const char* output : {static_cast<const char*>(nullptr), "softsign"})
      for (bool varied : {false, true}) {
        Options options;
        options.hiddenKeep = options.cellKeep = 4;
        options.output = output;
        options.mask = options.peepholes = varied;
        options.projection = varied ? 0.5f : 0.0f;
        RecurrentData data = makeData(cell, 6, 5, 4, 20, options);
        // NaN gates at the steps and rows that do not count, by a bias of NaN there alone: ids whose row of the kernel is NaN.
        data.ids.clear();
        for (int64_t row = 0; row < 30; ++row) data.ids.push_back(data.hiddenKeep[row] == 1 ? 3 : static_cast<int32_t>(row % 3));
        data.x.clear();
        RecurrentData poisoned = data;
        for (int64_t column = 0; column < data.width(); ++column) poisoned.kernel[3 * data.width() + column] = NAN;
        for (const KernelTable* table : availableTables()) {
          Team team(1);
          const RecurrentResult<float> want = runKernels(data, options, *table, team), got = runKernels(poisoned, options, *table, team);
          MNEME_CHECK(differingBits(data, want, got, "with NaN where nothing counts") == 0);
        }
      }
}

MNEME_TEST(recurrentInference, "recurrent: without a tape the same states come out") {
  for (Cell cell : allCells)
    for (const Size& size : sizes)
      for (const char* activation : {"tanh", "softsign"}) {
        const Options options;
        const RecurrentData data = makeData(cell, size.time, size.batch, size.inputs, size.units, options, "sigmoid", activation);
        for (const KernelTable* table : availableTables()) {
          Team team(2);
          const RecurrentResult<float> with = runKernels(data, options, *table, team), without = runKernels(data, options, *table, team, true);
          MNEME_CHECK(with.y == without.y && with.finalHidden == without.finalHidden && with.finalCell == without.finalCell);
        }
      }
}

MNEME_TEST(recurrentContinues, "recurrent: a sequence cut in two, its state handed on, is the whole sequence") {
  for (Cell cell : allCells) {
    const Options options;
    const RecurrentData whole = makeData(cell, 10, 3, 6, 20, options);
    RecurrentData first = whole, second = whole;
    first.time = 4, second.time = 6;
    first.x.resize(4 * 3 * 6);
    second.x.erase(second.x.begin(), second.x.begin() + 4 * 3 * 6);
    Team team(1);
    const KernelTable& table = *availableTables()[0];
    const RecurrentResult<float> all = runKernels(whole, options, table, team, true), begin = runKernels(first, options, table, team, true);
    second.initialHidden = begin.finalHidden;
    if (cell == Cell::lstm) second.initialCell = begin.finalCell;
    const RecurrentResult<float> end = runKernels(second, options, table, team, true);
    MNEME_CHECK(all.finalHidden == end.finalHidden && all.finalCell == end.finalCell);
  }
}

MNEME_TEST(recurrentStops, "recurrent: a team that is told to stop gives up, whoever waits for whom") {
  for (Cell cell : allCells)
    for (const Size& size : {Size{20, 40, 4, 16}, Size{20, 1, 4, 100}})  // shared by rows, and by units
      for (int threads = 1; threads <= 3; ++threads) {
        Team team(threads);
        team.stop();
        runKernels(makeData(cell, size.time, size.batch, size.inputs, size.units, {}), {}, *availableTables()[0], team, false, Code::stopped);
      }
}

MNEME_TEST(recurrentOutOfRange, "recurrent: an id outside the kernel's rows is named with its place") {
  Options options;
  options.ids = true;
  for (int32_t bad : {-1, 12}) {
    RecurrentData data = makeData(Cell::lstm, 3, 4, 12, 8, options);
    data.ids[2 * 4 + 1] = bad;
    Team team(1);
    std::vector<float> y(3 * 4 * 8);
    KernelCall call(*availableTables()[0], "recurrent",
                    {operand(data.ids, {3, 4}), operand(data.kernel, {12, 32}), operand(data.recurrentKernel, {8, 32}), absent(), absent(), absent(), absent(), absent(),
                     absent(), absent(), absent(), absent(), absent()},
                    {operand(y, {3, 4, 8}), absent(), absent(), absent()}, wordsOf(data), team);
    const Status status = call.run();
    MNEME_CHECK(status.code == Code::outOfRange);
    MNEME_CHECK(std::strstr(status.message, ("id " + std::to_string(bad) + " at [2, 1]").c_str()) != nullptr);
  }
}

MNEME_TEST(recurrentNan, "recurrent: NaN in one row of the batch stays in that row") {
  for (Cell cell : allCells) {
    RecurrentData data = makeData(cell, 3, 9, 6, 20, {});
    data.x[(1 * 9 + 4) * 6 + 2] = NAN;
    for (const KernelTable* table : availableTables()) {
      Team team(1);
      const RecurrentResult<float> result = runKernels(data, {}, *table, team);
      int64_t wrong = 0;
      for (int64_t t = 0; t < 3; ++t)
        for (int64_t b = 0; b < 9; ++b)
          for (int64_t u = 0; u < 20; ++u) wrong += std::isnan(result.y[(t * 9 + b) * 20 + u]) != (b == 4 && t >= 1);
      MNEME_CHECK(wrong == 0);
    }
  }
}

MNEME_TEST(recurrentRefuses, "recurrent: shapes and attributes that do not fit are refused") {
  std::vector<float> f(4096);
  std::vector<int32_t> ids(4096);
  Team team(1);
  const ActivationFunction &gate = activationFunction("sigmoid"), &activation = activationFunction("tanh");
  const auto wordsOf = [&](int32_t cell, int32_t flags, float clip = 0) {
    std::vector<int32_t> words = {cell, flags, floatWord(clip)};
    for (const ActivationFunction* function : {&gate, &activation, &activation}) {
      words.push_back(function->kind);
      words.push_back(static_cast<int32_t>(function->code.size()));
      words.insert(words.end(), function->code.begin(), function->code.end());
    }
    return words;
  };
  const auto refused = [&](std::vector<Operand> inputs, std::vector<Operand> outputs, std::vector<int32_t> words) {
    return KernelCall(*availableTables()[0], "recurrent", std::move(inputs), std::move(outputs), std::move(words), team).status().code == Code::invalidProgram;
  };
  // T=2, B=3, I=4, H=5, LSTM.
  const std::vector<Operand> inputs = {operand(f, {2, 3, 4}), operand(f, {4, 20}), operand(f, {5, 20}), operand(f, {20}), absent(), operand(f, {3, 5}), operand(f, {3, 5}),
                                       absent(), absent(), absent(), absent(), absent(), absent()};
  const std::vector<Operand> outputs = {operand(f, {2, 3, 5}), operand(f, {3, 5}), operand(f, {3, 5}), operand(f, {448})};
  MNEME_CHECK(!refused(inputs, outputs, wordsOf(1, 0)));
  const auto withInput = [&](int index, Operand operand) {
    std::vector<Operand> changed = inputs;
    changed[index] = operand;
    return changed;
  };
  const auto withOutput = [&](int index, Operand operand) {
    std::vector<Operand> changed = outputs;
    changed[index] = operand;
    return changed;
  };
  MNEME_CHECK(refused(withInput(0, operand(f, {2, 3, 5})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(0, operand(ids, {2, 3, 4})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(1, operand(f, {4, 15})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(2, absent()), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(3, operand(f, {5})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(4, operand(f, {20})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(5, operand(f, {5, 3})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(6, operand(ids, {3, 5})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(inputs, withOutput(0, operand(f, {3, 2, 5})), wordsOf(1, 0)));
  MNEME_CHECK(refused(inputs, withOutput(2, operand(f, {2, 5})), wordsOf(1, 0)));
  MNEME_CHECK(refused(inputs, withOutput(3, operand(f, {447})), wordsOf(1, 0)));
  MNEME_CHECK(refused(inputs, outputs, wordsOf(2, 0)));
  MNEME_CHECK(refused(inputs, outputs, wordsOf(3, 0)));
  MNEME_CHECK(refused(inputs, outputs, wordsOf(1, 1)) && refused(inputs, outputs, wordsOf(1, 4)));
  MNEME_CHECK(refused(inputs, outputs, wordsOf(1, 2)));
  MNEME_CHECK(refused(inputs, outputs, wordsOf(1, 0, -1)) && refused(inputs, outputs, wordsOf(1, 0, NAN)) && !refused(inputs, outputs, wordsOf(1, 0, 1)));
  MNEME_CHECK(!refused(withInput(7, operand(f, {3, 5})), outputs, wordsOf(1, 0)) && refused(withInput(7, operand(f, {2, 5})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(8, operand(f, {5, 4})), outputs, wordsOf(1, 0)) && refused(withInput(8, operand(f, {5})), outputs, wordsOf(1, 0)));
  MNEME_CHECK(refused(withInput(9, operand(f, {3, 4})), outputs, wordsOf(1, 0)));
  for (int keep : {10, 11}) {
    MNEME_CHECK(refused(withInput(keep, operand(f, {2})), outputs, wordsOf(1, 0)) && refused(withInput(keep, operand(f, {3, 2})), outputs, wordsOf(1, 0)));
    MNEME_CHECK(refused(withInput(keep, operand(f, {2, 3, 4})), outputs, wordsOf(1, 0)) && refused(withInput(keep, operand(ids, {2, 3})), outputs, wordsOf(1, 0)));
  }
  MNEME_CHECK(!refused(withInput(10, operand(f, {2, 3})), outputs, wordsOf(1, 0)));
  std::vector<int32_t> words = wordsOf(1, 0);
  words.pop_back();
  MNEME_CHECK(refused(inputs, outputs, words));
  words = wordsOf(1, 0);
  words[4] = 1 << 30;
  MNEME_CHECK(refused(inputs, outputs, words));
  words = wordsOf(1, 0);
  words[3] = 6;
  MNEME_CHECK(refused(inputs, outputs, words));
  MNEME_CHECK(refused(inputs, outputs, {}));
}

}  // namespace
