#include "engine/program.h"

#include <algorithm>
#include <cstring>

namespace mneme {

namespace {

constexpr int32_t magic = 0x6d6e656d;
constexpr int32_t version = 2;
constexpr int64_t headWords = 8 + arenaCount;
constexpr int64_t nameWords = 16;

template <typename... Arguments>
Status refuse(const char* format, Arguments... arguments) noexcept {
  return Status::error(Code::invalidProgram, format, arguments...);
}

// Takes words from the front; never reads past the end.
class Reader {
 public:
  explicit Reader(Span<const int32_t> words) : words_(words) {}
  int64_t remaining() const noexcept { return words_.size - position_; }
  // Null where fewer than `count` words are left.
  const int32_t* take(int64_t count) noexcept {
    if (count < 0 || count > remaining()) return nullptr;
    const int32_t* first = words_.data + position_;
    position_ += count;
    return first;
  }

 private:
  Span<const int32_t> words_;
  int64_t position_ = 0;
};

// Every product of a stride and a count stays below 2^62, and a sum is given up before the next one where it leaves the arena.
Status checkReach(const Buffer& buffer, int32_t number, const std::vector<Loop>& loops, const int64_t* elements) noexcept {
  const int64_t limit = elements[static_cast<int>(buffer.arena)];
  int64_t low = buffer.offset, high = buffer.offset + buffer.type.count();
  for (const Stride& stride : buffer.strides) {
    const int64_t move = stride.elements * (loops[static_cast<std::size_t>(stride.loop)].count - 1);
    (move < 0 ? low : high) += move;
    if (low < 0 || high > limit) return refuse("buffer %d leaves its arena while loop %d runs", number, stride.loop);
  }
  return Status::ok();
}

// Where b lies to a, in all iterations. Both stay in their arena, so no difference exceeds 2^33.
enum class Meeting { never, exactly, partly };

Meeting meetingOf(const Buffer* a, const Buffer* b, const std::vector<Loop>& loops) noexcept {
  if (a == nullptr || b == nullptr || a->arena != b->arena) return Meeting::never;
  int64_t low = b->offset - a->offset, high = low;
  const auto drift = [&](const Buffer& buffer, const Buffer& other, int64_t sign) {
    for (const Stride& stride : buffer.strides) {
      int64_t elements = stride.elements;
      bool shared = false;
      for (const Stride& its : other.strides) {
        if (its.loop != stride.loop) continue;
        elements -= its.elements;
        shared = true;
      }
      if (shared && sign < 0) continue;  // counted already
      const int64_t move = sign * elements * (loops[static_cast<std::size_t>(stride.loop)].count - 1);
      (move < 0 ? low : high) += move;
    }
  };
  drift(*b, *a, 1);
  drift(*a, *b, -1);
  const int64_t lengthOfA = a->type.count(), lengthOfB = b->type.count();
  if (low >= lengthOfA || high <= -lengthOfB) return Meeting::never;
  return low == 0 && high == 0 && lengthOfA == lengthOfB ? Meeting::exactly : Meeting::partly;
}

Status readBuffer(Reader& reader, int32_t number, const int64_t* elements, Buffer* buffer) noexcept {
  const int32_t* words = reader.take(5);
  if (!words) return refuse("buffer %d is cut off", number);
  const int32_t arena = words[0], offset = words[1], dtype = words[2], rank = words[3], strides = words[4];
  if (arena < 0 || arena >= arenaCount) return refuse("buffer %d: no arena has the number %d", number, arena);
  if (dtype != 0 && dtype != 1) return refuse("buffer %d: no dtype has the number %d", number, dtype);
  if (rank < 1 || rank > maximumRank) return refuse("buffer %d: rank %d is not in 1 to %d", number, rank, maximumRank);
  if (offset < 0) return refuse("buffer %d: offset %d is negative", number, offset);
  if (strides < 0 || strides > static_cast<int32_t>(maximumDepth)) return refuse("buffer %d: %d strides", number, strides);
  const int32_t* extents = reader.take(rank);
  if (!extents) return refuse("buffer %d is cut off", number);
  buffer->arena = static_cast<Arena>(arena);
  buffer->offset = offset;
  buffer->type.present = true;
  buffer->type.dtype = static_cast<Dtype>(dtype);
  buffer->type.rank = rank;
  int64_t count = 1;
  for (int32_t axis = 0; axis < rank; ++axis) {
    if (extents[axis] < 1) return refuse("buffer %d: axis %d has the extent %d", number, axis, extents[axis]);
    buffer->type.shape[axis] = extents[axis];
    count *= extents[axis];  // both below 2^31
    if (count > elements[arena]) break;
  }
  if (offset + count > elements[arena]) {
    return refuse("buffer %d leaves its arena %d of %lld elements", number, arena, static_cast<long long>(elements[arena]));
  }
  const int32_t* moves = reader.take(2 * int64_t{strides});
  if (!moves) return refuse("buffer %d is cut off", number);
  for (int32_t index = 0; index < strides; ++index) buffer->strides.push_back({moves[2 * index], moves[2 * index + 1]});
  return Status::ok();
}

Status readOperands(const char* what, const int32_t* numbers, int32_t count, const std::vector<Buffer>& buffers,
                    std::vector<int32_t>* operands, std::vector<OperandType>* types) {
  operands->assign(numbers, numbers + count);
  types->assign(static_cast<std::size_t>(count), OperandType{});
  for (int32_t index = 0; index < count; ++index) {
    const int32_t number = numbers[index];
    if (number == -1) continue;
    if (number < 0 || number >= static_cast<int64_t>(buffers.size())) {
      return refuse("%s %d: there is no buffer %d", what, index, number);
    }
    (*types)[static_cast<std::size_t>(index)] = buffers[static_cast<std::size_t>(number)].type;
  }
  return Status::ok();
}

// Null where an operand is absent.
std::vector<const Buffer*> buffersOf(const std::vector<int32_t>& operands, const std::vector<Buffer>& buffers) {
  std::vector<const Buffer*> result;
  for (const int32_t number : operands) result.push_back(number < 0 ? nullptr : &buffers[static_cast<std::size_t>(number)]);
  return result;
}

bool hasBit(uint32_t mask, std::size_t index) noexcept { return index < 32 && (mask >> index & 1) != 0; }

// Notes which arenas are used and written, and refuses operands that overlap where they must not.
Status checkOverlap(Program* program, Instruction* instruction) {
  const Kernel& kernel = *instruction->kernel;
  const std::vector<const Buffer*> inputs = buffersOf(instruction->inputs, program->buffers);
  const std::vector<const Buffer*> outputs = buffersOf(instruction->outputs, program->buffers);
  const auto meeting = [&](const Buffer* a, const Buffer* b) { return meetingOf(a, b, program->loops); };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    program->uses |= 1u << static_cast<int>(inputs[i]->arena);
    if (!hasBit(kernel.consumes, i)) continue;
    instruction->writes |= 1u << static_cast<int>(inputs[i]->arena);
    for (std::size_t other = 0; other < inputs.size(); ++other) {
      if (other != i && meeting(inputs[i], inputs[other]) != Meeting::never) {
        return refuse("input %zu is overwritten and overlaps input %zu", i, other);
      }
    }
  }
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (!outputs[o]) continue;
    if (outputs[o]->arena == Arena::input) return refuse("output %zu lies in the input arena", o);
    program->uses |= 1u << static_cast<int>(outputs[o]->arena);
    instruction->writes |= 1u << static_cast<int>(outputs[o]->arena);
    for (std::size_t other = 0; other < o; ++other) {
      if (meeting(outputs[o], outputs[other]) != Meeting::never) return refuse("outputs %zu and %zu overlap", other, o);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Meeting met = meeting(outputs[o], inputs[i]);
      if (met == Meeting::never) continue;
      const bool same = met == Meeting::exactly && outputs[o]->type.dtype == inputs[i]->type.dtype;
      if (same && hasBit(kernel.inPlace, i) && !hasBit(kernel.consumes, i)) continue;
      return refuse("output %zu overlaps input %zu", o, i);
    }
  }
  return Status::ok();
}

