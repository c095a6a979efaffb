// Expressions: scalar functions as words (docs/architecture.md, "Expression code"), run over arrays in blocks.
//
// A kernel verifies the words once, asks for `evaluatorBytes` of workspace for each member of the team, and in `run`
// builds an evaluator there; building reads the scalars and runs what depends on nothing else. `evaluate` then works on up
// to `blockElements` elements at a time: its registers are arrays in the first-level cache, each instruction one loop
// over them, so that the interpretation costs a few nanoseconds an instruction and block.
//
//   kernel recurrent, with an activation given as code:
//     verify:  Expression code; verifyExpression(words, &code, &taken); ... workspaceBytes += threads * evaluatorBytes(code)
//     run:     Evaluator* activation = buildEvaluator(viewExpression(words), memory, {});
//              evaluateActivation(*activation, x, value, derivative, count);      x may be value or derivative
//
// To be included inside a target region (simd/target_begin.h), after kernels/kernel.h.
#pragma once

namespace mneme::MNEME_TARGET_NAMESPACE {

// Limits on hostile programs, far above what a compiler writes. Encoders must keep them.
constexpr int32_t maximumExpressionInputs = 64;
constexpr int32_t maximumExpressionOutputs = 32;
constexpr int32_t maximumExpressionConstants = 1024;
constexpr int32_t maximumExpressionTemporaries = 512;
constexpr int32_t maximumExpressionInstructions = 4096;

constexpr int64_t blockElements = 512;

// A view on words that were verified.
struct Expression {
  int32_t inputs = 0, outputs = 0, constants = 0, temporaries = 0, instructions = 0;
  const int32_t* constantWords = nullptr;     // bits of f32
  const int32_t* instructionWords = nullptr;  // six each: opcode, destination, a, b, c, d
  const int32_t* outputWords = nullptr;       // a register each
};

// Checks the expression at the start of `words`; `taken` is how many of them it is. Refuses unknown opcodes, registers
// out of range or read before they are written, and sizes that do not fit.
Status verifyExpression(Span<const int32_t> words, Expression* expression, int64_t* taken) noexcept;

// The expression at `words`, which were verified.
Expression viewExpression(const int32_t* words) noexcept;

class Evaluator;

// Bytes of an evaluator, a multiple of 64.
int64_t evaluatorBytes(const Expression& expression) noexcept;

// What an evaluator must know of its operands before it runs.
struct EvaluatorOperands {
  // One an input: its value where it is a scalar, the same for every element, else null. Null: no input is a scalar.
  const float* const* scalars = nullptr;
  // One an output: bit i is set where the output lies in the memory of input i. Null: every output may lie in any input.
  const uint64_t* sharing = nullptr;
  // A register that is no output, whose value is asked for with `uniformValue`; -1: none.
  int32_t uniform = -1;
};

// Builds an evaluator in `memory` (64-byte aligned, evaluatorBytes). The words must outlive it.
Evaluator* buildEvaluator(const Expression& expression, void* memory, const EvaluatorOperands& operands) noexcept;

// Of the register that `EvaluatorOperands` names: its value where that is the same for every element, else NaN.
float uniformValue(const Evaluator& evaluator) noexcept;

// Evaluates `count` <= blockElements elements. `inputs`: one pointer an input (ignored for scalars); `outputs`: one an
// output. No alignment is asked for, and nothing beyond `count` elements is read or written.
void evaluate(Evaluator& evaluator, const float* const* inputs, float* const* outputs, int64_t count) noexcept;

// The same without giving the outputs away: they stay in the evaluator until its next use, where `results` points.
void evaluateInside(Evaluator& evaluator, const float* const* inputs, const float** results, int64_t count) noexcept;

// For an expression of one input and one or two outputs (value, derivative; `derivative` null if there is one or it is not
// wanted), over any count.
void evaluateActivation(Evaluator& evaluator, const float* x, float* value, float* derivative, int64_t count) noexcept;

}  // namespace mneme::MNEME_TARGET_NAMESPACE
