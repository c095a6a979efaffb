// Verification of expression code, and the evaluator.
//
// Building an evaluator renames registers to slots, each an address: inputs and outputs (which move from block to block),
// registers (arrays of one block), and uniform values (one float each). Instructions whose operands are all uniform run while
// it is built. An instruction that computes an output for good writes it where it belongs, unless something that comes later
// still reads an input in the same memory.
#include <cmath>
#include <cstddef>
#include <new>
#include <utility>

#include "kernels/kernel.h"
#include "kernels/operands.h"

#include "simd/target_begin.h"
#include "kernels/expression.h"
#include "kernels/expression_operations.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

constexpr int32_t headerWords = 5;
constexpr int32_t instructionWordCount = 6;
// Registers lie 16 floats further apart than a block is long: at a multiple of 4096 bytes they would compete for the
// same sets of the cache.
constexpr int64_t registerStride = blockElements + 16;

struct Step {
  Apply apply;
  int32_t destination;
  int32_t operands[maximumOperandsOfInstruction];
};

}  // namespace

class Evaluator {
 public:
  int32_t moving, outputs, firstOutput;
  int32_t steps;
  float uniform;                // of the register that was asked for
  const int32_t* movingInputs;  // those that are not scalars
  float** slots;          // addresses
  const bool* isUniform;  // by slot
  Step* program;          // what runs for every block, in order
  int32_t* results;       // slot where each output is found after the steps
  Apply* finish;          // how it is copied from there; null: it is in its place already
  float* inside;          // one register for each output that is not given away, or must be set aside
};

namespace {

// What building needs of the words, and the pieces of the evaluator's memory.
struct Builder {
  const Expression& expression;
  const EvaluatorOperands& operands;
  Evaluator* evaluator;
  float* uniforms;      // one for each constant, scalar input and instruction
  float* registers;     // temporaries
  bool* isUniform;      // by slot
  int32_t* current;     // slot of each temporary as of the instruction at hand
  int32_t* lastWriter;  // instruction that last writes a temporary, -1: none
  int32_t* lastReader;  // instruction that last reads an input, -1: none
  int32_t* movingInputs;

  int32_t firstConstant() const noexcept { return expression.inputs; }
  int32_t firstTemporary() const noexcept { return expression.inputs + expression.constants; }
  int32_t firstOutput() const noexcept { return firstTemporary() + expression.temporaries; }
  int32_t firstResult() const noexcept { return firstOutput() + expression.outputs; }
  int32_t firstStaged() const noexcept { return firstResult() + expression.instructions; }
  int32_t slotCount() const noexcept { return firstStaged() + expression.outputs; }

