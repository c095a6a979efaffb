// elementwiseRecurrence and its gradient: numbers by plain loops, the cell that has a number beside its code, rows of unequal
// lengths, memory that is shared, and what is refused.
#include "test/run_kernel.h"

using namespace mneme;
using namespace mneme::test;

namespace {

const int32_t half = bitsOfFloat(0.5f), one = bitsOfFloat(1.0f);

// h' = h + sigmoid(k) (n - h), n = x < 0 ? sigmoid(x) : x + 1/2: inputs k, x, h. Registers 3 = 0, 4 = 1/2; temporaries from 5.
const std::vector<int32_t> minGruCode = {3, 1, 2, 4, 7, 0, half,
                                         7, 5, 0, 0, 0, 0,   // z
                                         16, 6, 1, 3, 0, 0,  // x < 0
                                         7, 7, 1, 0, 0, 0,   // sigmoid(x)
                                         10, 8, 1, 4, 0, 0,  // x + 1/2
                                         20, 6, 6, 7, 8, 0,  // n
                                         11, 6, 6, 2, 0, 0,  // n - h
                                         21, 5, 5, 6, 2, 0,  // h + z (n - h)
                                         5};
// Inputs k, x, h, d; outputs dk, dx, dh. Registers 4 = 0, 5 = 1/2, 6 = 1; temporaries from 7.
const std::vector<int32_t> minGruGradientCode = {4, 3, 3, 6, 13, 0, half, one,
                                                 7, 7, 0, 0, 0, 0,     // z
                                                 16, 8, 1, 4, 0, 0,    // x < 0
                                                 7, 9, 1, 0, 0, 0,     // s = sigmoid(x)
                                                 10, 10, 1, 5, 0, 0,   // x + 1/2
                                                 20, 10, 8, 9, 10, 0,  // n
                                                 11, 10, 10, 2, 0, 0,  // n - h
                                                 12, 10, 3, 10, 0, 0,  // d (n - h)
                                                 23, 11, 7, 7, 7, 0,   // z - z z
                                                 12, 10, 10, 11, 0, 0, // dk
                                                 23, 9, 9, 9, 9, 0,    // s - s s
                                                 20, 8, 8, 9, 6, 0,    // slope
                                                 12, 7, 3, 7, 0, 0,    // d z
                                                 12, 8, 7, 8, 0, 0,    // dx; dh = d - d z is taken below
                                                 10, 8, 7};

std::vector<int32_t> wordsOf(int32_t states, int32_t sequences, int32_t cell, const std::vector<int32_t>& code) {
  std::vector<int32_t> words = {states, sequences, cell};
  words.insert(words.end(), code.begin(), code.end());
  return words;
}

// The same with dh = d - d z as a last instruction.
std::vector<int32_t> gradientWords(int32_t cell) {
  std::vector<int32_t> code = minGruGradientCode;
  code[4] = 14;
  const std::vector<int32_t> subtract = {11, 7, 3, 7, 0, 0};
  code.insert(code.end() - 3, subtract.begin(), subtract.end());
  return wordsOf(1, 2, cell, code);
}

KernelCase forward(int32_t time, int32_t batch, int32_t units, int32_t cell) {
  return {"elementwiseRecurrence",
          {noise({time, batch, 2 * units}, 1, 3), noise({batch, units}, 2), absentArray(), absentArray(), absentArray()},
          {floats({time, batch, units}), absentArray(), floats({batch, units}), absentArray()},
          wordsOf(1, 2, cell, minGruCode),
          {}};
}

KernelCase backward(const KernelCase& of, const Array& states, int32_t cell) {
  const OperandType& type = states.type;
  const int32_t time = type.shape[0], batch = type.shape[1], units = type.shape[2];
  std::vector<Array> inputs = of.inputs;
  for (const Array& array : {states, absentArray(), noise({time, batch, units}, 3), absentArray(), noise({batch, units}, 4), absentArray()})
    inputs.push_back(array);
  return {"elementwiseRecurrenceGradient", inputs, {floats({time, batch, 2 * units}), floats({batch, units}), absentArray()}, gradientWords(cell), {}};
}

constexpr int32_t shapes[][3] = {{1, 1, 1}, {3, 2, 5}, {4, 3, 64}, {5, 1, 257}, {3, 2, 130}, {2, 3, 700}};

}  // namespace

