#include "fuzz/draft.h"

#include <algorithm>
#include <cstring>

namespace mneme::fuzz {

namespace {

constexpr int32_t magic = 0x6d6e656d;
constexpr int32_t version = 2;
constexpr int32_t headWords = 14;
constexpr int32_t most = 1 << 16;  // of anything that is counted

class Reader {
 public:
  explicit Reader(const Words& words) : words_(words) {}
  bool take(int32_t count, Words* result) {
    if (count < 0 || count > most || static_cast<std::size_t>(count) > words_.size() - at_) return false;
    const auto first = words_.begin() + static_cast<std::ptrdiff_t>(at_);
    result->assign(first, first + count);
    at_ += static_cast<std::size_t>(count);
    return true;
  }
  bool atEnd() const { return at_ == words_.size(); }

 private:
  const Words& words_;
  std::size_t at_ = 0;
};

void append(Words* words, const Words& more) { words->insert(words->end(), more.begin(), more.end()); }

template <typename List>
int32_t sizeOf(const List& list) {
  return static_cast<int32_t>(list.size());
}

}  // namespace

bool Draft::read(const Words& words, Draft* result) {
  Reader reader(words);
  Words head, part;
  if (!reader.take(headWords, &head) || head[0] != magic || head[1] != version) return false;
  for (int index = 2; index < 8; ++index) {
    if (head[static_cast<std::size_t>(index)] < 0 || head[static_cast<std::size_t>(index)] > most) return false;
  }
  *result = Draft{};
  std::copy(head.begin() + 8, head.end(), result->elements.begin());
  for (int32_t index = 0; index < head[2]; ++index) {
    if (!reader.take(16, &part)) return false;
    result->names.emplace_back();
    std::copy(part.begin(), part.end(), result->names.back().begin());
  }
  for (int32_t index = 0; index < head[3]; ++index) {
    Buffer buffer;
    if (!reader.take(5, &part) || part[4] < 0 || part[4] > most || !reader.take(part[3], &buffer.shape) ||
        !reader.take(2 * part[4], &buffer.strides)) {
      return false;
    }
    buffer.arena = part[0];
    buffer.offset = part[1];
    buffer.dtype = part[2];
    result->buffers.push_back(std::move(buffer));
  }
  for (int32_t index = 0; index < head[4]; ++index) {
    Instruction instruction;
    if (!reader.take(4, &part) || !reader.take(part[1], &instruction.inputs) || !reader.take(part[2], &instruction.outputs) ||
        !reader.take(part[3], &instruction.words)) {
      return false;
    }
    instruction.name = part[0];
    result->instructions.push_back(std::move(instruction));
  }
  for (int32_t index = 0; index < head[5]; ++index) {
    if (!reader.take(3, &part)) return false;
    result->loops.push_back({part[0], part[1], part[2]});
  }
  return reader.take(head[6], &result->inputPorts) && reader.take(head[7], &result->outputPorts) && reader.atEnd();
}

Words Draft::words() const {
  const auto count = [](const auto& list) { return static_cast<int32_t>(list.size()); };
  Words all{magic, version, count(names), count(buffers), count(instructions), count(loops), count(inputPorts), count(outputPorts)};
  all.insert(all.end(), elements.begin(), elements.end());
  for (const auto& name : names) all.insert(all.end(), name.begin(), name.end());
  for (const Buffer& buffer : buffers) {
    append(&all, {buffer.arena, buffer.offset, buffer.dtype, sizeOf(buffer.shape), sizeOf(buffer.strides) / 2});
    append(&all, buffer.shape);
    append(&all, buffer.strides);
  }
  for (const Instruction& instruction : instructions) {
    append(&all, {instruction.name, sizeOf(instruction.inputs), sizeOf(instruction.outputs), sizeOf(instruction.words)});
    append(&all, instruction.inputs);
    append(&all, instruction.outputs);
    append(&all, instruction.words);
  }
  for (const auto& loop : loops) all.insert(all.end(), loop.begin(), loop.end());
  append(&all, inputPorts);
  append(&all, outputPorts);
  return all;
}

int32_t Draft::nameOf(const char* kernel) {
  std::array<int32_t, 16> packed{};
  std::memcpy(packed.data(), kernel, std::min<std::size_t>(std::strlen(kernel), sizeof packed - 1));
  const auto found = std::find(names.begin(), names.end(), packed);
  const auto index = static_cast<int32_t>(found - names.begin());
  if (found == names.end()) names.push_back(packed);
  return index;
}

void Draft::fitArenas() {
  std::array<int64_t, 6> reach{};
  for (const Buffer& buffer : buffers) {
    if (buffer.arena < 0 || buffer.arena >= 6) continue;
    int64_t count = 1;
    for (const int32_t extent : buffer.shape) count = std::min<int64_t>(count * std::max(extent, 1), INT32_MAX);
    int64_t furthestMove = 0;
    for (std::size_t at = 0; at + 1 < buffer.strides.size(); at += 2) {
      const int32_t loop = buffer.strides[at];
      if (loop < 0 || loop >= sizeOf(loops)) continue;
      const int64_t move = int64_t{buffer.strides[at + 1]} * (std::max(loops[static_cast<std::size_t>(loop)][2], 1) - 1);
      furthestMove = std::min<int64_t>(furthestMove + std::max<int64_t>(move, 0), INT32_MAX);
    }
    auto& furthest = reach[static_cast<std::size_t>(buffer.arena)];
    furthest = std::max(furthest, buffer.offset + count + furthestMove);
  }
  for (std::size_t arena = 0; arena < reach.size(); ++arena) {
    elements[arena] = static_cast<int32_t>(std::min<int64_t>(reach[arena], INT32_MAX));
  }
}

}  // namespace mneme::fuzz