  int32_t slotOf(int32_t reg) const noexcept { return reg < firstTemporary() ? reg : current[reg - firstTemporary()]; }
  bool isInput(int32_t reg) const noexcept { return reg < expression.inputs; }
  uint64_t sharing(int32_t output) const noexcept { return operands.sharing == nullptr ? ~uint64_t{0} : operands.sharing[output]; }
  const int32_t* instruction(int32_t index) const noexcept { return expression.instructionWords + index * instructionWordCount; }
};

// One layout for size and addresses. The evaluator itself comes first.
int64_t layOut(const Expression& expression, void* memory, Builder* builder) noexcept {
  Layout layout(memory);
  const int64_t slots = int64_t{expression.inputs} + expression.constants + expression.temporaries + 2 * int64_t{expression.outputs} +
                        expression.instructions;
  const int64_t scalars = int64_t{expression.inputs} + expression.constants + expression.instructions;
  auto* evaluator = layout.take<Evaluator>(1);
  auto* slotTable = layout.take<float*>(slots);
  auto* program = layout.take<Step>(int64_t{expression.instructions} + expression.outputs);
  auto* results = layout.take<int32_t>(expression.outputs);
  auto* finish = layout.take<Apply>(expression.outputs);
  auto* inside = layout.take<float>(expression.outputs * registerStride);
  auto* uniforms = layout.take<float>(scalars);
  auto* registers = layout.take<float>(expression.temporaries * registerStride);
  auto* isUniform = layout.take<bool>(slots);
  auto* current = layout.take<int32_t>(expression.temporaries);
  auto* lastWriter = layout.take<int32_t>(expression.temporaries);
  auto* lastReader = layout.take<int32_t>(expression.inputs);
  auto* movingInputs = layout.take<int32_t>(expression.inputs);
  if (builder != nullptr) {
    const int32_t firstOutput = expression.inputs + expression.constants + expression.temporaries;
    builder->evaluator = new (evaluator)
        Evaluator{0, expression.outputs, firstOutput, 0, NAN, movingInputs, slotTable, isUniform, program, results, finish, inside};
    builder->movingInputs = movingInputs;
    builder->uniforms = uniforms;
    builder->registers = registers;
    builder->isUniform = isUniform;
    builder->current = current;
    builder->lastWriter = lastWriter;
    builder->lastReader = lastReader;
  }
  return layout.bytes();
}

void setUniform(Builder& builder, int32_t slot, int64_t place, float value) noexcept {
  builder.uniforms[place] = value;
  builder.evaluator->slots[slot] = builder.uniforms + place;
  builder.isUniform[slot] = true;
}

void placeRegisters(Builder& builder) noexcept {
  const Expression& expression = builder.expression;
  for (int32_t slot = 0; slot < builder.slotCount(); ++slot) builder.isUniform[slot] = false;
  for (int32_t input = 0; input < expression.inputs; ++input) {
    builder.evaluator->slots[input] = nullptr;
    const float* scalar = builder.operands.scalars == nullptr ? nullptr : builder.operands.scalars[input];
    if (scalar != nullptr) setUniform(builder, input, input, *scalar);
    else builder.movingInputs[builder.evaluator->moving++] = input;
  }
  for (int32_t constant = 0; constant < expression.constants; ++constant) {
    float value;
    std::memcpy(&value, expression.constantWords + constant, sizeof value);
    setUniform(builder, builder.firstConstant() + constant, expression.inputs + constant, value);
  }
  for (int32_t temporary = 0; temporary < expression.temporaries; ++temporary) {
    builder.evaluator->slots[builder.firstTemporary() + temporary] = builder.registers + temporary * registerStride;
  }
  for (int32_t output = 0; output < expression.outputs; ++output) {
    builder.evaluator->slots[builder.firstStaged() + output] = builder.evaluator->inside + output * registerStride;
  }
}

void findLastUses(Builder& builder) noexcept {
  const Expression& expression = builder.expression;
  for (int32_t temporary = 0; temporary < expression.temporaries; ++temporary) builder.lastWriter[temporary] = -1;
  for (int32_t input = 0; input < expression.inputs; ++input) builder.lastReader[input] = -1;
  for (int32_t index = 0; index < expression.instructions; ++index) {
    const int32_t* words = builder.instruction(index);
    for (int operand = 0; operand < opcodeTable.entries[words[0]].arity; ++operand)
      if (builder.isInput(words[2 + operand])) builder.lastReader[words[2 + operand]] = index;
    builder.lastWriter[words[1] - builder.firstTemporary()] = index;
  }
  for (int32_t output = 0; output < expression.outputs; ++output)
    if (builder.isInput(expression.outputWords[output])) builder.lastReader[expression.outputWords[output]] = expression.instructions;
}

// The output that instruction `index` computes for good and may write at once; -1: none.
int32_t outputWrittenBy(const Builder& builder, int32_t index) noexcept {
  const Expression& expression = builder.expression;
  const int32_t destination = builder.instruction(index)[1];
  if (builder.lastWriter[destination - builder.firstTemporary()] != index) return -1;
  for (int32_t output = 0; output < expression.outputs; ++output) {
    if (expression.outputWords[output] != destination) continue;
    bool safe = true;
    for (int32_t input = 0; input < expression.inputs; ++input) {
      const bool read = !builder.isUniform[input] && builder.lastReader[input] > index;
      if (read && (builder.sharing(output) >> input & 1)) safe = false;
    }
    if (safe) return output;
  }
  return -1;
}

void placeInstructions(Builder& builder) noexcept {
  Evaluator& evaluator = *builder.evaluator;
  for (int32_t index = 0; index < builder.expression.instructions; ++index) {
    const int32_t* words = builder.instruction(index);
    const OpcodeEntry& entry = opcodeTable.entries[words[0]];
    Step step = {nullptr, 0, {0, 0, 0, 0}};
    unsigned uniform = 0;
    for (int operand = 0; operand < entry.arity; ++operand) {
      step.operands[operand] = builder.slotOf(words[2 + operand]);
      if (builder.isUniform[step.operands[operand]]) uniform |= 1u << operand;
    }
    step.apply = entry.apply[uniform];
    const int32_t temporary = words[1] - builder.firstTemporary();
    if (uniform + 1 == 1u << entry.arity) {
      const int32_t slot = builder.firstResult() + index;
      setUniform(builder, slot, int64_t{builder.expression.inputs} + builder.expression.constants + index, 0.0f);
      float* const* slots = evaluator.slots;
      step.apply(slots[slot], slots[step.operands[0]], slots[step.operands[1]], slots[step.operands[2]], slots[step.operands[3]], 1);
      builder.current[temporary] = slot;
      continue;
    }
    const int32_t output = outputWrittenBy(builder, index);
    step.destination = output >= 0 ? builder.firstOutput() + output : words[1];
    builder.current[temporary] = step.destination;
    evaluator.program[evaluator.steps++] = step;
  }
}

// Where each output is found after the steps, and whether it must be copied. An output that is an input as it stands is first
// copied inside if another output will lie in that input's memory.
void placeOutputs(Builder& builder) noexcept {
  const Expression& expression = builder.expression;
  Evaluator& evaluator = *builder.evaluator;
  const OpcodeEntry& copy = opcodeTable.entries[0];
  for (int32_t output = 0; output < expression.outputs; ++output) {
    const int32_t reg = expression.outputWords[output];
    const int32_t slot = builder.slotOf(reg), own = builder.firstOutput() + output;
    evaluator.results[output] = slot;
    evaluator.finish[output] = slot == own ? nullptr : copy.apply[builder.isUniform[slot] ? 1 : 0];
    if (!builder.isInput(reg) || builder.isUniform[slot]) continue;
    bool overwritten = false;
    for (int32_t other = 0; other < expression.outputs; ++other) {
      if (other != output && (builder.sharing(other) >> reg & 1)) overwritten = true;
    }
    if (!overwritten) continue;
    const int32_t staged = builder.firstStaged() + output;
    evaluator.program[evaluator.steps++] = {copy.apply[0], staged, {slot, slot, slot, slot}};
    evaluator.results[output] = staged;
  }
}

void runSteps(Evaluator& evaluator, const float* const* inputs, int64_t count) noexcept {
  float** slots = evaluator.slots;
  // Slots of inputs are only read: the destination of a step is never one.
  for (int32_t index = 0; index < evaluator.moving; ++index) {
    const int32_t input = evaluator.movingInputs[index];
    slots[input] = const_cast<float*>(inputs[input]);
  }
  for (int32_t index = 0; index < evaluator.steps; ++index) {
    const Step& step = evaluator.program[index];
    step.apply(slots[step.destination], slots[step.operands[0]], slots[step.operands[1]], slots[step.operands[2]],
               slots[step.operands[3]], count);
  }
}

// Whether there is such a register and, if it is a temporary, something was written to it.
bool holdsValue(const Expression& expression, int32_t reg, const uint64_t* written) noexcept {
  const int32_t firstTemporary = expression.inputs + expression.constants;
  if (reg < 0 || reg >= firstTemporary + expression.temporaries) return false;
  const int32_t temporary = reg - firstTemporary;
  return temporary < 0 || (written[temporary / 64] >> (temporary % 64) & 1) != 0;
}

Status checkInstruction(const Expression& expression, int32_t index, uint64_t* written) noexcept {
  const int32_t* words = expression.instructionWords + index * instructionWordCount;
  const int32_t firstTemporary = expression.inputs + expression.constants;
  if (words[0] < 0 || words[0] >= opcodes || opcodeTable.entries[words[0]].arity == 0) {
    return Status::error(Code::invalidProgram, "expression, instruction %d: no operation has the code %d", index, words[0]);
  }
  for (int operand = 0; operand < opcodeTable.entries[words[0]].arity; ++operand) {
    if (!holdsValue(expression, words[2 + operand], written)) {
      return Status::error(Code::invalidProgram, "expression, instruction %d: register %d holds nothing", index, words[2 + operand]);
    }
  }
  if (words[1] < firstTemporary || words[1] >= firstTemporary + expression.temporaries) {
    return Status::error(Code::invalidProgram, "expression, instruction %d: register %d is not a temporary", index, words[1]);
  }
  const int32_t temporary = words[1] - firstTemporary;
  written[temporary / 64] |= uint64_t{1} << (temporary % 64);
  return Status::ok();
}

}  // namespace