Status readInstruction(Reader& reader, const std::vector<const Kernel*>& names, Program* program, Instruction* instruction) {
  const int32_t* head = reader.take(4);
  if (!head) return refuse("it is cut off");
  const int32_t name = head[0], inputs = head[1], outputs = head[2], words = head[3];
  if (name < 0 || name >= static_cast<int64_t>(names.size())) return refuse("there is no name %d", name);
  if (inputs < 0 || inputs > maximumOperands || outputs < 0 || outputs > maximumOperands) {
    return refuse("%d inputs and %d outputs: at most %d of each", inputs, outputs, maximumOperands);
  }
  const int32_t* inputNumbers = reader.take(inputs);
  const int32_t* outputNumbers = inputNumbers ? reader.take(outputs) : nullptr;
  const int32_t* attributes = outputNumbers ? reader.take(words) : nullptr;
  if (!attributes) return refuse("it is cut off");
  instruction->kernel = names[static_cast<std::size_t>(name)];
  instruction->words.assign(attributes, attributes + words);
  Status status = readOperands("input", inputNumbers, inputs, program->buffers, &instruction->inputs, &instruction->inputTypes);
  if (!status.isOk()) return status;
  status = readOperands("output", outputNumbers, outputs, program->buffers, &instruction->outputs, &instruction->outputTypes);
  if (!status.isOk()) return status;
  Requirements requirements;
  status = instruction->kernel->verify(signatureOf(*instruction, 1), &requirements);
  if (!status.isOk()) return status;
  return status;
}

