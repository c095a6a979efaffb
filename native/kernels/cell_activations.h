// The three activations of a cell in the attribute words of an instruction: gate, candidate, output; for each its kind, the
// number of words of its code, and the code.
//
// To be included inside a target region, after kernels/operands.h.
#pragma once

#include "kernels/expression.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

enum class ActivationKind : int32_t { expression = 0, sigmoid = 1, tanh = 2, relu = 3, identity = 4, softsign = 5 };

struct Activation {
  ActivationKind kind = ActivationKind::expression;
  const int32_t* code = nullptr;  // x -> value, derivative
};

// Reads them from words that were checked.
inline void readActivations(const int32_t* words, Activation* gate, Activation* candidate, Activation* output) noexcept {
  for (Activation* activation : {gate, candidate, output}) {
    *activation = {static_cast<ActivationKind>(words[0]), words + 2};
    words += 2 + words[1];
  }
}

// Checks the words from `at` on: the three activations, and nothing behind them.
inline void checkActivations(Check& check, Span<const int32_t> words, int64_t at) noexcept {
  for (int i = 0; i < 3 && !check.failed(); ++i) {
    check.that(at + 2 <= words.size && words[at] >= 0 && words[at] <= 5 && words[at + 1] >= 0 && at + 2 + words[at + 1] <= words.size,
               "activation %d is cut short or unknown", i);
    if (check.failed()) return;
    Expression expression;
    int64_t taken = 0;
    check.keep(verifyExpression({words.data + at + 2, words[at + 1]}, &expression, &taken));
    check.that(taken == words[at + 1], "activation %d is %lld words, not %d", i, static_cast<long long>(taken), words[at + 1]);
    check.that(expression.inputs == 1 && expression.outputs == 2, "activation %d: one input and two outputs belong, not %d and %d", i,
               expression.inputs, expression.outputs);
    at += 2 + words[at + 1];
  }
  check.that(at == words.size, "%lld attribute words are left over", static_cast<long long>(words.size - at));
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