MNEME_TEST(elementwiseRecurrenceCells, "elementwise recurrence: minGRU in registers is its code to the bit, forward and backward") {
  for (const auto& shape : shapes) {
    const std::vector<Array> code = runEverywhere(forward(shape[0], shape[1], shape[2], 0));
    const KernelCase known = forward(shape[0], shape[1], shape[2], 1);
    const std::vector<Array> inRegisters = runEverywhere(known);
    MNEME_CHECK(sameWords(code[0], inRegisters[0]) && sameWords(code[2], inRegisters[2]));
    const std::vector<Array> codeGradient = runEverywhere(backward(known, code[0], 0));
    const std::vector<Array> gradient = runEverywhere(backward(known, code[0], 1));
    MNEME_CHECK(sameWords(codeGradient[0], gradient[0]) && sameWords(codeGradient[1], gradient[1]));
  }
}

MNEME_TEST(elementwiseRecurrenceLoops, "elementwise recurrence: what plain loops in double precision give") {
  for (const auto& shape : shapes) {
    const int64_t time = shape[0], batch = shape[1], units = shape[2];
    const KernelCase test = forward(shape[0], shape[1], shape[2], 0);
    const std::vector<Array> got = runEverywhere(test);
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    for (int64_t lane = 0; lane < batch * units; ++lane) {
      double h = test.inputs[1].at(lane);
      for (int64_t t = 0; t < time; ++t) {
        const int64_t place = (t * batch + lane / units) * 2 * units + lane % units;
        const double k = test.inputs[0].at(place), x = test.inputs[0].at(place + units);
        h += sigmoid(k) * ((x < 0 ? sigmoid(x) : x + 0.5) - h);
        // A dozen roundings a step, of numbers below 4.
        MNEME_CHECK_NEAR(got[0].at(t * batch * units + lane), h, 12 * 4 * static_cast<double>(time) * 0x1p-24);
      }
      MNEME_CHECK(got[2].idAt(lane) == got[0].idAt((time - 1) * batch * units + lane));
    }
  }
}

MNEME_TEST(elementwiseRecurrenceLengths, "elementwise recurrence: rows that ended are zero, and nothing of them is read") {
  for (const int32_t cell : {0, 1}) {
    for (const int32_t units : {5, 200}) {
      KernelCase test = forward(4, 3, units, cell);
      const std::vector<Array> full = runEverywhere(test);
      test.inputs[4] = integers({3}, {4, 2, 0});
      const int32_t lengths[] = {4, 2, 0};
      for (int64_t t = 0; t < 4; ++t)
        for (int64_t row = 0; row < 3; ++row)
          for (int64_t i = 0; i < 2 * units && t >= lengths[row]; ++i) test.inputs[0].set((t * 3 + row) * 2 * units + i, NAN);
      const std::vector<Array> got = runEverywhere(test);
      KernelCase gradient = backward(test, got[0], cell);
      for (int64_t t = 0; t < 4; ++t)
        for (int64_t row = 0; row < 3; ++row)
          for (int64_t i = 0; i < units && t >= lengths[row]; ++i) gradient.inputs[7].set((t * 3 + row) * units + i, NAN);
      const std::vector<Array> derived = runEverywhere(gradient);
      for (int64_t lane = 0; lane < 3 * units; ++lane) {
        const int32_t length = lengths[lane / units];
        for (int64_t t = 0; t < 4; ++t) {
          const int64_t place = t * 3 * units + lane;
          MNEME_CHECK(got[0].idAt(place) == (t < length ? full[0].idAt(place) : 0));
          const int64_t x = (t * 3 + lane / units) * 2 * units + lane % units;
          MNEME_CHECK(t < length ? std::isfinite(derived[0].at(x)) : derived[0].idAt(x) == 0 && derived[0].idAt(x + units) == 0);
        }
        MNEME_CHECK(got[2].idAt(lane) == (length > 0 ? full[0].idAt((length - 1) * 3 * units + lane) : test.inputs[1].idAt(lane)));
        // What flows into the final state of a row without a step flows on into its initial one.
        MNEME_CHECK(length > 0 || derived[1].idAt(lane) == gradient.inputs[9].idAt(lane));
      }
    }
  }
}

