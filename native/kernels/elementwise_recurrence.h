// What elementwiseRecurrence and its gradient have in common: operands, the lanes of each member, and how a step's
// operands are brought before the expression.
//
// A lane is one unit of one row: lanes do not know each other, so members share out lanes and each runs through time on
// its own. Time is the outer loop, so that memory is read from its beginning to its end; the states of a step are still
// in the cache at the next one. To be included inside a target region.
#pragma once

#include <cstring>

#include "kernels/elementwise_cells.h"
#include "kernels/expression.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

constexpr int32_t mostStates = 2;

// Operands that come first in both operations.
enum RecurrenceInput : int { sequencesInput = 0, initialInput = 1, keepInput = 3, lengthsInput = 4 };

enum class Keep : int32_t { none, number, perRow, perUnit };

struct Recurrence {
  int64_t time = 0, batch = 0, units = 0;
  int32_t states = 0;     // 1 or 2
  int32_t sequences = 0;  // side by side in input 0
  int32_t perUnit = 0;    // values [units]
  int32_t firstPerUnit = 0;  // the input where they begin
  Keep keep = Keep::none;
  ElementwiseCell cell = ElementwiseCell::code;
  Expression code;

  int64_t lanes() const noexcept { return batch * units; }
  // Variables of the expression, in this order.
  int32_t perUnitVariable() const noexcept { return sequences; }
  int32_t keepVariable() const noexcept { return sequences + perUnit; }
  int32_t stateVariable() const noexcept { return keepVariable() + (keep == Keep::none ? 0 : 1); }
  int32_t gradientVariable() const noexcept { return stateVariable() + states; }
};

// What both verify: the words, and the operands that come first. `firstPerUnit`: how many inputs come before the values.
inline void verifyRecurrence(Check& check, const Signature& signature, int32_t firstPerUnit, Recurrence* recurrence) noexcept {
  check.that(signature.words.size > 3, "the expression is missing");
  check.that(signature.inputs.size >= firstPerUnit, "%lld inputs where at least %d belong", static_cast<long long>(signature.inputs.size), firstPerUnit);
  check.input(sequencesInput, Dtype::f32);
  for (int state = 0; state < mostStates; ++state) check.optionalInput(initialInput + state, Dtype::f32);
  check.optionalInput(keepInput, Dtype::f32).optionalInput(lengthsInput, Dtype::i32);
  if (check.failed()) return;
  const int32_t states = signature.words[0], sequences = signature.words[1], cell = signature.words[2];
  check.that(states == 1 || states == 2, "%d states, expected 1 or 2", states);
  const OperandType& x = signature.inputs[sequencesInput];
  check.that(x.rank == 3, "the sequences have the rank %d, expected 3", x.rank);
  check.that(sequences >= 1 && sequences <= maximumExpressionInputs && x.columns() % sequences == 0, "%d sequences in %lld columns", sequences,
             static_cast<long long>(x.columns()));
  check.that(signature.inputs.size - firstPerUnit <= maximumExpressionInputs, "too many inputs");
  int64_t taken = 0;
  check.keep(verifyExpression({signature.words.data + 3, signature.words.size - 3}, &recurrence->code, &taken));
  check.that(taken == signature.words.size - 3, "words follow the expression");
  if (check.failed()) return;
  recurrence->time = x.shape[0];
  recurrence->batch = x.shape[1];
  recurrence->units = x.shape[2] / sequences;
  recurrence->states = states;
  recurrence->sequences = sequences;
  recurrence->firstPerUnit = firstPerUnit;
  recurrence->perUnit = static_cast<int32_t>(signature.inputs.size) - firstPerUnit;
  for (int64_t input = firstPerUnit; input < signature.inputs.size; ++input) check.input(input, Dtype::f32);
  if (check.failed()) return;
  for (int64_t input = firstPerUnit; input < signature.inputs.size; ++input) {
    const OperandType& value = signature.inputs[input];
    check.that(value.rank == 1 && value.shape[0] == recurrence->units, "input %lld is not one number a unit", static_cast<long long>(input));
  }
  const OperandType& keep = signature.inputs[keepInput];
  if (keep.present) {
    const bool number = keep.rank == 1 && keep.shape[0] == 1;
    const bool perRow = keep.rank == 2 && keep.shape[0] == x.shape[0] && keep.shape[1] == x.shape[1];
    const bool perUnit = keep.rank == 3 && keep.shape[0] == x.shape[0] && keep.shape[1] == x.shape[1] && keep.shape[2] == recurrence->units;
    check.that(number || perRow || perUnit, "keep is neither a number nor one a row nor one a unit");
    recurrence->keep = number ? Keep::number : perRow ? Keep::perRow : Keep::perUnit;
  }
  const bool fitsMinGru = states == 1 && sequences == 2 && recurrence->perUnit == 0 && recurrence->keep == Keep::none;
  check.that(cell == 0 || (cell == 1 && fitsMinGru), "no cell of these operands has the number %d", cell);
  recurrence->cell = static_cast<ElementwiseCell>(cell);
  const OperandType& lengths = signature.inputs[lengthsInput];
  check.that(!lengths.present || (lengths.rank == 1 && lengths.shape[0] == x.shape[1]), "the lengths are not one a row");
}

