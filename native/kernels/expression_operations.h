// The instructions of expressions over arrays: one loop each, for every choice of which operands are uniform (one float,
// the same for all elements). To be included inside a target region.
#pragma once

#include "simd/functions.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// destination[i] = operation(a[i], b[i], c[i], d[i]) for i < count. The destination may be any of the operands.
using Apply = void (*)(float* destination, const float* a, const float* b, const float* c, const float* d, int64_t count);

constexpr int32_t opcodes = 31;
constexpr int32_t maximumOperandsOfInstruction = 4;

namespace operation {

// clang-format off
#define MNEME_OPERATION(Name, operands, value)                                                          \
  struct Name {                                                                                         \
    static constexpr int arity = operands;                                                              \
    static MNEME_INLINE Vector of([[maybe_unused]] Vector a, [[maybe_unused]] Vector b,                 \
                                  [[maybe_unused]] Vector c, [[maybe_unused]] Vector d) noexcept { return value; } \
  };
// clang-format on
MNEME_INLINE Vector truth(Mask mask) noexcept { return select(mask, broadcast(1.0f), zero()); }
// NaN stays NaN; zero of either sign gives zero.
MNEME_INLINE Vector signOf(Vector a) noexcept {
  const Vector one = copySign(broadcast(1.0f), a);
  return select(isNan(a), a, select(equal(a, zero()), zero(), one));
}

MNEME_OPERATION(Copy, 1, a)
MNEME_OPERATION(Negate, 1, negate(a))
MNEME_OPERATION(Absolute, 1, absolute(a))
MNEME_OPERATION(Exp, 1, exp(a))
MNEME_OPERATION(Log, 1, log(a))
MNEME_OPERATION(SquareRoot, 1, squareRoot(a))
MNEME_OPERATION(Tanh, 1, tanh(a))
MNEME_OPERATION(Sigmoid, 1, sigmoid(a))
MNEME_OPERATION(Sign, 1, signOf(a))
MNEME_OPERATION(Floor, 1, floor(a))
MNEME_OPERATION(Add, 2, add(a, b))
MNEME_OPERATION(Subtract, 2, subtract(a, b))
MNEME_OPERATION(Multiply, 2, multiply(a, b))
MNEME_OPERATION(Divide, 2, divide(a, b))
MNEME_OPERATION(Minimum, 2, minimum(a, b))
MNEME_OPERATION(Maximum, 2, maximum(a, b))
MNEME_OPERATION(Less, 2, truth(less(a, b)))
MNEME_OPERATION(LessOrEqual, 2, truth(lessOrEqual(a, b)))
MNEME_OPERATION(Equal, 2, truth(equal(a, b)))
MNEME_OPERATION(Select, 3, select(equal(a, zero()), c, b))
MNEME_OPERATION(MultiplyAdd, 3, fma(a, b, c))
MNEME_OPERATION(MultiplySubtract, 3, fma(a, b, negate(c)))
MNEME_OPERATION(SubtractProduct, 3, fnma(a, b, c))
MNEME_OPERATION(SumOfProducts, 4, fma(a, b, multiply(c, d)))
MNEME_OPERATION(DivideByRoot, 3, divide(a, add(squareRoot(b), c)))
MNEME_OPERATION(SumWithSquare, 4, fma(a, b, multiply(c, multiply(d, d))))
MNEME_OPERATION(ProductByRoot, 4, divide(multiply(a, b), add(squareRoot(c), d)))
MNEME_OPERATION(Erf, 1, erf(a))
MNEME_OPERATION(Expm1, 1, expm1(a))
MNEME_OPERATION(Log1p, 1, log1p(a))
#undef MNEME_OPERATION

// Operand number `operand` of an instruction: `fixed` where it is uniform or not there at all.
template <typename Operation, unsigned uniform, int operand>
MNEME_INLINE Vector take(const float* source, int64_t i, Vector fixed) noexcept {
  if constexpr (operand >= Operation::arity || (uniform >> operand & 1)) return fixed;
  else return load(source + i);
}
template <typename Operation, unsigned uniform, int operand>
MNEME_INLINE Vector takeFirst(const float* source, int64_t i, int count, Vector fixed) noexcept {
  if constexpr (operand >= Operation::arity || (uniform >> operand & 1)) return fixed;
  else return loadFirst(source + i, count);
}
template <typename Operation, unsigned uniform, int operand>
MNEME_INLINE Vector fix(const float* source) noexcept {
  if constexpr (operand < Operation::arity && (uniform >> operand & 1)) return broadcast(*source);
  else return zero();
}

// Bit i of `uniform`: operand i is one float. All operands are read before an element is written.
template <typename Operation, unsigned uniform>
void apply(float* destination, const float* a, const float* b, const float* c, const float* d, int64_t count) noexcept {
  const Vector fixedA = fix<Operation, uniform, 0>(a), fixedB = fix<Operation, uniform, 1>(b);
  const Vector fixedC = fix<Operation, uniform, 2>(c), fixedD = fix<Operation, uniform, 3>(d);
  int64_t i = 0;
// Unrolled, Adam's five instructions take 0.25 ns an element instead of 0.31.
#pragma GCC unroll 4
  for (; i + Vector::width <= count; i += Vector::width) {
    store(destination + i,
          Operation::of(take<Operation, uniform, 0>(a, i, fixedA), take<Operation, uniform, 1>(b, i, fixedB),
                        take<Operation, uniform, 2>(c, i, fixedC), take<Operation, uniform, 3>(d, i, fixedD)));
  }
  if (i == count) return;
  const int left = static_cast<int>(count - i);
  storeFirst(destination + i,
             Operation::of(takeFirst<Operation, uniform, 0>(a, i, left, fixedA), takeFirst<Operation, uniform, 1>(b, i, left, fixedB),
                           takeFirst<Operation, uniform, 2>(c, i, left, fixedC), takeFirst<Operation, uniform, 3>(d, i, left, fixedD)),
             left);
}

}  // namespace operation