Status readLoop(Reader& reader, int32_t number, int64_t instructions, std::vector<Loop>* loops, std::vector<int32_t>* around) {
  const int32_t* words = reader.take(3);
  if (!words) return refuse("loop %d is cut off", number);
  const int32_t first = words[0], end = words[1], count = words[2];
  if (first < 0 || end <= first || end > instructions) {
    return refuse("loop %d runs from instruction %d to %d of %lld", number, first, end, static_cast<long long>(instructions));
  }
  if (count < 1) return refuse("loop %d runs %d times", number, count);
  if (!loops->empty() && first < loops->back().first) return refuse("loop %d begins before the loop in front of it", number);
  const auto outer = [&](int32_t index) -> const Loop& { return (*loops)[static_cast<std::size_t>(index)]; };
  while (!around->empty() && outer(around->back()).end <= first) around->pop_back();
  if (!around->empty() && end > outer(around->back()).end) return refuse("loop %d ends after the loop around it", number);
  if (around->size() == maximumDepth) return refuse("loop %d lies in more than %zu others", number, maximumDepth - 1);
  int64_t runs = count;
  for (const int32_t index : *around) runs *= outer(index).count;  // of those around it: at most maximumRuns
  if (runs > maximumRuns) return refuse("loop %d would run %lld times in one step", number, static_cast<long long>(runs));
  loops->push_back({first, end, count});
  around->push_back(number);
  return Status::ok();
}

// Loops, and what they mean for buffers: everything that could not be checked before they were known.
Status readLoops(Reader& reader, int32_t count, Program* program) {
  std::vector<int32_t> around;
  for (int32_t index = 0; index < count; ++index) {
    const Status status = readLoop(reader, index, static_cast<int64_t>(program->instructions.size()), &program->loops, &around);
    if (!status.isOk()) return status;
    const Loop& loop = program->loops.back();
    for (int32_t inside = loop.first; inside < loop.end; ++inside) {
      program->instructions[static_cast<std::size_t>(inside)].loops.push_back(index);
    }
    auto& ending = program->instructions[static_cast<std::size_t>(loop.end - 1)].endingLoops;
    ending.insert(ending.begin(), index);
  }
  for (std::size_t number = 0; number < program->buffers.size(); ++number) {
    const Buffer& buffer = program->buffers[number];
    int32_t before = -1;
    for (const Stride& stride : buffer.strides) {
      if (stride.loop < 0 || stride.loop >= count) return refuse("buffer %zu moves in loop %d, which is none", number, stride.loop);
      if (stride.loop <= before) return refuse("buffer %zu: its loops do not stand in order", number);
      before = stride.loop;
    }
    const Status status = checkReach(buffer, static_cast<int32_t>(number), program->loops, program->elements);
    if (!status.isOk()) return status;
  }
  return Status::ok();
}

Status checkInstruction(Program* program, Instruction* instruction) {
  for (const auto* operands : {&instruction->inputs, &instruction->outputs}) {
    for (const int32_t number : *operands) {
      if (number < 0) continue;
      for (const Stride& stride : program->buffers[static_cast<std::size_t>(number)].strides) {
        const auto& loops = instruction->loops;
        if (std::find(loops.begin(), loops.end(), stride.loop) == loops.end()) {
          return refuse("buffer %d moves in loop %d, which is another one", number, stride.loop);
        }
      }
    }
  }
  const Status status = checkOverlap(program, instruction);
  program->writes |= instruction->writes;
  return status;
}