MNEME_TEST(elementwiseRecurrenceInPlace, "elementwise recurrence: the gradient of the sequences may lie in the sequences") {
  for (const int32_t cell : {0, 1}) {
    for (const auto& shape : shapes) {
      const KernelCase of = forward(shape[0], shape[1], shape[2], cell);
      KernelCase test = backward(of, runEverywhere(of)[0], cell);
      const std::vector<Array> apart = runEverywhere(test);
      test.sharing = {{0, 0}};
      const std::vector<Array> shared = runEverywhere(test);
      MNEME_CHECK(sameWords(apart[0], shared[0]) && sameWords(apart[1], shared[1]));
    }
  }
}

MNEME_TEST(elementwiseRecurrenceOutOfRange, "elementwise recurrence: lengths that grow or lie outside fail the step") {
  for (const std::vector<int32_t>& lengths : {std::vector<int32_t>{2, 3, 1}, {5, 4, 3}, {4, 3, -1}}) {
    KernelCase test = forward(4, 3, 5, 0);
    test.inputs[4] = integers({3}, lengths);
    Status status;
    runEverywhere(test, &status);
    MNEME_CHECK(status.code == Code::outOfRange);
    KernelCase gradient = backward(test, floats({4, 3, 5}), 0);
    runEverywhere(gradient, &status);
    MNEME_CHECK(status.code == Code::outOfRange);
  }
}

MNEME_TEST(elementwiseRecurrenceRefused, "elementwise recurrence: signatures that do not fit are refused") {
  const auto changed = [](void (*change)(KernelCase&)) {
    KernelCase test = forward(4, 3, 6, 0);
    change(test);
    return refused(test);
  };
  MNEME_CHECK(!changed([](KernelCase&) {}));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[0] = 2; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[0] = 3; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[1] = 0; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[1] = 5; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[1] = 3; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[2] = 2; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words[2] = -1; }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words.push_back(0); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.words.resize(3); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[0] = noise({4, 36}, 1); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[1] = noise({3, 5}, 1); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[2] = noise({3, 6}, 1); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[3] = noise({4, 2}, 1); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[3] = noise({1}, 1); }));  // no such variable
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[4] = integers({2}, {1, 1}); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs[4] = noise({3}, 1); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs.push_back(noise({6}, 1)); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.inputs.pop_back(); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.outputs[0] = floats({4, 3, 5}); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.outputs[0] = absentArray(); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.outputs[1] = floats({4, 3, 6}); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.outputs[2] = floats({4, 6}); }));
  MNEME_CHECK(changed([](KernelCase& test) { test.outputs.pop_back(); }));

  const auto gradientChanged = [](void (*change)(KernelCase&)) {
    KernelCase test = backward(forward(4, 3, 6, 1), floats({4, 3, 6}), 1);
    change(test);
    return refused(test);
  };
  MNEME_CHECK(!gradientChanged([](KernelCase&) {}));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[3] = noise({1}, 1); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[5] = absentArray(); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[5] = noise({4, 3, 7}, 1); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[6] = noise({4, 3, 6}, 1); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[7] = noise({4, 2, 6}, 1); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.inputs[9] = noise({4, 6}, 1); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.outputs[0] = floats({4, 3, 6}); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.outputs[1] = floats({3, 5}); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.outputs.push_back(floats({6})); }));
  MNEME_CHECK(gradientChanged([](KernelCase& test) { test.words = wordsOf(1, 2, 1, minGruCode); }));
}
