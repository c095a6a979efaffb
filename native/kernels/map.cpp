// map: expressions over arrays, element by element.
//
//   inputs   n values f32: of the outputs' shape, or [1], or [columns] (the last axis), or the leading axes and a 1
//   outputs  m values f32 of one shape; with guard a last one, finite [1] i32
//   words    guard (0 or 1), expression code of n inputs and m outputs
//
// With guard everything is first evaluated without touching the outputs; if any element of any output is not finite, they
// stay as they were and `finite` is 0. An output may lie exactly on an input of its own shape.
#include <cstddef>
#include <cstring>

#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/are_finite.h"
#include "kernels/broadcast.h"
#include "kernels/expression.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

struct alignas(64) Flag {
  int32_t value;
};

// Data that outgrows the caches streams faster in small blocks: the prefetchers follow each array through shorter gaps (Adam
// over ten million parameters: 0.47 ns an element in blocks of 128, 1.07 in blocks of 512; in cache 0.34 and 0.25).
constexpr int64_t streamingBytes = int64_t{32} << 20;
constexpr int64_t streamingBlock = 128;

// With guard, results that stay in a core's own cache are kept aside and copied; larger ones are evaluated a second time, for
// writing and reading them once more costs as much as the arithmetic (Adam over 2,000 parameters: 0.41 ns an element kept, 0.54
// twice; over 100,000 the same; over a million 0.86 and 0.80).
constexpr int64_t keptBytes = int64_t{1} << 20;

int64_t keptFloats(const Signature& signature, const Expression& code) noexcept {
  const int64_t floats = signature.outputs[0].count() * code.outputs;
  return signature.words[0] == 1 && floats <= keptBytes / static_cast<int64_t>(sizeof(float)) ? floats : 0;
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
  float* kept;  // of all members: the results, one output after another; null where they are evaluated again
};

