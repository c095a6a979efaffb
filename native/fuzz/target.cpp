#include "fuzz/target.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/execution.h"
#include "engine/program.h"

namespace mneme::fuzz {

namespace {

// What is run is small enough that a hundred thousand of them take minutes: verification itself has no such limits.
constexpr int64_t mostElements = 1 << 14;       // of all arenas together
constexpr int64_t mostWork = int64_t{1} << 24;  // elements touched, very roughly
constexpr int64_t mostRuns = 64;                // of an instruction in loops
constexpr int64_t mostBytes = int64_t{64} << 20;

[[noreturn]] void fail(const char* what, const std::string& detail) {
  std::fprintf(stderr, "fuzz: %s: %s\n", what, detail.c_str());
  std::abort();
}

// Elements of exactly the size that was asked for: one behind the last is an error that the sanitizer sees.
class Exact {
 public:
  explicit Exact(int64_t elements) : elements_(elements), words_(new int32_t[static_cast<std::size_t>(elements)]) {}
  char* data() const { return reinterpret_cast<char*>(words_.get()); }
  int64_t elements() const { return elements_; }
  int32_t& operator[](int64_t index) const { return words_[static_cast<std::size_t>(index)]; }

 private:
  int64_t elements_;
  std::unique_ptr<int32_t[]> words_;
};

// Numbers of every kind: small ids, ordinary floats, and among them the ones that are not.
void fill(int32_t* words, int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const bool hostile = random() % 4 == 0;
  for (int64_t index = 0; index < count; ++index) {
    const uint64_t draw = random();
    if (hostile && draw % 8 == 0) {
      words[index] = static_cast<int32_t>(draw >> 32);
    } else if (draw % 3 == 0) {
      words[index] = static_cast<int32_t>(draw >> 32 & 3);
    } else {
      const float value = static_cast<float>(static_cast<int64_t>(draw >> 40) - (1 << 23)) * 0x1p-22f;
      std::memcpy(&words[index], &value, 4);
    }
  }
}

bool isNan(int32_t word) { return (word & 0x7fffffff) > 0x7f800000; }

// Where two memories differ, or -1. NaNs are equal: which of two NaNs a sum takes over is not said anywhere.
int64_t firstDifference(const char* a, const char* b, int64_t count) {
  for (int64_t index = 0; index < count; ++index) {
    int32_t first, second;
    std::memcpy(&first, a + index * 4, 4);
    std::memcpy(&second, b + index * 4, 4);
    if (first != second && !(isNan(first) && isNan(second))) return index;
  }
  return -1;
}

// All arenas of one run.
struct World {
  std::shared_ptr<Persistent> memories[persistentArenas];
  std::vector<Exact> own;  // scratch, input, output

