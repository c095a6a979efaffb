// elementwiseRecurrenceGradient: backward through elementwiseRecurrence, from the states it gave.
//
//   inputs   x [T,B,n*H], initial1?, initial2? [B,H], keep?, lengths? [B] i32, states1, states2? [T,B,H], dStates1?, dStates2?
//            [T,B,H], dFinal1?, dFinal2? [B,H], m values [H]
//   outputs  dx [T,B,n*H] (may be x), dInitial1?, dInitial2? [B,H], m gradients [H]
//   words    states (1 or 2), n, cell, expression code of (x1..xn, m values, keep if there is one, old states, gradients of the new
//            states) to the gradients of x1..xn, of the m values and of the old states
//
// Nothing was kept but the states: what the expression needs of a step is computed again. The gradient of a value [H] is
// summed in each lane over the steps, last to first, in chunks of 256 steps; then over the rows as docs/architecture.md says.
#include <cstddef>

#include "kernels/kernel.h"
#include "kernels/lengths.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "simd/vector.h"
#include "kernels/elementwise_recurrence.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

enum Input : int { statesInput = 5, dStatesInput = 7, dFinalInput = 9, fixedInputs = 11 };
enum Output : int { dSequencesOutput = 0, dInitialOutput = 1, dPerUnitOutput = 3 };

constexpr int64_t chunkSteps = 256;
constexpr int64_t chunkRows = 256;

// What one member works with; the first belong to all.
struct Pieces {
  float* zeros;      // one block: initial states that were not given
  float* perUnit;    // values, for every lane
  float* dStates;    // what flows into the states of the step at hand, for every lane, one state after the other
  float* dPerUnit;   // sums over the steps so far, for every lane, one value after the other
  float* chunk;      // the same of the chunk at hand
  void* evaluator;
  float* gathered;
  float* dSequences; // a block of each, where they are not written in their place
  float* step;       // a block of the gradient of each value
};