// An operand [B, H], or [T, B, H] with `sequence`, where it is there. The second state's belongs only where there are two.
inline void checkState(Check& check, const Recurrence& recurrence, const OperandType& type, int32_t state, bool sequence, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(state < recurrence.states, "%s of a second state, where there is one", name);
  const int32_t rank = sequence ? 3 : 2;
  const bool fits = type.rank == rank && type.shape[rank - 1] == recurrence.units && type.shape[rank - 2] == recurrence.batch &&
                    (!sequence || type.shape[0] == recurrence.time);
  check.that(fits, "%s of state %d has another shape than the states", name, state + 1);
}

// The same of operands that were verified.
inline Recurrence viewRecurrence(const Signature& signature, int32_t firstPerUnit) noexcept {
  Recurrence recurrence;
  Check check(signature, -1, -1, -1);
  verifyRecurrence(check, signature, firstPerUnit, &recurrence);
  return recurrence;
}

// Each from 0 to the number of steps, and not growing.
inline Status checkSorted(const Recurrence& recurrence, const int32_t* lengths) noexcept {
  if (lengths == nullptr) return Status::ok();
  for (int64_t row = 1; row < recurrence.batch; ++row) {
    if (lengths[row] > lengths[row - 1])
      return Status::error(Code::outOfRange, "row %lld is longer than the one before; sort them first", static_cast<long long>(row));
  }
  return checkLengths(lengths, recurrence.batch, recurrence.time);
}

// How many rows live in step t, from how many do in a step next to it.
inline int64_t livingRows(const Recurrence& recurrence, const int32_t* lengths, int64_t t, int64_t rows) noexcept {
  if (lengths == nullptr) return recurrence.batch;
  while (rows > 0 && lengths[rows - 1] <= t) --rows;
  while (rows < recurrence.batch && lengths[rows] > t) ++rows;
  return rows;
}

// The lanes of one member: as many steps of lanes as the others have, cut at multiples of 16 where that can be.
inline Share shareLanes(const Recurrence& recurrence, const int32_t* lengths, const Crew& crew) noexcept {
  if (lengths == nullptr) return crew.share(recurrence.lanes(), 16);
  int64_t steps = 0;
  for (int64_t row = 0; row < recurrence.batch; ++row) steps += lengths[row];
  const auto boundary = [&](int64_t member) {
    const int64_t wanted = steps * recurrence.units * member / crew.members;
    int64_t before = 0, row = 0;
    if (member == 0) return int64_t{0};
    if (member == crew.members) return recurrence.lanes();
    while (row < recurrence.batch && before + lengths[row] * recurrence.units <= wanted) before += lengths[row++] * recurrence.units;
    if (row == recurrence.batch || lengths[row] == 0) return row * recurrence.units;
    return row * recurrence.units + (wanted - before) / lengths[row] / 16 * 16;
  };
  return {boundary(crew.member), boundary(crew.member + 1)};
}

// Lanes [lane, lane + count), which begin at that row and unit.
struct LaneBlock {
  int64_t lane, count, row, unit;
};

// Where rows are at least so long, a block stays within one and its sequences are read where they lie; shorter rows are gathered
// to blocks, for an instruction of an expression costs some nanoseconds a block.
constexpr int64_t directUnits = 128;

// Calls work(block) for blocks of at most blockElements that cover [begin, end).
template <typename Work>
MNEME_INLINE void eachLaneBlock(const Recurrence& recurrence, int64_t begin, int64_t end, Work&& work) noexcept {
  if (begin >= end) return;
  const bool withinRow = recurrence.units >= directUnits;
  LaneBlock block = {begin, 0, begin / recurrence.units, begin % recurrence.units};
  while (block.lane < end) {
    block.count = end - block.lane < blockElements ? end - block.lane : blockElements;
    if (withinRow && block.count > recurrence.units - block.unit) block.count = recurrence.units - block.unit;
    work(static_cast<const LaneBlock&>(block));
    block.lane += block.count;
    for (block.unit += block.count; block.unit >= recurrence.units; block.unit -= recurrence.units) ++block.row;
  }
}

// Calls work(offset in the block, row, unit, count) for the part of each row.
template <typename Work>
MNEME_INLINE void eachRowOf(const LaneBlock& block, int64_t units, Work&& work) noexcept {
  int64_t row = block.row, unit = block.unit;
  for (int64_t offset = 0; offset < block.count; ++row, unit = 0) {
    const int64_t left = block.count - offset, count = left < units - unit ? left : units - unit;
    work(offset, row, unit, count);
    offset += count;
  }
}