// Of one opcode: how many operands it has (0: no such opcode), and its loop for every set of uniform operands.
struct OpcodeEntry {
  int arity = 0;
  Apply apply[1 << maximumOperandsOfInstruction] = {};
};
struct OpcodeTable {
  OpcodeEntry entries[opcodes];
};

template <typename Operation, std::size_t... uniform>
constexpr OpcodeEntry opcodeEntry(std::index_sequence<uniform...>) {
  OpcodeEntry entry;
  entry.arity = Operation::arity;
  ((entry.apply[uniform] = operation::apply<Operation, static_cast<unsigned>(uniform)>), ...);
  return entry;
}
template <typename Operation>
constexpr OpcodeEntry opcodeEntry() {
  return opcodeEntry<Operation>(std::make_index_sequence<std::size_t{1} << Operation::arity>{});
}

// By the numbers of docs/architecture.md.
inline constexpr OpcodeTable opcodeTable = [] {
  using namespace operation;
  OpcodeTable table;
  OpcodeEntry* entries = table.entries;
  entries[0] = opcodeEntry<Copy>();
  entries[1] = opcodeEntry<Negate>();
  entries[2] = opcodeEntry<Absolute>();
  entries[3] = opcodeEntry<Exp>();
  entries[4] = opcodeEntry<Log>();
  entries[5] = opcodeEntry<SquareRoot>();
  entries[6] = opcodeEntry<Tanh>();
  entries[7] = opcodeEntry<Sigmoid>();
  entries[8] = opcodeEntry<Sign>();
  entries[9] = opcodeEntry<Floor>();
  entries[10] = opcodeEntry<Add>();
  entries[11] = opcodeEntry<Subtract>();
  entries[12] = opcodeEntry<Multiply>();
  entries[13] = opcodeEntry<Divide>();
  entries[14] = opcodeEntry<Minimum>();
  entries[15] = opcodeEntry<Maximum>();
  entries[16] = opcodeEntry<Less>();
  entries[17] = opcodeEntry<LessOrEqual>();
  entries[18] = opcodeEntry<Equal>();
  entries[20] = opcodeEntry<Select>();
  entries[21] = opcodeEntry<MultiplyAdd>();
  entries[22] = opcodeEntry<MultiplySubtract>();
  entries[23] = opcodeEntry<SubtractProduct>();
  entries[24] = opcodeEntry<SumOfProducts>();
  entries[25] = opcodeEntry<DivideByRoot>();
  entries[26] = opcodeEntry<Erf>();
  entries[27] = opcodeEntry<Expm1>();
  entries[28] = opcodeEntry<Log1p>();
  entries[29] = opcodeEntry<SumWithSquare>();
  entries[30] = opcodeEntry<ProductByRoot>();
  return table;
}();

}  // namespace mneme::MNEME_TARGET_NAMESPACE
