// Inputs of a shape smaller than the outputs', presented block by block as if they had it.
//
// A block is up to 512 consecutive elements of the outputs. For each input this gives a pointer to as many floats: into the
// input itself where it has the full shape; into a pattern that repeats it where it is [columns]; into a row of repeated
// values where it has the leading axes only. No element costs a division. To be included inside a target region.
#pragma once

#include "kernels/expression.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

enum class Spread : int32_t { full, scalar, columns, rows };

// How an input of type `type` fits outputs of the shape of `whole`; refuses what does not.
Status spreadOf(const OperandType& type, const OperandType& whole, int64_t index, Spread* spread) noexcept;

// Floats that a BlockReader needs for an input.
int64_t spreadFloats(Spread spread, int64_t columns) noexcept;

// Of one member of the team.
class BlockReader {
 public:
  // `scratch`: the sum of spreadFloats over the inputs. Spreads that were verified.
  BlockReader(const Call& call, const OperandType& whole, float* scratch) noexcept;

  // The scalar inputs' addresses, null for the others.
  const float* const* scalars() const noexcept { return scalars_; }
  Spread spread(int64_t input) const noexcept { return spreads_[input]; }
  // Pointers to elements [start, start + count) of every input but scalars; valid until the next call.
  const float* const* read(int64_t start, int64_t count) noexcept;

 private:
  void prepareColumns(int64_t input) noexcept;

  int64_t inputs_, columns_;
  int64_t full_ = 0;
  bool direct_ = true;  // no input is spread over columns or rows
  Spread spreads_[maximumExpressionInputs];
  int32_t fullInputs_[maximumExpressionInputs];  // those of the full shape
  const float* data_[maximumExpressionInputs];
  float* scratch_[maximumExpressionInputs];
  const float* scalars_[maximumExpressionInputs];
  const float* pointers_[maximumExpressionInputs];
};

}  // namespace mneme::MNEME_TARGET_NAMESPACE
