// What verification asks of operands, told once: `Check` keeps the first thing that is wrong and its sentence.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>

#include "kernels/kernel.h"

namespace mneme {

// Above any memory; products of two such counts still fit an int64_t.
constexpr int64_t maximumCount = int64_t{1} << 31;

class Check {
 public:
  // The number of operands (absent ones count) and of attribute words; -1: any number, left to the caller.
  Check(const Signature& signature, int64_t inputs, int64_t outputs, int64_t words) noexcept : signature_(signature) {
    count("inputs", signature.inputs.size, inputs);
    count("outputs", signature.outputs.size, outputs);
    count("attribute words", signature.words.size, words);
    that(signature.threads >= 1, "%d threads", signature.threads);
  }

  bool failed() const noexcept { return !status_.isOk(); }
  const Status& status() const noexcept { return status_; }

  Check& input(int64_t index, Dtype dtype) noexcept { return operand("input", signature_.inputs, index, dtype); }
  Check& output(int64_t index, Dtype dtype) noexcept { return operand("output", signature_.outputs, index, dtype); }
  Check& optionalInput(int64_t index, Dtype dtype) noexcept {
    return failed() || !signature_.inputs[index].present ? *this : input(index, dtype);
  }
  Check& optionalOutput(int64_t index, Dtype dtype) noexcept {
    return failed() || !signature_.outputs[index].present ? *this : output(index, dtype);
  }
  // Of any dtype.
  Check& input(int64_t index) noexcept { return failed() ? *this : input(index, signature_.inputs[index].dtype); }
  Check& output(int64_t index) noexcept { return failed() ? *this : output(index, signature_.outputs[index].dtype); }

  __attribute__((format(printf, 3, 4)))
  Check& that(bool condition, const char* format, ...) noexcept {
    if (failed() || condition) return *this;
    char sentence[sizeof status_.message];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    status_ = Status::error(Code::invalidProgram, "%s", sentence);
    return *this;
  }

  Check& keep(const Status& status) noexcept {
    if (!failed()) status_ = status;
    return *this;
  }

 private:
  void count(const char* what, int64_t found, int64_t expected) noexcept {
    that(found >= 0 && (expected < 0 || found == expected), "%lld %s where %lld belong", static_cast<long long>(found), what,
         static_cast<long long>(expected));
  }

  Check& operand(const char* what, Span<const OperandType> operands, int64_t index, Dtype dtype) noexcept {
    if (failed()) return *this;
    const auto number = static_cast<long long>(index);
    if (index >= operands.size) return that(false, "%s %lld is missing", what, number);
    const OperandType& type = operands[index];
    if (!type.present) return that(false, "%s %lld is absent", what, number);
    if (type.dtype != Dtype::f32 && type.dtype != Dtype::i32) return that(false, "%s %lld has no dtype", what, number);
    if (type.dtype != dtype) return that(false, "%s %lld is not of dtype %s", what, number, dtype == Dtype::f32 ? "f32" : "i32");
    if (type.rank < 1 || type.rank > maximumRank) return that(false, "%s %lld has the rank %d", what, number, type.rank);
    int64_t product = 1;
    for (int32_t axis = 0; axis < type.rank; ++axis) {
      const int32_t extent = type.shape[axis];
      if (extent < 1) return that(false, "%s %lld: axis %d has the extent %d", what, number, axis, extent);
      product *= extent;
      if (product > maximumCount) return that(false, "%s %lld has too many elements", what, number);
    }
    return *this;
  }

  const Signature& signature_;
  Status status_;
};

inline bool sameShape(const OperandType& a, const OperandType& b) noexcept {
  if (a.rank != b.rank) return false;
  for (int32_t axis = 0; axis < a.rank; ++axis)
    if (a.shape[axis] != b.shape[axis]) return false;
  return true;
}

// `a` has the axes of `b` and then one more: [T, B, E] extends [T, B].
inline bool extends(const OperandType& a, const OperandType& b) noexcept {
  if (a.rank != b.rank + 1) return false;
  for (int32_t axis = 0; axis < b.rank; ++axis)
    if (a.shape[axis] != b.shape[axis]) return false;
  return true;
}

// Workspace cut into aligned pieces, the same way in `verify` (for the sum) and in `run` (for the addresses).
class Layout {
 public:
  explicit Layout(void* base = nullptr) noexcept : base_(static_cast<char*>(base)) {}
  template <typename Type>
  Type* take(int64_t count) noexcept {
    char* piece = base_ == nullptr ? nullptr : base_ + bytes_;
    bytes_ += (count * static_cast<int64_t>(sizeof(Type)) + 63) / 64 * 64;
    return reinterpret_cast<Type*>(piece);
  }
  int64_t bytes() const noexcept { return bytes_; }

 private:
  char* base_;
  int64_t bytes_ = 0;
};

}  // namespace mneme
