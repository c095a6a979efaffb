// normalizedRecurrent: what its operands must be, and what it does with lengths that do not fall.
#include <string>

#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

constexpr int32_t time_ = 3, batch = 9, units = 5, width = 4 * units;

// Words of x -> x, 1: no instructions, register 0 and the constant 1 behind it.
void appendIdentity(std::vector<int32_t>& words) {
  const std::vector<int32_t> code = {1, 2, 1, 0, 0, bitsOfFloat(1.0f), 0, 1};
  words.push_back(4);
  words.push_back(static_cast<int32_t>(code.size()));
  words.insert(words.end(), code.begin(), code.end());
}

// An LSTM whose activations let everything through.
KernelCase lstm(Array lengths = absentArray()) {
  std::vector<int32_t> words = {1, bitsOfFloat(0.1f), 0};
  for (int i = 0; i < 3; ++i) appendIdentity(words);
  return {"normalizedRecurrent",
          {noise({time_, batch, width}, 1), noise({units, width}, 2, 0.3f), noise({width}, 3), noise({width}, 4), noise({width}, 5), absentArray(),
           noise({units}, 6), noise({units}, 7), noise({batch, units}, 8), noise({batch, units}, 9), std::move(lengths)},
          {floats({time_, batch, units}), floats({batch, units}), floats({batch, units}), absentArray(), absentArray(), absentArray(), absentArray()},
          words, {}};
}

void refuse(KernelCase test, const char* what) {
  Requirements requirements;
  const KernelTable* table = kernelTable("portable");
  const Status status = verifyCase(*table, test, 1, &requirements);
  MNEME_CHECK(!status.isOk());
  MNEME_CHECK(std::string(status.message).find(what) != std::string::npos);
}

}  // namespace

MNEME_TEST(normalizedRecurrentLengths, "a row that ends early gives zeros, its final state is that of its last step, and the others are as before") {
  const std::vector<Array> all = runEverywhere(lstm());
  const std::vector<Array> some = runEverywhere(lstm(integers({batch}, {3, 3, 2, 2, 2, 1, 1, 0, 0})));
  const int32_t lengths[] = {3, 3, 2, 2, 2, 1, 1, 0, 0};
  const Array initial = noise({batch, units}, 8);
  for (int32_t row = 0; row < batch; ++row)
    for (int32_t unit = 0; unit < units; ++unit) {
      for (int32_t t = 0; t < time_; ++t) {
        const int64_t at = (t * batch + row) * units + unit;
        MNEME_CHECK(some[0].at(at) == (t < lengths[row] ? all[0].at(at) : 0.0f));
      }
      const float last = lengths[row] == 0 ? initial.at(row * units + unit) : all[0].at(((lengths[row] - 1) * batch + row) * units + unit);
      MNEME_CHECK(some[1].at(row * units + unit) == last);
    }
}

MNEME_TEST(normalizedRecurrentRefusals, "operands that do not fit are refused by a sentence") {
  KernelCase test = lstm();
  test.inputs[1] = noise({units, width - 1}, 2);
  refuse(test, "columns where 20 belong");
  test = lstm();
  test.inputs[6] = absentArray();
  refuse(test, "input 6");
  test = lstm();
  test.inputs[5] = noise({width}, 5);
  refuse(test, "input 5");
  test = lstm(integers({batch - 1}));
  refuse(test, "one length");
  test = lstm();
  test.outputs[3] = floats({time_, batch, width});
  refuse(test, "all that is kept, or nothing");
  test = lstm();
  test.words[2] = 2;
  refuse(test, "no grouping 2");
  test = lstm();
  test.words.pop_back();
  refuse(test, "activation 2");
}

MNEME_TEST(normalizedRecurrentGrowingLengths, "lengths that grow from row to row fail the step") {
  KernelCase test = lstm(integers({batch}, {1, 2, 1, 1, 1, 1, 1, 1, 1}));
  Team team(1);
  const Status status = runCase(*kernelTable("portable"), test, team);
  MNEME_CHECK(status.code == Code::outOfRange);
}