  World(const Program& program, uint64_t seed) {
    for (int arena = 0; arena < arenaCount; ++arena) {
      if (arena < persistentArenas) {
        if (!Persistent::allocate(program.elements[arena], &memories[arena]).isOk()) fail("memory", "refused");
      } else {
        own.emplace_back(program.elements[arena]);
      }
      fill(reinterpret_cast<int32_t*>(data(arena)), program.elements[arena], seed + static_cast<uint64_t>(arena));
    }
    // A block is rounded up to a cache line; what lies behind its elements belongs to nobody.
    for (int arena = 0; arena < persistentArenas; ++arena) {
      const int64_t bytes = program.elements[arena] * 4;
      ASAN_POISON_MEMORY_REGION(data(arena) + bytes, static_cast<std::size_t>((bytes + 63) / 64 * 64 - bytes));
    }
  }
  ~World() {
    for (const auto& memory : memories) {
      const int64_t bytes = memory->elements() * 4;
      ASAN_UNPOISON_MEMORY_REGION(memory->data() + bytes, static_cast<std::size_t>((bytes + 63) / 64 * 64 - bytes));
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  char* data(int arena) const {
    return arena < persistentArenas ? memories[arena]->data() : own[static_cast<std::size_t>(arena - persistentArenas)].data();
  }
};

Team& teamOf(int threads) {
  static std::map<int, std::unique_ptr<Team>> teams;
  std::unique_ptr<Team>& team = teams[threads];
  if (!team) team = std::make_unique<Team>(threads);
  return *team;
}

struct Way {
  const char* instructionSet;
  int threads;
};

std::string nameOf(const Way& way) { return std::string(way.instructionSet) + " with " + std::to_string(way.threads) + " threads"; }

struct Loaded {
  std::shared_ptr<const Program> program;
  std::unique_ptr<Execution> execution;
};

// An unknown workspace, different in each run: what reads it before writing it gives different results.
Exact workspaceOf(const Execution& execution, int32_t pattern) {
  Exact workspace((execution.workspaceBytes() + 3) / 4 + 16);
  for (int64_t index = 0; index < workspace.elements(); ++index) workspace[index] = pattern;
  return workspace;
}

void* aligned(const Exact& workspace) {
  const auto address = reinterpret_cast<uintptr_t>(workspace.data());
  return reinterpret_cast<void*>((address + 63) / 64 * 64);
}

Status run(const Loaded& loaded, const World& world, int threads, int32_t pattern) {
  Step step;
  step.memories = world.memories;
  step.scratch = world.data(static_cast<int>(Arena::scratch));
  step.input = world.data(static_cast<int>(Arena::input));
  step.output = world.data(static_cast<int>(Arena::output));
  const Exact workspace = workspaceOf(*loaded.execution, pattern);
  const Status status = loaded.execution->run(step, teamOf(threads), aligned(workspace));
  if (!status.isOk() && status.code != Code::outOfRange) fail("a verified program failed", status.message);
  return status;
}

void requireUntouched(const Program& program, const World& world, uint64_t seed) {
  for (int arena = 0; arena < arenaCount; ++arena) {
    if ((program.writes >> arena & 1) != 0) continue;
    const int64_t elements = program.elements[arena];
    const Exact before(elements);
    if (elements == 0) continue;
    fill(&before[0], elements, seed + static_cast<uint64_t>(arena));
    if (std::memcmp(before.data(), world.data(arena), static_cast<std::size_t>(elements * 4)) != 0) {
      fail("a program changed an arena that it does not say it writes", std::to_string(arena));
    }
  }
}

// What a tape holds is the business of the kernel that writes it and of its gradient alone, and lanes without a unit hold
// anything. So results are compared where nobody else reads a tape, and without the tapes.
struct Tapes {
  std::vector<const Buffer*> buffers;
  bool readByOthers = false;
};

Tapes tapesOf(const Program& program) {
  constexpr std::size_t written = 3, read = 14;  // by `recurrent`, by `recurrentGradient`
  constexpr std::size_t lengths = 12;            // of the rows: which of them the tape is about
  const auto isCalled = [](const Instruction& instruction, const char* name) { return std::strcmp(instruction.kernel->name, name) == 0; };
  const auto overlap = [&](const Buffer& a, const Buffer& b) {
    const Reach first = reachOf(a, program.loops), second = reachOf(b, program.loops);
    return a.arena == b.arena && first.low < second.high && second.low < first.high;
  };
  const auto sameType = [](const OperandType& a, const OperandType& b) {
    return a.dtype == b.dtype && a.rank == b.rank && std::memcmp(a.shape, b.shape, sizeof a.shape) == 0;
  };
  Tapes tapes;
  for (const Instruction& writer : program.instructions) {
    if (!isCalled(writer, "recurrent") || writer.outputs.size() <= written || writer.outputs[written] < 0) continue;
    const int32_t number = writer.outputs[written];
    const Buffer& tape = program.buffers[static_cast<std::size_t>(number)];
    tapes.buffers.push_back(&tape);
    if (!tape.strides.empty()) tapes.readByOthers = true;  // one in each iteration
    for (const Instruction& other : program.instructions) {
      const bool isGradient = isCalled(other, "recurrentGradient") && other.words == writer.words &&
                              std::equal(writer.inputTypes.begin(), writer.inputTypes.begin() + 13, other.inputTypes.begin(), sameType) &&
                              writer.inputs[lengths] == other.inputs[lengths];
      for (const auto* operands : {&other.inputs, &other.outputs}) {
        for (std::size_t index = 0; index < operands->size(); ++index) {
          const int32_t operand = (*operands)[index];
          if (operand < 0 || !overlap(tape, program.buffers[static_cast<std::size_t>(operand)])) continue;
          const bool own = &other == &writer && operands == &other.outputs && index == written;
          const bool itsGradient = isGradient && operands == &other.inputs && index == read && operand == number;
          if (!own && !itsGradient) tapes.readByOthers = true;
        }
      }
    }
  }
  return tapes;
}

void requireSame(const Program& program, const World& a, const World& b, const Way& way) {
  const Tapes tapes = tapesOf(program);
  if (tapes.readByOthers) return;
  for (const Buffer* tape : tapes.buffers) {
    const auto bytes = static_cast<std::size_t>(tape->type.count() * 4);
    const int arena = static_cast<int>(tape->arena);
    std::memcpy(b.data(arena) + tape->offset * 4, a.data(arena) + tape->offset * 4, bytes);
  }
  for (int arena = 0; arena < arenaCount; ++arena) {
    const int64_t at = firstDifference(a.data(arena), b.data(arena), program.elements[arena]);
    if (at < 0) continue;
    float expected, got;
    std::memcpy(&expected, a.data(arena) + at * 4, 4);
    std::memcpy(&got, b.data(arena) + at * 4, 4);
    fail("another result than portable with one thread",
         nameOf(way) + ": " + std::to_string(got) + " instead of " + std::to_string(expected) + " at element " +
             std::to_string(at) + " of arena " + std::to_string(arena));
  }
}

// Each instruction by itself, with a block for each operand: leaving one is an error even where another would come next.
void runApart(const Program& program, const KernelTable& kernels, const Way& way, uint64_t seed) {
  for (const Instruction& instruction : program.instructions) {
    Draft draft;
    draft.nameOf(instruction.kernel->name);
    std::map<int32_t, std::pair<int32_t, std::unique_ptr<Exact>>> blocks;  // by buffer; buffers at one place share one
    Draft::Instruction alone{0, {}, {}, instruction.words};
    const auto operand = [&](int32_t number) -> int32_t {
      if (number < 0) return -1;
      const Buffer& buffer = program.buffers[static_cast<std::size_t>(number)];
      for (const auto& [other, block] : blocks) {
        const Buffer& known = program.buffers[static_cast<std::size_t>(other)];
        const bool samePlace = known.arena == buffer.arena && known.offset == buffer.offset && known.type.count() == buffer.type.count();
        if (other == number || samePlace) {
          if (other == number) return block.first;
          // A view of the same elements: the same place in the new program.
          Draft::Buffer view = draft.buffers[static_cast<std::size_t>(block.first)];
          view.dtype = static_cast<int32_t>(buffer.type.dtype);
          view.shape.assign(buffer.type.shape, buffer.type.shape + buffer.type.rank);
          draft.buffers.push_back(view);
          return static_cast<int32_t>(draft.buffers.size()) - 1;
        }
      }
      const auto index = static_cast<int32_t>(draft.buffers.size());
      const int64_t count = buffer.type.count();
      draft.buffers.push_back({static_cast<int32_t>(Arena::scratch), draft.elements[static_cast<int>(Arena::scratch)],
                               static_cast<int32_t>(buffer.type.dtype), Words(buffer.type.shape, buffer.type.shape + buffer.type.rank)});
      draft.elements[static_cast<int>(Arena::scratch)] += static_cast<int32_t>(count);
      auto block = std::make_unique<Exact>(count);
      fill(&(*block)[0], count, seed + static_cast<uint64_t>(index));
      blocks.emplace(number, std::make_pair(index, std::move(block)));
      return index;
    };
    for (const int32_t number : instruction.inputs) alone.inputs.push_back(operand(number));
    for (const int32_t number : instruction.outputs) alone.outputs.push_back(operand(number));
    draft.instructions.push_back(alone);

    Loaded loaded;
    const Words words = draft.words();
    const Status status = Program::load({words.data(), static_cast<int64_t>(words.size())}, kernels, &loaded.program);
    // Inputs that overlap in part lie apart here, and other operands then need not fit as they did: the whole was run already.
    if (!status.isOk() || !Execution::create(loaded.program, way.threads, &loaded.execution).isOk()) continue;
    const auto pointers = [&](const Words& operands) {
      std::vector<void*> result{};
      for (const int32_t number : operands) {
        void* place = nullptr;
        for (const auto& [_, block] : blocks) {
          if (number >= 0 && draft.buffers[static_cast<std::size_t>(number)].offset ==
                                 draft.buffers[static_cast<std::size_t>(block.first)].offset) {
            place = block.second->data();
          }
        }
        result.push_back(place);
      }
      result.push_back(nullptr);
      return result;
    };
    const std::vector<void*> inputs = pointers(alone.inputs), outputs = pointers(alone.outputs);
    const Exact workspace = workspaceOf(*loaded.execution, -1);
    const Status ran = loaded.execution->runOn(inputs.data(), outputs.data(), teamOf(way.threads), aligned(workspace));
    if (!ran.isOk() && ran.code != Code::outOfRange) fail("a verified instruction failed", ran.message);
  }
}

bool isSmall(const Program& program) {
  int64_t elements = 0, work = 0;
  for (const int64_t arena : program.elements) elements += arena;
  if (elements > mostElements) return false;
  for (const Instruction& instruction : program.instructions) {
    int64_t touched = static_cast<int64_t>(instruction.words.size()), longest = 1;
    for (const auto* types : {&instruction.inputTypes, &instruction.outputTypes}) {
      for (const OperandType& type : *types) {
        touched += type.count();
        for (int axis = 0; axis < type.rank; ++axis) longest = std::max<int64_t>(longest, type.shape[axis]);
      }
    }
    int64_t runs = 1;
    for (const int32_t loop : instruction.loops) runs *= program.loops[static_cast<std::size_t>(loop)].count;
    if (runs > mostRuns) return false;
    work += runs * touched * std::max<int64_t>(longest, static_cast<int64_t>(instruction.words.size()) / 6);
  }
  return work <= mostWork;
}

// Refused, or loaded for this way of running. Every refusal has a reason.
Outcome prepare(const Words& words, const Way& way, Loaded* loaded) {
  const KernelTable* kernels = kernelTable(way.instructionSet);
  Status status = Program::load({words.data(), static_cast<int64_t>(words.size())}, *kernels, &loaded->program);
  if (status.isOk()) {
    if (!isSmall(*loaded->program)) return Outcome::tooLarge;
    status = Execution::create(loaded->program, way.threads, &loaded->execution);
  }
  if (status.isOk()) return loaded->execution->workspaceBytes() <= mostBytes ? Outcome::ran : Outcome::tooLarge;
  if (status.message[0] == '\0') fail("a refusal without a reason", nameOf(way));
  if (status.code != Code::invalidProgram && status.code != Code::outOfMemory) fail("a refusal of another kind", status.message);
  return Outcome::refused;
}

}  // namespace

Outcome check(const Words& words, uint64_t seed) {
  const Way plain{"portable", 1};
  Loaded reference;
  const Outcome outcome = prepare(words, plain, &reference);
  if (outcome == Outcome::tooLarge) return outcome;

  std::vector<Way> ways;
  for (const char* instructionSet : {"portable", "avx2", "avx512"}) {
    for (const int threads : {1, 2, 3}) {
      if (kernelTable(instructionSet)) ways.push_back({instructionSet, threads});
    }
  }
  const Way way = ways[seed % ways.size()];
  Loaded other;
  if (prepare(words, way, &other) != outcome) fail("refused by some and taken by others", nameOf(way));
  if (outcome != Outcome::ran) return outcome;

  const World expected(*reference.program, seed), world(*other.program, seed);
  const Status first = run(reference, expected, plain.threads, 0x7fc00000);
  const Status second = run(other, world, way.threads, 0x12345678);
  requireUntouched(*reference.program, expected, seed);
  requireUntouched(*other.program, world, seed);
  if (first.isOk() != second.isOk()) fail("fails in some runs only", nameOf(way));
  // What was half done when a step failed depends on who was faster.
  if (first.isOk()) requireSame(*reference.program, expected, world, way);
  runApart(*other.program, *kernelTable(way.instructionSet), way, seed);
  return Outcome::ran;
}

void operationsOf(const Words& words, void (*take)(void* context, const char* name), void* context) {
  Draft draft;
  if (!Draft::read(words, &draft)) return;
  for (const auto& name : draft.names) {
    char text[sizeof name + 1] = {0};
    std::memcpy(text, name.data(), sizeof name);
    take(context, text);
  }
}

}  // namespace mneme::fuzz