Expression viewExpression(const int32_t* words) noexcept {
  Expression expression;
  expression.inputs = words[0];
  expression.outputs = words[1];
  expression.constants = words[2];
  expression.temporaries = words[3];
  expression.instructions = words[4];
  expression.constantWords = words + headerWords;
  expression.instructionWords = expression.constantWords + expression.constants;
  expression.outputWords = expression.instructionWords + expression.instructions * instructionWordCount;
  return expression;
}

Status verifyExpression(Span<const int32_t> words, Expression* expression, int64_t* taken) noexcept {
  if (words.size < headerWords) return Status::error(Code::invalidProgram, "the expression is cut off");
  const struct {
    const char* name;
    int32_t smallest, largest;
  } limits[headerWords] = {{"inputs", 0, maximumExpressionInputs},
                           {"outputs", 1, maximumExpressionOutputs},
                           {"constants", 0, maximumExpressionConstants},
                           {"temporaries", 0, maximumExpressionTemporaries},
                           {"instructions", 0, maximumExpressionInstructions}};
  for (int32_t index = 0; index < headerWords; ++index) {
    if (words[index] < limits[index].smallest || words[index] > limits[index].largest) {
      return Status::error(Code::invalidProgram, "expression: %d %s, expected %d to %d", words[index], limits[index].name,
                           limits[index].smallest, limits[index].largest);
    }
  }
  const int64_t size = headerWords + int64_t{words[2]} + int64_t{words[4]} * instructionWordCount + words[1];
  if (size > words.size) return Status::error(Code::invalidProgram, "the expression is cut off");
  *expression = viewExpression(words.data);
  uint64_t written[(maximumExpressionTemporaries + 63) / 64] = {0};
  for (int32_t index = 0; index < expression->instructions; ++index) {
    const Status status = checkInstruction(*expression, index, written);
    if (!status.isOk()) return status;
  }
  for (int32_t output = 0; output < expression->outputs; ++output) {
    const int32_t reg = expression->outputWords[output];
    if (!holdsValue(*expression, reg, written)) {
      return Status::error(Code::invalidProgram, "expression, output %d: register %d holds nothing", output, reg);
    }
  }
  *taken = size;
  return Status::ok();
}

