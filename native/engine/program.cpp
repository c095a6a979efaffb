#include "engine/program.h"

#include <cstring>

namespace mneme {

namespace {

constexpr int32_t magic = 0x6d6e656d;
constexpr int32_t version = 1;
constexpr int64_t headWords = 7 + arenaCount;
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

struct Range {
  Arena arena;
  int64_t begin, end;
  Dtype dtype;
};

bool overlap(const Range& a, const Range& b) noexcept {
  return a.arena == b.arena && a.begin < b.end && b.begin < a.end;
}
bool same(const Range& a, const Range& b) noexcept {
  return a.arena == b.arena && a.begin == b.begin && a.end == b.end && a.dtype == b.dtype;
}

Status readBuffer(Reader& reader, int32_t number, const int64_t* elements, Buffer* buffer) noexcept {
  const int32_t* words = reader.take(4);
  if (!words) return refuse("buffer %d is cut off", number);
  const int32_t arena = words[0], offset = words[1], dtype = words[2], rank = words[3];
  if (arena < 0 || arena >= arenaCount) return refuse("buffer %d: no arena has the number %d", number, arena);
  if (dtype != 0 && dtype != 1) return refuse("buffer %d: no dtype has the number %d", number, dtype);
  if (rank < 1 || rank > maximumRank) return refuse("buffer %d: rank %d is not in 1 to %d", number, rank, maximumRank);
  if (offset < 0) return refuse("buffer %d: offset %d is negative", number, offset);
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

std::vector<Range> rangesOf(const std::vector<int32_t>& operands, const std::vector<Buffer>& buffers) {
  std::vector<Range> ranges;
  for (const int32_t number : operands) {
    if (number < 0) {
      ranges.push_back({Arena::scratch, 0, 0, Dtype::f32});  // empty: overlaps nothing
    } else {
      const Buffer& buffer = buffers[static_cast<std::size_t>(number)];
      ranges.push_back({buffer.arena, buffer.offset, buffer.offset + buffer.type.count(), buffer.type.dtype});
    }
  }
  return ranges;
}

bool hasBit(uint32_t mask, std::size_t index) noexcept { return index < 32 && (mask >> index & 1) != 0; }

// Notes which arenas are used and written, and refuses operands that overlap where they must not.
Status checkOverlap(const std::vector<Buffer>& buffers, Instruction* instruction, uint32_t* uses) {
  const Kernel& kernel = *instruction->kernel;
  const std::vector<Range> inputs = rangesOf(instruction->inputs, buffers);
  const std::vector<Range> outputs = rangesOf(instruction->outputs, buffers);
  const auto present = [](const Range& range) { return range.end > range.begin; };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!present(inputs[i])) continue;
    *uses |= 1u << static_cast<int>(inputs[i].arena);
    if (!hasBit(kernel.consumes, i)) continue;
    instruction->writes |= 1u << static_cast<int>(inputs[i].arena);
    for (std::size_t other = 0; other < inputs.size(); ++other) {
      if (other != i && overlap(inputs[i], inputs[other])) {
        return refuse("input %zu is overwritten and overlaps input %zu", i, other);
      }
    }
  }
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (!present(outputs[o])) continue;
    if (outputs[o].arena == Arena::input) return refuse("output %zu lies in the input arena", o);
    *uses |= 1u << static_cast<int>(outputs[o].arena);
    instruction->writes |= 1u << static_cast<int>(outputs[o].arena);
    for (std::size_t other = 0; other < o; ++other) {
      if (overlap(outputs[o], outputs[other])) return refuse("outputs %zu and %zu overlap", other, o);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!overlap(outputs[o], inputs[i])) continue;
      if (hasBit(kernel.inPlace, i) && !hasBit(kernel.consumes, i) && same(outputs[o], inputs[i])) continue;
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
  status = checkOverlap(program->buffers, instruction, &program->uses);
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
    ports->push_back(number);
  }
  return Status::ok();
}

}  // namespace

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
  Status status = readPorts(reader, "input", head[5], Arena::input, program->buffers, &program->inputPorts);
  if (status.isOk()) status = readPorts(reader, "output", head[6], Arena::output, program->buffers, &program->outputPorts);
  if (!status.isOk()) return status;
  if (reader.remaining() != 0) {
    return refuse("%lld words follow the last port", static_cast<long long>(reader.remaining()));
  }
  *result = std::move(program);
  return Status::ok();
}

}  // namespace mneme