// How many steps ahead memory is asked for.
constexpr int64_t stepsAhead = 4;

MNEME_INLINE void prefetchLanes(const float* data, int64_t count) noexcept {
  for (int64_t lane = 0; lane < count; lane += 16) prefetch(data + lane);
}

// Brings what a block of one step reads, but for states, before the expression. One a member.
class StepReader {
 public:
  // Floats of memory for gathering: one block for each sequence, and one for keep.
  static int64_t floats(const Recurrence& recurrence) noexcept { return (recurrence.sequences + 1) * blockElements; }

  // `perUnit`: the values, repeated for every lane, one array after another.
  StepReader(const Call& call, const Recurrence& recurrence, const float* perUnit, float* memory) noexcept
      : recurrence_(recurrence), x_(call.input(sequencesInput)), keep_(call.input(keepInput)), perUnit_(perUnit), memory_(memory),
        direct_(recurrence.sequences == 1 || recurrence.units >= directUnits) {
    for (const float*& scalar : scalars_) scalar = nullptr;
    if (recurrence.keep == Keep::number) scalars_[recurrence.keepVariable()] = keep_;
  }

  const float* const* scalars() const noexcept { return scalars_; }
  // Whether sequences are read where they lie.
  bool isDirect() const noexcept { return direct_; }

  // Asks for the sequences of a block at another step. Of a step with few lanes each row is a short piece of memory of its own,
  // at which the prefetchers of the processor start anew.
  MNEME_INLINE void prefetchStep(int64_t t, const LaneBlock& block) const noexcept {
    if (!direct_ || t < 0 || t >= recurrence_.time) return;
    const int64_t units = recurrence_.units, sequences = recurrence_.sequences;
    const float* x = x_ + (t * recurrence_.batch + block.row) * sequences * units + block.unit;
    for (int64_t i = 0; i < sequences; ++i) prefetchLanes(x + i * units, block.count);
  }

  MNEME_INLINE void read(int64_t t, const LaneBlock& block, const float** inputs) const noexcept {
    const int64_t units = recurrence_.units, sequences = recurrence_.sequences, firstRow = t * recurrence_.batch;
    if (direct_) {
      const float* x = x_ + (firstRow + block.row) * sequences * units + block.unit;
      for (int64_t i = 0; i < sequences; ++i) inputs[i] = x + i * units;
    } else {
      for (int64_t i = 0; i < sequences; ++i) inputs[i] = memory_ + i * blockElements;
      eachRowOf(block, units, [&](int64_t offset, int64_t row, int64_t unit, int64_t count) {
        for (int64_t i = 0; i < sequences; ++i)
          std::memcpy(memory_ + i * blockElements + offset, x_ + ((firstRow + row) * sequences + i) * units + unit,
                      static_cast<std::size_t>(count) * sizeof(float));
      });
    }
    for (int32_t i = 0; i < recurrence_.perUnit; ++i) inputs[recurrence_.perUnitVariable() + i] = perUnit_ + i * recurrence_.lanes() + block.lane;
    if (recurrence_.keep == Keep::perUnit) inputs[recurrence_.keepVariable()] = keep_ + t * recurrence_.lanes() + block.lane;
    if (recurrence_.keep == Keep::perRow) {
      float* keep = memory_ + sequences * blockElements;
      inputs[recurrence_.keepVariable()] = keep;
      eachRowOf(block, units, [&](int64_t offset, int64_t row, int64_t, int64_t count) {
        for (int64_t lane = 0; lane < count; ++lane) keep[offset + lane] = keep_[firstRow + row];
      });
    }
  }

 private:
  const Recurrence& recurrence_;
  const float* x_;
  const float* keep_;
  const float* perUnit_;
  float* memory_;
  bool direct_;
  const float* scalars_[maximumExpressionInputs];
};

// The values [units] for each lane of a member.
inline void repeatPerUnit(const Call& call, const Recurrence& recurrence, const Share& share, float* perUnit) noexcept {
  for (int32_t i = 0; i < recurrence.perUnit; ++i) {
    const float* value = call.input(recurrence.firstPerUnit + i);
    float* repeated = perUnit + i * recurrence.lanes();
    for (int64_t lane = share.begin; lane < share.end;) {
      const int64_t unit = lane % recurrence.units, left = share.end - lane;
      const int64_t count = left < recurrence.units - unit ? left : recurrence.units - unit;
      std::memcpy(repeated + lane, value + unit, static_cast<std::size_t>(count) * sizeof(float));
      lane += count;
    }
  }
}

MNEME_INLINE void setZero(float* data, int64_t count) noexcept {
  if (count > 0) std::memset(data, 0, static_cast<std::size_t>(count) * sizeof(float));
}
inline void copyOrZero(float* to, const float* from, int64_t begin, int64_t end) noexcept {
  if (from == nullptr) return setZero(to + begin, end - begin);
  if (begin < end) std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(float));
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
