// elementwiseRecurrence: states s(t) = f(x1(t), ..., xn(t), values, keep(t), s(t-1)), unit by unit.
//
//   inputs   x [T,B,n*H]: n sequences side by side, initial1? [B,H], initial2? [B,H] (zeros if absent), keep? ([1], [T,B] or
//            [T,B,H]), lengths? [B] i32 that do not grow, m values [H]
//   outputs  states1 [T,B,H], states2? [T,B,H] (where there are two), final1? [B,H], final2? [B,H]
//   words    states (1 or 2), n, cell (0: the expression; 1: minGRU, see elementwise_cells.h), expression code of (x1..xn, m values, keep if there is one, old states) to the new states
//
// Row b lives in the steps t < lengths[b]: afterwards its states are 0 and nothing of it is read; its final states are those
// of its last step, or the initial ones where there is none.
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

constexpr int32_t fixedInputs = 5;

enum Output : int { statesOutput = 0, finalOutput = 2, outputCount = 4 };

// What one member works with; the first two belong to all.
struct Pieces {
  float* zeros;    // one block: the initial states that were not given
  float* perUnit;  // values, for every lane
  void* evaluator;
  float* gathered;
};

Pieces piecesOf(const Recurrence& recurrence, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  Pieces pieces{};
  pieces.zeros = layout.take<float>(blockElements);
  pieces.perUnit = layout.take<float>(recurrence.perUnit * recurrence.lanes());
  for (int before = 0; before <= member; ++before) {
    pieces.evaluator = layout.take<char>(evaluatorBytes(recurrence.code));
    pieces.gathered = layout.take<float>(StepReader::floats(recurrence));
  }
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, outputCount, -1);
  Recurrence recurrence;
  verifyRecurrence(check, signature, fixedInputs, &recurrence);
  for (int32_t state = 0; state < mostStates && !check.failed(); ++state) {
    checkState(check, recurrence, signature.inputs[initialInput + state], state, false, "an initial state");
    if (state < recurrence.states) check.output(statesOutput + state, Dtype::f32);
    check.optionalOutput(finalOutput + state, Dtype::f32);
    checkState(check, recurrence, signature.outputs[statesOutput + state], state, true, "the sequence");
    checkState(check, recurrence, signature.outputs[finalOutput + state], state, false, "a final state");
  }
  if (check.failed()) return check.status();
  check.that(recurrence.code.inputs == recurrence.gradientVariable(), "an expression of %d where there are %d", recurrence.code.inputs,
             recurrence.gradientVariable());
  check.that(recurrence.code.outputs == recurrence.states, "%d results for %d states", recurrence.code.outputs, recurrence.states);
  if (check.failed()) return check.status();
  piecesOf(recurrence, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

void runLanes(const Call& call, const Recurrence& recurrence, const Crew& crew) noexcept {
  const int32_t* lengths = call.inputIds(lengthsInput);
  const int32_t states = recurrence.states;
  const int64_t lanes = recurrence.lanes();
  const Share share = shareLanes(recurrence, lengths, crew);
  const Pieces pieces = piecesOf(recurrence, crew.member, call.workspace, nullptr);
  if (crew.member == 0) setZero(pieces.zeros, blockElements);
  repeatPerUnit(call, recurrence, share, pieces.perUnit);
  crew.barrier();
  const StepReader reader(call, recurrence, pieces.perUnit, pieces.gathered);
  const uint64_t sharing[mostStates] = {0, 0};  // states are written where nothing is read
  Evaluator& evaluator = *buildEvaluator(recurrence.code, pieces.evaluator, {reader.scalars(), sharing});

  const float* inputs[maximumExpressionInputs];
  float* outputs[mostStates];
  const float** old = inputs + recurrence.stateVariable();
  int64_t rows = recurrence.batch;
  for (int64_t t = 0; t < recurrence.time && !call.team->stopping(); ++t) {
    rows = livingRows(recurrence, lengths, t, rows);
    const int64_t living = rows * recurrence.units, end = living < share.end ? living : share.end;
    eachLaneBlock(recurrence, share.begin, end, [&](const LaneBlock& block) {
      reader.prefetchStep(t + stepsAhead, block);
      reader.read(t, block, inputs);
      for (int32_t state = 0; state < states; ++state) {
        const float* initial = call.input(initialInput + state);
        float* sequence = call.output(statesOutput + state) + block.lane;
        old[state] = t > 0 ? sequence + (t - 1) * lanes : initial != nullptr ? initial + block.lane : pieces.zeros;
        outputs[state] = sequence + t * lanes;
      }
      if (recurrence.cell == ElementwiseCell::minGru) forwardStep<MinGru>(inputs, outputs, block.count);
      else evaluate(evaluator, inputs, outputs, block.count);
    });
    const int64_t dead = end > share.begin ? end : share.begin;
    for (int32_t state = 0; state < states; ++state) setZero(call.output(statesOutput + state) + t * lanes + dead, share.end - dead);
  }
  for (int32_t state = 0; state < states; ++state) {
    if (call.output(finalOutput + state) == nullptr) continue;
    eachLaneBlock(recurrence, share.begin, share.end, [&](const LaneBlock& block) {
      eachRowOf(block, recurrence.units, [&](int64_t offset, int64_t row, int64_t, int64_t count) {
        const int64_t length = lengths == nullptr ? recurrence.time : lengths[row];
        const float* last = length > 0 ? call.output(statesOutput + state) + (length - 1) * lanes : call.input(initialInput + state);
        copyOrZero(call.output(finalOutput + state), last, block.lane + offset, block.lane + offset + count);
      });
    });
  }
}

Status run(const Call& call) noexcept {
  const Recurrence recurrence = viewRecurrence(*call.signature, fixedInputs);
  const Status status = checkSorted(recurrence, call.inputIds(lengthsInput));
  if (!status.isOk()) return status;
  // As in map: an instruction and an operand in memory take about .05 ns an element each.
  const double perLane = 0.05 * (recurrence.code.instructions + recurrence.code.inputs + recurrence.code.outputs);
  shareWork(*call.team, perLane * static_cast<double>(recurrence.time * recurrence.lanes()),
            [&](const Crew& crew) { runLanes(call, recurrence, crew); });
  if (call.team->stopping()) return Status::error(Code::stopped, "the stream was stopped");
  return Status::ok();
}

}  // namespace

extern const Kernel elementwiseRecurrence;
const Kernel elementwiseRecurrence = {"elementwiseRecurrence", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