// Of member `member`; the bytes of all members are those of the last.
Pieces piecesOf(const Signature& signature, const Expression& code, int member, void* workspace, int64_t* bytes) noexcept {
  Layout layout(workspace);
  const int64_t columns = signature.outputs[0].columns();
  int64_t scratch = 0;
  for (int64_t input = 0; input < signature.inputs.size; ++input) {
    Spread spread = Spread::full;
    (void)spreadOf(signature.inputs[input], signature.outputs[0], input, &spread);
    scratch += spreadFloats(spread, columns);
  }
  const int64_t kept = keptFloats(signature, code);
  Flag* flags = layout.take<Flag>(signature.threads);
  float* results = layout.take<float>(kept);
  Pieces pieces{};
  for (int before = 0; before <= member; ++before) {
    pieces.evaluator = layout.take<char>(evaluatorBytes(code));
    pieces.scratch = layout.take<float>(scratch);
  }
  pieces.flag = flags;
  pieces.kept = kept > 0 ? results : nullptr;
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, -1, -1);
  check.that(signature.words.size > 0 && (signature.words[0] == 0 || signature.words[0] == 1), "guard is not 0 or 1");
  if (check.failed()) return check.status();
  const bool guard = signature.words[0] == 1;
  Expression code;
  int64_t taken = 0;
  check.keep(verifyExpression({signature.words.data + 1, signature.words.size - 1}, &code, &taken));
  check.that(taken == signature.words.size - 1, "words follow the expression");
  check.that(signature.inputs.size == code.inputs, "%lld inputs for an expression of %d", static_cast<long long>(signature.inputs.size), code.inputs);
  check.that(signature.outputs.size == code.outputs + (guard ? 1 : 0), "%lld outputs for an expression of %d",
             static_cast<long long>(signature.outputs.size), code.outputs);
  for (int64_t output = 0; output < code.outputs; ++output) {
    check.output(output, Dtype::f32);
    if (check.failed()) return check.status();
    check.that(sameShape(signature.outputs[output], signature.outputs[0]), "output %lld has another shape than output 0", static_cast<long long>(output));
  }
  if (guard) {
    check.output(code.outputs, Dtype::i32);
    if (check.failed()) return check.status();
    check.that(signature.outputs[code.outputs].count() == 1, "the output `finite` has more than one element");
  }
  for (int64_t input = 0; input < code.inputs; ++input) {
    check.input(input, Dtype::f32);
    if (check.failed()) return check.status();
    Spread spread;
    check.keep(spreadOf(signature.inputs[input], signature.outputs[0], input, &spread));
  }
  if (check.failed()) return check.status();
  piecesOf(signature, code, signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

// The share of one member.
class Work {
 public:
  Work(const Call& call, const Expression& code, const Crew& crew, const Pieces& pieces) noexcept
      : call_(call), code_(code), reader_(call, call.signature->outputs[0], pieces.scratch), block_(blockOf(*call.signature)),
        share_(crew.share(call.signature->outputs[0].count(), blockElements)) {
    uint64_t sharing[maximumExpressionOutputs];
    for (int32_t output = 0; output < code.outputs; ++output) {
      sharing[output] = 0;
      for (int32_t input = 0; input < code.inputs; ++input)
        if (call.inputs[input] == call.outputs[output]) sharing[output] |= uint64_t{1} << input;
    }
    evaluator_ = buildEvaluator(code, pieces.evaluator, {reader_.scalars(), sharing});
  }

  // Leaves the results in `kept` where that is not null; they are complete if all are finite.
  bool isFinite(float* kept) noexcept {
    if (kept != nullptr) return keep(kept);
    const float* results[maximumExpressionOutputs];
    for (int64_t start = share_.begin; start < share_.end; start += block_) {
      const int64_t count = lengthAt(start);
      evaluateInside(*evaluator_, reader_.read(start, count), results, count);
      for (int32_t output = 0; output < code_.outputs; ++output)
        if (!areFinite(results[output], count)) return false;
    }
    return true;
  }

  // The results into the outputs, from where they were kept or evaluated anew.
  void store(const float* kept) noexcept {
    if (kept != nullptr) {
      const int64_t count = call_.signature->outputs[0].count();
      for (int32_t output = 0; output < code_.outputs; ++output) {
        std::memcpy(call_.output(output) + share_.begin, kept + output * count + share_.begin,
                    static_cast<std::size_t>(share_.end - share_.begin) * sizeof(float));
      }
      return;
    }
    float* outputs[maximumExpressionOutputs];
    for (int64_t start = share_.begin; start < share_.end; start += block_) {
      const int64_t count = lengthAt(start);
      for (int32_t output = 0; output < code_.outputs; ++output) outputs[output] = call_.output(output) + start;
      evaluate(*evaluator_, reader_.read(start, count), outputs, count);
    }
  }

 private:
  // As isFinite, with the results in `kept`.
  bool keep(float* kept) noexcept {
    const int64_t total = call_.signature->outputs[0].count();
    float* results[maximumExpressionOutputs];
    for (int64_t start = share_.begin; start < share_.end; start += block_) {
      const int64_t count = lengthAt(start);
      for (int32_t output = 0; output < code_.outputs; ++output) results[output] = kept + output * total + start;
      evaluate(*evaluator_, reader_.read(start, count), results, count);
      for (int32_t output = 0; output < code_.outputs; ++output)
        if (!areFinite(results[output], count)) return false;
    }
    return true;
  }

  int64_t lengthAt(int64_t start) const noexcept { return share_.end - start < block_ ? share_.end - start : block_; }

  const Call& call_;
  const Expression& code_;
  BlockReader reader_;
  int64_t block_;
  Share share_;
  Evaluator* evaluator_ = nullptr;
};

Status run(const Call& call) noexcept {
  const Signature& signature = *call.signature;
  const bool guard = signature.words[0] == 1;
  const Expression code = viewExpression(signature.words.data + 1);
  // An instruction takes .02 to .15 ns an element, an operand in memory about .05.
  const double perElement = 0.05 * (code.instructions + code.inputs + code.outputs) * (guard ? 2 : 1);
  shareWork(*call.team, perElement * static_cast<double>(signature.outputs[0].count()), [&](const Crew& crew) {
    const Pieces pieces = piecesOf(signature, code, crew.member, call.workspace, nullptr);
    Work work(call, code, crew, pieces);
    bool finite = true;
    if (guard) {
      pieces.flag[crew.member].value = work.isFinite(pieces.kept) ? 1 : 0;
      crew.barrier();
      for (int member = 0; member < crew.members; ++member) finite = finite && pieces.flag[member].value != 0;
      if (crew.member == 0) *call.outputIds(code.outputs) = finite ? 1 : 0;
    }
    if (finite) work.store(pieces.kept);
  });
  return Status::ok();
}

}  // namespace

extern const Kernel map;
const Kernel map = {"map", verify, nullptr, run, 0, ~0u};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
