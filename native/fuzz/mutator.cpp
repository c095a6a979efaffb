#include "fuzz/mutator.h"

#include <algorithm>
#include <climits>

namespace mneme::fuzz {

namespace {

// The edges of what the engine counts with: signs, ranks, tiles, chunks, limits of operands and of expression code, 2^31.
constexpr int32_t edges[] = {0,   1,   -1,   2,    3,    4,    5,    7,    8,     15,    16,        17,        31,     32,     33,
                             63,  64,  65,   255,  256,  257,  512,  513,  1023,  1024,  1025,      4096,      4097,   32767,  65535,
                             65536, 1 << 20, 1 << 24, 1 << 30, INT_MAX, INT_MAX - 1, INT_MIN, INT_MIN + 1, 0x7f800000, 0x7fc00000, 0x3f800000};

}  // namespace

std::size_t Mutator::below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(random_() % limit); }

int32_t Mutator::tempting() {
  switch (below(4)) {
    case 0: return static_cast<int32_t>(random_());
    case 1: return static_cast<int32_t>(below(20));
    default: return edges[below(std::size(edges))];
  }
}

Words Mutator::mutate(const Words& program, const Words& other) {
  Draft draft, lender;
  if (!Draft::read(program, &draft) || chance(8)) {
    Words words = program;
    do mutateWords(&words, other);
    while (chance(2));
    return words;
  }
  if (!Draft::read(other, &lender)) lender = draft;
    // Mostly one change, which is all that many programs survive.
  do mutateDraft(&draft, lender);
  while (chance(3));
  if (!chance(10)) draft.fitArenas();
  return draft.words();
}

void Mutator::mutateDraft(Draft* draft, const Draft& other) {
  switch (below(11)) {
    case 0: case 1: case 2: return mutateBuffer(draft);
    case 3: case 4: case 5: case 6: return mutateInstruction(draft);
    case 7: return splice(draft, other);
    case 8: return mutateLoops(draft);
    case 9: draft->elements[below(6)] = tempting(); return;
    default: {
      Words& ports = chance(2) ? draft->inputPorts : draft->outputPorts;
      if (ports.empty() || chance(3)) ports.push_back(static_cast<int32_t>(below(draft->buffers.size() + 1)));
      else if (chance(2)) ports.erase(ports.begin() + static_cast<std::ptrdiff_t>(below(ports.size())));
      else ports[below(ports.size())] = tempting();
    }
  }
}

void Mutator::mutateBuffer(Draft* draft) {
  if (draft->buffers.empty()) return;
  Draft::Buffer& buffer = draft->buffers[below(draft->buffers.size())];
  const Draft::Buffer& model = draft->buffers[below(draft->buffers.size())];
  switch (below(10)) {
    case 0: buffer.arena = chance(8) ? tempting() : static_cast<int32_t>(below(6)); return;
    case 1: buffer.offset = chance(3) ? tempting() : model.offset; return;
    case 2: buffer.dtype = chance(8) ? tempting() : 1 - buffer.dtype; return;
    case 3: buffer.shape = model.shape; return;
    case 4: buffer = model; return;
    case 5: {
      const auto at = static_cast<std::ptrdiff_t>(below(buffer.shape.size() + 1));
      if (chance(2) || buffer.shape.empty()) buffer.shape.insert(buffer.shape.begin() + at, chance(2) ? 1 : tempting());
      else buffer.shape.erase(buffer.shape.begin() + std::min<std::ptrdiff_t>(at, static_cast<std::ptrdiff_t>(buffer.shape.size()) - 1));
      return;
    }
    case 6: {
      Words& strides = buffer.strides;
      if (strides.empty() || chance(4)) {
        strides.push_back(static_cast<int32_t>(below(draft->loops.size() + 1)));
        strides.push_back(chance(2) ? tempting() : static_cast<int32_t>(below(40)) - 20);
      } else if (chance(3)) {
        strides.resize(strides.size() - 2);
      } else {
        strides[below(strides.size())] = chance(2) ? tempting() : static_cast<int32_t>(below(40)) - 20;
      }
      return;
    }
    default: {
      if (buffer.shape.empty()) return;
      int32_t& extent = buffer.shape[below(buffer.shape.size())];
      const int32_t before = extent;
      const int32_t after = chance(2) ? static_cast<int32_t>(below(40) + 1) : tempting();
      extent = after;
      // Everywhere: then what belonged together still fits.
      if (chance(3)) return;
      for (Draft::Buffer& each : draft->buffers) std::replace(each.shape.begin(), each.shape.end(), before, after);
    }
  }
}

