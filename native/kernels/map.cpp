// map: expressions over arrays, element by element.
//
//   inputs   n values f32: of the outputs' shape, or [1], or [columns] (the last axis), or the leading axes and a 1
//   outputs  m values f32 of one shape; with guard 2 the extremes [2m] f32 of the values, lowest and highest in turn;
//            with guard 1 or 2 a last one, finite [1] i32
//   words    guard (0, 1 or 2), expression code of n inputs and m results; with guard 2 of m + 1, the last one the proof
//
// With guard everything is first evaluated without touching the outputs; if any element of any output is not finite, they
// stay as they were and `finite` is 0 (the extremes are then undefined). Guard 2 leaves this first evaluation out where the
// proof, which may depend on scalars only, is not 0 or NaN: whoever wrote the program knows a bound of every result.
// An output may lie exactly on an input of its own shape.
#include <cmath>
#include <cstddef>
#include <cstring>

#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/are_finite.h"
#include "kernels/broadcast.h"
#include "kernels/expression.h"
#include "kernels/extremes.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

struct alignas(64) Flag {
  int32_t value;
};

// Data that outgrows the caches streams faster in small blocks: the prefetchers follow each array through shorter gaps (Adam
// over ten million parameters: 0.47 ns an element in blocks of 128, 1.07 in blocks of 512; in cache 0.34 and 0.25). Neither
// prefetching the next block by hand was faster than that, nor strips of 128 elements within blocks for which an instruction
// takes what the one before computed from registers (0.26 in cache).
constexpr int64_t streamingBytes = int64_t{32} << 20;
constexpr int64_t streamingBlock = 128;

// With guard, results that stay in a core's own cache are kept aside and copied; larger ones are evaluated a second time, for
// writing and reading them once more costs as much as the arithmetic (Adam over 2,000 parameters: 0.41 ns an element kept, 0.54
// twice; over 100,000 the same; over a million 0.86 and 0.80).
constexpr int64_t keptBytes = int64_t{1} << 20;

enum Guard : int32_t { unguarded = 0, guarded = 1, proven = 2 };

Guard guardOf(const Signature& signature) noexcept { return static_cast<Guard>(signature.words[0]); }

// What is stored: the expression without the proof.
Expression resultsOf(const Signature& signature, Expression code) noexcept {
  if (guardOf(signature) == proven) --code.outputs;
  return code;
}

int64_t keptFloats(const Signature& signature, const Expression& results) noexcept {
  const int64_t floats = signature.outputs[0].count() * results.outputs;
  return guardOf(signature) != unguarded && floats <= keptBytes / static_cast<int64_t>(sizeof(float)) ? floats : 0;
}

int64_t blockOf(const Signature& signature) noexcept {
  const int64_t bytes = signature.outputs[0].count() * (signature.inputs.size + signature.outputs.size) * static_cast<int64_t>(sizeof(float));
  return bytes > streamingBytes ? streamingBlock : blockElements;
}

// What one member works with.
struct Pieces {
  void* evaluator;
  float* scratch;
  Flag* flag;
  Extremes* extremes;  // one an output
  float* kept;         // of all members: the results, one output after another; null where they are evaluated again
};