int64_t evaluatorBytes(const Expression& expression) noexcept { return layOut(expression, nullptr, nullptr); }

Evaluator* buildEvaluator(const Expression& expression, void* memory, const EvaluatorOperands& operands) noexcept {
  Builder builder = {expression, operands, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
  layOut(expression, memory, &builder);
  placeRegisters(builder);
  findLastUses(builder);
  placeInstructions(builder);
  placeOutputs(builder);
  if (operands.uniform >= 0) {
    const int32_t slot = builder.slotOf(operands.uniform);
    if (builder.isUniform[slot]) builder.evaluator->uniform = *builder.evaluator->slots[slot];
  }
  return builder.evaluator;
}

float uniformValue(const Evaluator& evaluator) noexcept { return evaluator.uniform; }

void evaluate(Evaluator& evaluator, const float* const* inputs, float* const* outputs, int64_t count) noexcept {
  float** slots = evaluator.slots;
  for (int32_t output = 0; output < evaluator.outputs; ++output) slots[evaluator.firstOutput + output] = outputs[output];
  runSteps(evaluator, inputs, count);
  for (int32_t output = 0; output < evaluator.outputs; ++output) {
    const float* source = slots[evaluator.results[output]];
    if (evaluator.finish[output] != nullptr) evaluator.finish[output](outputs[output], source, source, source, source, count);
  }
}

void evaluateInside(Evaluator& evaluator, const float* const* inputs, const float** results, int64_t count) noexcept {
  float** slots = evaluator.slots;
  for (int32_t output = 0; output < evaluator.outputs; ++output) {
    slots[evaluator.firstOutput + output] = evaluator.inside + output * registerStride;
  }
  runSteps(evaluator, inputs, count);
  for (int32_t output = 0; output < evaluator.outputs; ++output) {
    const int32_t slot = evaluator.results[output];
    results[output] = slots[slot];
    if (!evaluator.isUniform[slot]) continue;
    float* inside = evaluator.inside + output * registerStride;
    evaluator.finish[output](inside, slots[slot], slots[slot], slots[slot], slots[slot], count);
    results[output] = inside;
  }
}

void evaluateActivation(Evaluator& evaluator, const float* x, float* value, float* derivative, int64_t count) noexcept {
  for (int64_t start = 0; start < count; start += blockElements) {
    const int64_t length = count - start < blockElements ? count - start : blockElements;
    const float* inputs[1] = {x + start};
    // A derivative that nobody wants stays inside.
    float* outputs[2] = {value + start, derivative == nullptr ? evaluator.inside + registerStride : derivative + start};
    evaluate(evaluator, inputs, outputs, length);
  }
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