void Mutator::mutateLoops(Draft* draft) {
  auto& loops = draft->loops;
  if (loops.empty() || chance(4)) {
    const auto first = static_cast<int32_t>(below(draft->instructions.size() + 1));
    const auto length = static_cast<int32_t>(below(draft->instructions.size() + 1));
    loops.insert(loops.begin() + static_cast<std::ptrdiff_t>(below(loops.size() + 1)), {first, first + length, static_cast<int32_t>(below(4) + 1)});
    return;
  }
  const std::size_t at = below(loops.size());
  if (chance(4)) loops.erase(loops.begin() + static_cast<std::ptrdiff_t>(at));
  else loops[at][below(3)] = chance(3) ? tempting() : static_cast<int32_t>(below(draft->instructions.size() + 2));
}

void Mutator::mutateInstruction(Draft* draft) {
  if (draft->instructions.empty()) return;
  const std::size_t at = below(draft->instructions.size());
  Draft::Instruction& instruction = draft->instructions[at];
  Words& operands = chance(2) ? instruction.inputs : instruction.outputs;
  const auto buffer = [&] { return static_cast<int32_t>(below(draft->buffers.size() + 1)) - 1; };
  switch (below(10)) {
    case 0: {
      const auto kernel = below(static_cast<std::size_t>(kernels_.kernels.size));
      instruction.name = draft->nameOf(kernels_.kernels[static_cast<int64_t>(kernel)]->name);
      return;
    }
    case 1: case 2: if (!operands.empty()) operands[below(operands.size())] = chance(10) ? tempting() : buffer(); return;
    case 3: operands.push_back(buffer()); return;
    case 4: if (!operands.empty()) operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(below(operands.size()))); return;
    case 5: if (!operands.empty()) std::swap(operands[below(operands.size())], operands[below(operands.size())]); return;
    case 6: {
      const auto position = [&](std::size_t index) { return draft->instructions.begin() + static_cast<std::ptrdiff_t>(index); };
      const std::size_t second = below(draft->instructions.size());
      if (chance(3)) draft->instructions.erase(position(at));
      else if (chance(2)) std::iter_swap(position(at), position(second));
      else draft->instructions.insert(position(second), Draft::Instruction(instruction));
      return;
    }
    default: mutateAttributes(&instruction.words);
  }
}

void Mutator::mutateAttributes(Words* words) {
  const auto place = [&] { return words->begin() + static_cast<std::ptrdiff_t>(below(words->size())); };
  if (words->empty() || chance(8)) return void(words->insert(words->begin() + static_cast<std::ptrdiff_t>(below(words->size() + 1)), tempting()));
  switch (below(6)) {
    case 0: words->erase(place()); return;
    case 1: *place() = *place(); return;
    case 2: *place() ^= static_cast<int32_t>(1u << below(32)); return;
    case 3: *place() = static_cast<int32_t>(static_cast<uint32_t>(*place()) + static_cast<uint32_t>(below(3)) - 1u); return;
    default: *place() = tempting();
  }
}

// An instruction of the other program, with the buffers it works on.
void Mutator::splice(Draft* draft, const Draft& other) {
  if (other.instructions.empty() || draft->instructions.size() > 60 || draft->buffers.size() > 300) return;
  Draft::Instruction instruction = other.instructions[below(other.instructions.size())];
  if (instruction.name < 0 || instruction.name >= static_cast<int32_t>(other.names.size())) return;
  const auto& name = other.names[static_cast<std::size_t>(instruction.name)];
  const auto known = std::find(draft->names.begin(), draft->names.end(), name);
  instruction.name = static_cast<int32_t>(known - draft->names.begin());
  if (known == draft->names.end()) draft->names.push_back(name);
  for (Words* operands : {&instruction.inputs, &instruction.outputs}) {
    for (int32_t& operand : *operands) {
      if (operand < 0 || operand >= static_cast<int32_t>(other.buffers.size())) continue;
      draft->buffers.push_back(other.buffers[static_cast<std::size_t>(operand)]);
      if (draft->loops.empty()) draft->buffers.back().strides.clear();
      operand = static_cast<int32_t>(draft->buffers.size()) - 1;
    }
  }
  const auto at = static_cast<std::ptrdiff_t>(below(draft->instructions.size() + 1));
  draft->instructions.insert(draft->instructions.begin() + at, std::move(instruction));
}

void Mutator::mutateWords(Words* words, const Words& other) {
  const std::size_t at = below(words->size());
  const auto place = words->begin() + static_cast<std::ptrdiff_t>(at);
  if (words->empty()) return void(words->push_back(tempting()));
  switch (below(6)) {
    case 0: *place ^= static_cast<int32_t>(1u << below(32)); return;
    case 1: words->resize(at); return;
    case 2: words->insert(place, tempting()); return;
    case 3: words->erase(place); return;
    case 4: {
      const std::size_t from = below(other.size());
      const std::size_t count = std::min({below(32) + 1, other.size() - from, words->size() - at});
      std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count, place);
      return;
    }
    default: *place = tempting();
  }
}

}  // namespace mneme::fuzz