Pieces piecesOf(const Recurrence& recurrence, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  Pieces pieces{};
  const int64_t lanes = recurrence.lanes();
  pieces.zeros = layout.take<float>(blockElements);
  pieces.perUnit = layout.take<float>(recurrence.perUnit * lanes);
  pieces.dStates = layout.take<float>(recurrence.states * lanes);
  pieces.dPerUnit = layout.take<float>(recurrence.perUnit * lanes);
  pieces.chunk = layout.take<float>(recurrence.perUnit * lanes);
  for (int before = 0; before <= member; ++before) {
    pieces.evaluator = layout.take<char>(evaluatorBytes(recurrence.code));
    pieces.gathered = layout.take<float>(StepReader::floats(recurrence));
    pieces.dSequences = layout.take<float>(recurrence.sequences * blockElements);
    pieces.step = layout.take<float>(recurrence.perUnit * blockElements);
  }
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, -1, -1);
  Recurrence recurrence;
  verifyRecurrence(check, signature, fixedInputs, &recurrence);
  if (check.failed()) return check.status();
  check.that(signature.outputs.size == dPerUnitOutput + recurrence.perUnit, "%lld outputs where %d belong",
             static_cast<long long>(signature.outputs.size), dPerUnitOutput + recurrence.perUnit);
  check.output(dSequencesOutput, Dtype::f32);
  for (int32_t state = 0; state < mostStates && !check.failed(); ++state) {
    if (state < recurrence.states) check.input(statesInput + state, Dtype::f32);
    check.optionalInput(dStatesInput + state, Dtype::f32).optionalInput(dFinalInput + state, Dtype::f32);
    check.optionalOutput(dInitialOutput + state, Dtype::f32);
    if (check.failed()) break;
    checkState(check, recurrence, signature.inputs[initialInput + state], state, false, "an initial state");
    checkState(check, recurrence, signature.inputs[statesInput + state], state, true, "the sequence");
    checkState(check, recurrence, signature.inputs[dStatesInput + state], state, true, "the gradient");
    checkState(check, recurrence, signature.inputs[dFinalInput + state], state, false, "a final gradient");
    checkState(check, recurrence, signature.outputs[dInitialOutput + state], state, false, "an initial gradient");
  }
  for (int32_t value = 0; value < recurrence.perUnit && !check.failed(); ++value) {
    check.output(dPerUnitOutput + value, Dtype::f32);
    if (check.failed()) break;
    const OperandType& type = signature.outputs[dPerUnitOutput + value];
    check.that(type.rank == 1 && type.shape[0] == recurrence.units, "the gradient of value %d is not one number a unit", value);
  }
  if (check.failed()) return check.status();
  check.that(sameShape(signature.outputs[dSequencesOutput], signature.inputs[sequencesInput]), "dx has another shape than x");
  const int32_t variables = recurrence.gradientVariable() + recurrence.states;
  const int32_t results = recurrence.sequences + recurrence.perUnit + recurrence.states;
  check.that(recurrence.code.inputs == variables, "an expression of %d where there are %d", recurrence.code.inputs, variables);
  check.that(recurrence.code.outputs == results, "%d results where there are %d", recurrence.code.outputs, results);
  if (check.failed()) return check.status();
  piecesOf(recurrence, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

MNEME_INLINE void addTo(float* sum, const float* term, int64_t count) noexcept {
  int64_t i = 0;
  for (; i + Vector::width <= count; i += Vector::width) store(sum + i, add(load(sum + i), load(term + i)));
  const int left = static_cast<int>(count - i);
  if (left > 0) storeFirst(sum + i, add(loadFirst(sum + i, left), loadFirst(term + i, left)), left);
}

// The lanes of one member, from the last step to the first.
class Lanes {
 public:
  Lanes(const Call& call, const Recurrence& recurrence, const Crew& crew) noexcept
      : call_(call), recurrence_(recurrence), lengths_(call.inputIds(lengthsInput)), lanes_(recurrence.lanes()),
        share_(shareLanes(recurrence, lengths_, crew)), pieces_(piecesOf(recurrence, crew.member, call.workspace, nullptr)),
        reader_(call, recurrence, pieces_.perUnit, pieces_.gathered) {
    if (crew.member == 0) setZero(pieces_.zeros, blockElements);
    repeatPerUnit(call, recurrence, share_, pieces_.perUnit);
    for (int32_t state = 0; state < recurrence.states; ++state)
      copyOrZero(pieces_.dStates + state * lanes_, call.input(dFinalInput + state), share_.begin, share_.end);
    for (int32_t value = 0; value < recurrence.perUnit; ++value) {
      copyOrZero(pieces_.dPerUnit + value * lanes_, nullptr, share_.begin, share_.end);
      copyOrZero(pieces_.chunk + value * lanes_, nullptr, share_.begin, share_.end);
    }
    // Gradients of sequences may lie in the sequences, those of old states always do in those of the new ones.
    const bool inPlace = call.inputs[sequencesInput] == call.outputs[dSequencesOutput];
    uint64_t sharing[maximumExpressionOutputs] = {0};
    for (int32_t i = 0; i < recurrence.sequences; ++i) sharing[i] = inPlace ? uint64_t{1} << i : 0;
    for (int32_t state = 0; state < recurrence.states; ++state)
      sharing[recurrence.sequences + recurrence.perUnit + state] = uint64_t{1} << (recurrence.gradientVariable() + state);
    evaluator_ = buildEvaluator(recurrence.code, pieces_.evaluator, {reader_.scalars(), sharing});
  }

  void run() noexcept {
    int64_t rows = 0;
    for (int64_t t = recurrence_.time - 1; t >= 0 && !call_.team->stopping(); --t) {
      rows = livingRows(recurrence_, lengths_, t, rows);
      const int64_t living = rows * recurrence_.units, end = living < share_.end ? living : share_.end;
      eachLaneBlock(recurrence_, share_.begin, end, [&](const LaneBlock& block) { step(t, block); });
      if (end < share_.end) clear(t, end > share_.begin ? end : share_.begin);
      if (t % chunkSteps == 0) closeChunk();
    }
    for (int32_t state = 0; state < recurrence_.states; ++state) {
      float* dInitial = call_.output(dInitialOutput + state);
      if (dInitial != nullptr) copyOrZero(dInitial, pieces_.dStates + state * lanes_, share_.begin, share_.end);
    }
  }

 private:
  MNEME_INLINE void step(int64_t t, const LaneBlock& block) noexcept {
    const int32_t sequences = recurrence_.sequences, perUnit = recurrence_.perUnit, states = recurrence_.states;
    const float* inputs[maximumExpressionInputs];
    float* outputs[maximumExpressionOutputs];
    prefetchStep(t - stepsAhead, block);
    reader_.read(t, block, inputs);
    for (int32_t state = 0; state < states; ++state) {
      const float* initial = call_.input(initialInput + state);
      inputs[recurrence_.stateVariable() + state] =
          t > 0 ? call_.input(statesInput + state) + (t - 1) * lanes_ + block.lane : initial != nullptr ? initial + block.lane : pieces_.zeros;
      float* dState = pieces_.dStates + state * lanes_ + block.lane;
      const float* dSequence = call_.input(dStatesInput + state);
      if (dSequence != nullptr) addTo(dState, dSequence + t * lanes_ + block.lane, block.count);
      inputs[recurrence_.gradientVariable() + state] = dState;
      outputs[sequences + perUnit + state] = dState;
    }
    float* dx = call_.output(dSequencesOutput);
    const int64_t units = recurrence_.units, firstRow = t * recurrence_.batch;
    for (int32_t i = 0; i < sequences; ++i) {
      outputs[i] = reader_.isDirect() ? dx + ((firstRow + block.row) * sequences + i) * units + block.unit : pieces_.dSequences + i * blockElements;
    }
    for (int32_t value = 0; value < perUnit; ++value) outputs[sequences + value] = pieces_.step + value * blockElements;
    if (recurrence_.cell == ElementwiseCell::minGru) backwardStep<MinGru>(inputs, outputs, block.count);
    else evaluate(*evaluator_, inputs, outputs, block.count);
    for (int32_t value = 0; value < perUnit; ++value)
      addTo(pieces_.chunk + value * lanes_ + block.lane, pieces_.step + value * blockElements, block.count);
    if (reader_.isDirect()) return;
    eachRowOf(block, units, [&](int64_t offset, int64_t row, int64_t unit, int64_t count) {
      for (int32_t i = 0; i < sequences; ++i)
        std::memcpy(dx + ((firstRow + row) * sequences + i) * units + unit, pieces_.dSequences + i * blockElements + offset,
                    static_cast<std::size_t>(count) * sizeof(float));
    });
  }

  MNEME_INLINE void prefetchStep(int64_t t, const LaneBlock& block) const noexcept {
    if (t < 1) return;
    reader_.prefetchStep(t, block);
    for (int32_t state = 0; state < recurrence_.states; ++state) {
      prefetchLanes(call_.input(statesInput + state) + (t - 1) * lanes_ + block.lane, block.count);
      const float* dSequence = call_.input(dStatesInput + state);
      if (dSequence != nullptr) prefetchLanes(dSequence + t * lanes_ + block.lane, block.count);
    }
  }

  // The sequences' gradients of lanes that do not live in step t, from lane `begin` on.
  void clear(int64_t t, int64_t begin) noexcept {
    const int64_t units = recurrence_.units, sequences = recurrence_.sequences;
    eachLaneBlock(recurrence_, begin, share_.end, [&](const LaneBlock& block) {
      eachRowOf(block, units, [&](int64_t, int64_t row, int64_t unit, int64_t count) {
        for (int64_t i = 0; i < sequences; ++i)
          setZero(call_.output(dSequencesOutput) + ((t * recurrence_.batch + row) * sequences + i) * units + unit, count);
      });
    });
  }

  void closeChunk() noexcept {
    for (int32_t value = 0; value < recurrence_.perUnit; ++value) {
      float* chunk = pieces_.chunk + value * lanes_ + share_.begin;
      addTo(pieces_.dPerUnit + value * lanes_ + share_.begin, chunk, share_.end - share_.begin);
      setZero(chunk, share_.end - share_.begin);
    }
  }

  const Call& call_;
  const Recurrence& recurrence_;
  const int32_t* lengths_;
  int64_t lanes_;
  Share share_;
  Pieces pieces_;
  StepReader reader_;
  Evaluator* evaluator_ = nullptr;
};

// The gradients of the values, from those of all lanes: over the rows in chunks, members share out units.
void sumOverRows(const Call& call, const Recurrence& recurrence, const Crew& crew) noexcept {
  const Share share = crew.share(recurrence.units, 16);
  const int64_t count = share.end - share.begin;
  const Pieces pieces = piecesOf(recurrence, crew.member, call.workspace, nullptr);
  for (int32_t value = 0; value < recurrence.perUnit; ++value) {
    const float* lanes = pieces.dPerUnit + value * recurrence.lanes() + share.begin;
    float* total = call.output(dPerUnitOutput + value) + share.begin;
    float* chunk = pieces.chunk + share.begin;  // no longer in use
    setZero(total, count);
    for (int64_t first = 0; first < recurrence.batch; first += chunkRows) {
      setZero(chunk, count);
      for (int64_t row = first; row < recurrence.batch && row < first + chunkRows; ++row) addTo(chunk, lanes + row * recurrence.units, count);
      addTo(total, chunk, count);
    }
  }
}

Status run(const Call& call) noexcept {
  const Recurrence recurrence = viewRecurrence(*call.signature, fixedInputs);
  const Status status = checkSorted(recurrence, call.inputIds(lengthsInput));
  if (!status.isOk()) return status;
  // As in map: an instruction and an operand in memory take about .05 ns an element each.
  const double perLane = 0.05 * (recurrence.code.instructions + recurrence.code.inputs + recurrence.code.outputs);
  shareWork(*call.team, perLane * static_cast<double>(recurrence.time * recurrence.lanes()), [&](const Crew& crew) {
    Lanes lanes(call, recurrence, crew);
    crew.barrier();  // zeros are there
    lanes.run();
    if (recurrence.perUnit == 0) return;
    crew.barrier();
    sumOverRows(call, recurrence, crew);
  });
  if (call.team->stopping()) return Status::error(Code::stopped, "the stream was stopped");
  return Status::ok();
}

}  // namespace

extern const Kernel elementwiseRecurrenceGradient;
const Kernel elementwiseRecurrenceGradient = {"elementwiseRecurrenceGradient", verify, nullptr, run, 0, 1};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