// Of member `member`; the bytes of all members are those of the last.
Pieces piecesOf(const Signature& signature, const Expression& results, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  const int64_t columns = signature.outputs[0].columns();
  int64_t scratch = 0;
  for (int64_t input = 0; input < signature.inputs.size; ++input) {
    Spread spread = Spread::full;
    (void)spreadOf(signature.inputs[input], signature.outputs[0], input, &spread);
    scratch += spreadFloats(spread, columns);
  }
  const int64_t kept = keptFloats(signature, results);
  Flag* flags = layout.take<Flag>(signature.threads);
  float* keptResults = layout.take<float>(kept);
  Pieces pieces{};
  for (int before = 0; before <= member; ++before) {
    pieces.evaluator = layout.take<char>(evaluatorBytes(results));
    pieces.scratch = layout.take<float>(scratch);
    pieces.extremes = layout.take<Extremes>(guardOf(signature) == proven ? results.outputs : 0);
  }
  pieces.flag = flags;
  pieces.kept = kept > 0 ? keptResults : nullptr;
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, -1, -1);
  check.that(signature.words.size > 0 && signature.words[0] >= unguarded && signature.words[0] <= proven, "guard is not 0, 1 or 2");
  if (check.failed()) return check.status();
  const Guard guard = guardOf(signature);
  Expression code;
  int64_t taken = 0;
  check.keep(verifyExpression({signature.words.data + 1, signature.words.size - 1}, &code, &taken));
  check.that(taken == signature.words.size - 1, "words follow the expression");
  check.that(signature.inputs.size == code.inputs, "%lld inputs for an expression of %d", static_cast<long long>(signature.inputs.size), code.inputs);
  check.that(guard != proven || code.outputs >= 2, "a proof without results");
  const Expression results = resultsOf(signature, code);
  const int32_t outputs = results.outputs + guard;
  check.that(signature.outputs.size == outputs, "%lld outputs where %d belong", static_cast<long long>(signature.outputs.size), outputs);
  for (int64_t output = 0; output < results.outputs; ++output) {
    check.output(output, Dtype::f32);
    if (check.failed()) return check.status();
    check.that(sameShape(signature.outputs[output], signature.outputs[0]), "output %lld has another shape than output 0", static_cast<long long>(output));
  }
  if (guard == proven) {
    check.output(results.outputs, Dtype::f32);
    if (check.failed()) return check.status();
    check.that(signature.outputs[results.outputs].count() == 2 * results.outputs, "the extremes are not two for each result");
  }
  if (guard != unguarded) {
    check.output(outputs - 1, Dtype::i32);
    if (check.failed()) return check.status();
    check.that(signature.outputs[outputs - 1].count() == 1, "the output `finite` has more than one element");
  }
  for (int64_t input = 0; input < code.inputs; ++input) {
    check.input(input, Dtype::f32);
    if (check.failed()) return check.status();
    Spread spread;
    check.keep(spreadOf(signature.inputs[input], signature.outputs[0], input, &spread));
  }
  if (check.failed()) return check.status();
  piecesOf(signature, results, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

// The share of one member.
class Work {
 public:
  // `proof`: its register, -1: none.
  Work(const Call& call, const Expression& results, int32_t proof, const Crew& crew, const Pieces& pieces) noexcept
      : call_(call), results_(results), reader_(call, call.signature->outputs[0], pieces.scratch), block_(blockOf(*call.signature)),
        share_(crew.share(call.signature->outputs[0].count(), blockElements)), extremes_(proof < 0 ? nullptr : pieces.extremes) {
    uint64_t sharing[maximumExpressionOutputs];
    for (int32_t output = 0; output < results.outputs; ++output) {
      sharing[output] = 0;
      for (int32_t input = 0; input < results.inputs; ++input)
        if (call.inputs[input] == call.outputs[output]) sharing[output] |= uint64_t{1} << input;
    }
    evaluator_ = buildEvaluator(results, pieces.evaluator, {reader_.scalars(), sharing, proof});
    for (int32_t output = 0; extremes_ != nullptr && output < results.outputs; ++output) extremes_[output].clear();
  }

  bool isProven() const noexcept {
    const float proof = uniformValue(*evaluator_);
    return proof == proof && proof != 0;
  }

  // Leaves the results in `kept` where that is not null; they are complete if all are finite.
  bool isFinite(float* kept) noexcept {
    const int64_t total = call_.signature->outputs[0].count();
    float* places[maximumExpressionOutputs];
    const float* results[maximumExpressionOutputs];
    for (int64_t start = share_.begin; start < share_.end; start += block_) {
      const int64_t count = lengthAt(start);
      if (kept == nullptr) {
        evaluateInside(*evaluator_, reader_.read(start, count), results, count);
      } else {
        for (int32_t output = 0; output < results_.outputs; ++output) results[output] = places[output] = kept + output * total + start;
        evaluate(*evaluator_, reader_.read(start, count), places, count);
      }
      for (int32_t output = 0; output < results_.outputs; ++output)
        if (!areFinite(results[output], count)) return false;
    }
    return true;
  }

  // The results into the outputs.
  void store() noexcept {
    float* outputs[maximumExpressionOutputs];
    for (int64_t start = share_.begin; start < share_.end; start += block_) {
      const int64_t count = lengthAt(start);
      for (int32_t output = 0; output < results_.outputs; ++output) outputs[output] = call_.output(output) + start;
      evaluate(*evaluator_, reader_.read(start, count), outputs, count);
      gather(outputs, count);
    }
  }

  // The same from where they were kept.
  void storeKept(float* kept) noexcept {
    const int64_t total = call_.signature->outputs[0].count(), length = share_.end - share_.begin;
    float* results[maximumExpressionOutputs];
    for (int32_t output = 0; output < results_.outputs; ++output) {
      results[output] = kept + output * total + share_.begin;
      std::memcpy(call_.output(output) + share_.begin, results[output], static_cast<std::size_t>(length) * sizeof(float));
    }
    gather(results, length);
  }

 private:
  void gather(const float* const* results, int64_t count) noexcept {
    if (extremes_ == nullptr) return;
    for (int32_t output = 0; output < results_.outputs; ++output) extremes_[output].gather(results[output], count);
  }

  int64_t lengthAt(int64_t start) const noexcept { return share_.end - start < block_ ? share_.end - start : block_; }

  const Call& call_;
  const Expression& results_;
  BlockReader reader_;
  int64_t block_;
  Share share_;
  Extremes* extremes_;
  Evaluator* evaluator_ = nullptr;
};

// Those of all members, as lowest and highest in turn.
void joinExtremes(const Call& call, const Expression& results, int members) noexcept {
  for (int32_t output = 0; output < results.outputs; ++output) {
    float lowest = INFINITY, highest = -INFINITY;
    for (int member = 0; member < members; ++member) {
      const Extremes& own = piecesOf(*call.signature, results, member, call.workspace, nullptr).extremes[output];
      lowest = own.lowest() < lowest ? own.lowest() : lowest;
      highest = own.highest() > highest ? own.highest() : highest;
    }
    call.output(results.outputs)[2 * output] = lowest;
    call.output(results.outputs)[2 * output + 1] = highest;
  }
}

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const Guard guard = guardOf(signature);
  const Expression code = viewExpression(signature.words.data + 1);
  const Expression results = resultsOf(signature, code);
  const int32_t proof = guard == proven ? code.outputWords[code.outputs - 1] : -1;
  // An instruction takes .02 to .15 ns an element, an operand in memory about .05.
  const double perElement = 0.05 * (code.instructions + code.inputs + code.outputs) * (guard == guarded ? 2 : 1);
  bool finite = true;
  int members = 1;
  shareWork(*call.team, perElement * static_cast<double>(signature.outputs[0].count()), [&](const Crew& crew) {
    const Pieces pieces = piecesOf(signature, results, crew.member, call.workspace, nullptr);
    Work work(call, results, proof, crew, pieces);
    if (crew.member == 0) members = crew.members;
    if (guard == unguarded || work.isProven()) return work.store();
    pieces.flag[crew.member].value = work.isFinite(pieces.kept) ? 1 : 0;
    crew.barrier();
    bool all = true;
    for (int member = 0; member < crew.members; ++member) all = all && pieces.flag[member].value != 0;
    if (crew.member == 0) finite = all;
    if (!all) return;
    if (pieces.kept != nullptr) work.storeKept(pieces.kept);
    else work.store();
  });
  if (guard != unguarded) *call.outputIds(static_cast<int>(signature.outputs.size) - 1) = finite ? 1 : 0;
  if (guard == proven && finite) joinExtremes(call, results, members);
  return Status::ok();
}

}  // namespace

extern const Kernel map;
const Kernel map = {"map", verify, nullptr, run, 0, ~0u};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