Status readPorts(Reader& reader, const char* what, int32_t count, Arena arena, const std::vector<Buffer>& buffers,
                 std::vector<int32_t>* ports) {
  if (count > maximumOperands) return refuse("%d %s ports: at most %d", count, what, maximumOperands);
  const int32_t* numbers = reader.take(count);
  if (!numbers) return refuse("the %s ports are cut off", what);
  for (int32_t index = 0; index < count; ++index) {
    const int32_t number = numbers[index];
    if (number < 0 || number >= static_cast<int64_t>(buffers.size())) {
      return refuse("%s port %d: there is no buffer %d", what, index, number);
    }
    if (buffers[static_cast<std::size_t>(number)].arena != arena) {
      return refuse("%s port %d: buffer %d lies in another arena", what, index, number);
    }
    if (!buffers[static_cast<std::size_t>(number)].strides.empty()) {
      return refuse("%s port %d: buffer %d moves", what, index, number);
    }
    ports->push_back(number);
  }
  return Status::ok();
}

}  // namespace

Reach reachOf(const Buffer& buffer, const std::vector<Loop>& loops) noexcept {
  Reach reach{buffer.offset, buffer.offset + buffer.type.count()};
  for (const Stride& stride : buffer.strides) {
    const int64_t move = stride.elements * (loops[static_cast<std::size_t>(stride.loop)].count - 1);
    (move < 0 ? reach.low : reach.high) += move;
  }
  return reach;
}

Signature signatureOf(const Instruction& instruction, int threads) noexcept {
  const auto size = [](const auto& values) { return static_cast<int64_t>(values.size()); };
  Signature signature;
  signature.inputs = {instruction.inputTypes.data(), size(instruction.inputTypes)};
  signature.outputs = {instruction.outputTypes.data(), size(instruction.outputTypes)};
  signature.words = {instruction.words.data(), size(instruction.words)};
  signature.threads = threads;
  return signature;
}

Status Program::load(Span<const int32_t> words, const KernelTable& kernels, std::shared_ptr<const Program>* result) {
  Reader reader(words);
  const int32_t* head = reader.take(headWords);
  if (!head || head[0] != magic) return refuse("these words are not a program");
  if (head[1] != version) return refuse("program version %d, this engine reads version %d", head[1], version);
  auto program = std::make_shared<Program>();
  const int32_t nameCount = head[2], bufferCount = head[3], instructionCount = head[4];
  for (int index = 2; index < headWords; ++index) {
    if (head[index] < 0) return refuse("word %d is a negative count", index);
  }
  for (int arena = 0; arena < arenaCount; ++arena) program->elements[arena] = head[headWords - arenaCount + arena];

  std::vector<const Kernel*> names;
  for (int32_t index = 0; index < nameCount; ++index) {
    const int32_t* packed = reader.take(nameWords);
    if (!packed) return refuse("name %d is cut off", index);
    char name[nameWords * 4 + 1] = {0};
    std::memcpy(name, packed, nameWords * 4);
    const Kernel* kernel = kernels.find(name, std::strlen(name));
    if (!kernel) return refuse("the native engine has no operation '%.64s'", name);
    names.push_back(kernel);
  }
  for (int32_t index = 0; index < bufferCount; ++index) {
    Buffer buffer{};
    const Status status = readBuffer(reader, index, program->elements, &buffer);
    if (!status.isOk()) return status;
    program->buffers.push_back(buffer);
  }
  for (int32_t index = 0; index < instructionCount; ++index) {
    Instruction instruction{};
    const Status status = readInstruction(reader, names, program.get(), &instruction);
    if (!status.isOk()) {
      const char* name = instruction.kernel ? instruction.kernel->name : "?";
      return refuse("instruction %d (%s): %s", index, name, status.message);
    }
    program->instructions.push_back(std::move(instruction));
  }
  Status status = readLoops(reader, head[5], program.get());
  if (!status.isOk()) return status;
  for (std::size_t index = 0; index < program->instructions.size(); ++index) {
    Instruction& instruction = program->instructions[index];
    status = checkInstruction(program.get(), &instruction);
    if (!status.isOk()) return refuse("instruction %zu (%s): %s", index, instruction.kernel->name, status.message);
  }
  status = readPorts(reader, "input", head[6], Arena::input, program->buffers, &program->inputPorts);
  if (status.isOk()) status = readPorts(reader, "output", head[7], Arena::output, program->buffers, &program->outputPorts);
  if (!status.isOk()) return status;
  if (reader.remaining() != 0) {
    return refuse("%lld words follow the last port", static_cast<long long>(reader.remaining()));
  }
  *result = std::move(program);
  return Status::ok();
}

}  // namespace mneme
