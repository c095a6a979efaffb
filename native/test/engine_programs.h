// What tests of the engine run: kernels made for them, programs built of words, and a stream whose owner waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/stream.h"
#include "test/check.h"

namespace mneme::test {

inline Status verifySameCount(const Signature& signature, Requirements*) noexcept {
  if (signature.inputs.size != 1 || signature.outputs.size != 1 || !signature.inputs[0].present ||
      !signature.outputs[0].present || signature.inputs[0].count() != signature.outputs[0].count()) {
    return Status::error(Code::invalidProgram, "one input and one output of the same count");
  }
  return Status::ok();
}

inline Status runCopy(const Call& call) noexcept {
  std::memcpy(call.outputs[0], call.inputs[0], static_cast<std::size_t>(call.signature->inputs[0].count() * 4));
  return Status::ok();
}

// y = x + 1, shared out over the team
inline Status runAddOne(const Call& call) noexcept {
  const int64_t count = call.signature->inputs[0].count();
  call.team->run([&](int member) {
    const Share share = shareOf(count, member, call.team->size());
    for (int64_t index = share.begin; index < share.end; ++index) call.output(0)[index] = call.input(0)[index] + 1;
  });
  return Status::ok();
}

// y = 10 * x, through a packed copy; workspace and packing are as large as it asked
inline Status verifyPacked(const Signature& signature, Requirements* requirements) noexcept {
  requirements->preparedBytes = signature.inputs.size == 1 ? signature.inputs[0].count() * 4 : 0;
  requirements->preparedInputs = 1;
  requirements->workspaceBytes = 64 * signature.threads;
  return verifySameCount(signature, requirements);
}
inline std::atomic<int> preparations{0};
inline void prepareTimesTen(const Call& call) noexcept {
  ++preparations;
  for (int64_t index = 0; index < call.signature->inputs[0].count(); ++index) {
    static_cast<float*>(call.prepared)[index] = 10 * call.input(0)[index];
  }
}
inline Status runPacked(const Call& call) noexcept {
  std::memset(call.workspace, 1, static_cast<std::size_t>(64 * call.team->size()));
  std::memcpy(call.outputs[0], call.prepared, static_cast<std::size_t>(call.signature->inputs[0].count() * 4));
  return Status::ok();
}

// Overwrites its input.
inline Status runConsume(const Call& call) noexcept {
  for (int64_t index = 0; index < call.signature->inputs[0].count(); ++index) call.mutableInput(0)[index] = -1;
  return Status::ok();
}
inline Status verifyConsume(const Signature& signature, Requirements*) noexcept {
  return signature.inputs.size >= 1 && signature.inputs[0].present ? Status::ok()
                                                                   : Status::error(Code::invalidProgram, "one input");
}

// Runs until the stream is stopped.
inline Status runForever(const Call& call) noexcept {
  while (!call.team->stopping()) std::this_thread::yield();
  return Status::error(Code::stopped, "stopped");
}

inline Status runFail(const Call&) noexcept { return Status::error(Code::outOfRange, "id 70 at position 3"); }

inline const Kernel copyKernel{"copy", verifySameCount, nullptr, runCopy, 0, 0};
inline const Kernel addOne{"addOne", verifySameCount, nullptr, runAddOne, 0, 1};
inline const Kernel packed{"packed", verifyPacked, prepareTimesTen, runPacked, 0, 0};
inline const Kernel consume{"consume", verifyConsume, nullptr, runConsume, 1, 0};
inline const Kernel forever{"forever", verifySameCount, nullptr, runForever, 0, 0};
inline const Kernel fail{"fail", verifySameCount, nullptr, runFail, 0, 0};
inline const Kernel* const kernels[] = {&copyKernel, &addOne, &packed, &consume, &forever, &fail};
inline const KernelTable table{"test", {kernels, 6}, nullptr};

enum : int32_t { parameters, updater, state, scratch, input, output };

// A program as words: all buffers are vectors of f32.
struct Builder {
  struct Range {
    int32_t arena, offset, count;
    std::vector<int32_t> strides{};  // loop and elements in turn
  };
  struct Step {
    const char* name;
    std::vector<int32_t> inputs, outputs;
  };
  std::vector<int32_t> elements{16, 16, 16, 16, 16, 16};
  std::vector<Range> buffers;
  std::vector<Step> steps;
  std::vector<std::vector<int32_t>> loops;  // first, end, count
  std::vector<int32_t> inputPorts, outputPorts;

  std::vector<int32_t> words() const {
    std::vector<int32_t> all{0x6d6e656d, 2, size(steps), size(buffers), size(steps), size(loops), size(inputPorts), size(outputPorts)};
    append(all, elements);
    for (const Step& step : steps) {
      char name[64] = {0};
      std::strcpy(name, step.name);
      int32_t packedName[16];
      std::memcpy(packedName, name, 64);
      all.insert(all.end(), packedName, packedName + 16);
    }
    for (const Range& range : buffers) {
      append(all, {range.arena, range.offset, 0, 1, size(range.strides) / 2, range.count});
      append(all, range.strides);
    }
    for (int32_t index = 0; index < size(steps); ++index) {
      const Step& step = steps[static_cast<std::size_t>(index)];
      append(all, {index, size(step.inputs), size(step.outputs), 0});
      append(all, step.inputs);
      append(all, step.outputs);
    }
    for (const auto& loop : loops) append(all, loop);
    append(all, inputPorts);
    append(all, outputPorts);
    return all;
  }
  template <typename Type>
  static int32_t size(const std::vector<Type>& values) {
    return static_cast<int32_t>(values.size());
  }
  static void append(std::vector<int32_t>& all, const std::vector<int32_t>& more) {
    all.insert(all.end(), more.begin(), more.end());
  }
};

inline Status load(const std::vector<int32_t>& words, std::shared_ptr<const Program>* program) {
  return Program::load({words.data(), static_cast<int64_t>(words.size())}, table, program);
}
inline std::shared_ptr<const Program> loaded(const Builder& builder) {
  std::shared_ptr<const Program> program;
  const Status status = load(builder.words(), &program);
  if (!status.isOk()) std::printf("%s\n", status.message);
  MNEME_CHECK(status.isOk());
  return program;
}
inline bool refused(const Builder& builder, const char* reason) {
  std::shared_ptr<const Program> program;
  const Status status = load(builder.words(), &program);
  const bool expected = status.code == Code::invalidProgram && !program && std::strstr(status.message, reason);
  if (!expected) std::printf("expected '%s', got '%s'\n", reason, status.message);
  return expected;
}

// One instruction from buffer 0 to buffer 1.
inline Builder one(const char* name, Builder::Range from, Builder::Range to) {
  Builder builder;
  builder.buffers = {from, to};
  builder.steps = {{name, {0}, {1}}};
  return builder;
}

// A stream whose owner waits.
struct Owner {
  std::mutex mutex;
  std::condition_variable told;
  bool isTold = false;
  int wakes = 0;
  Stream stream;

  explicit Owner(int threads = 1) : stream(threads, notify, this) {}
  static void notify(void* context) {
    auto* owner = static_cast<Owner*>(context);
    const std::lock_guard<std::mutex> lock(owner->mutex);
    owner->isTold = true;
    ++owner->wakes;
    owner->told.notify_one();
  }
  // Waits for the oldest unfinished item.
  Item* finished() {
    while (!stream.front()) {
      std::unique_lock<std::mutex> lock(mutex);
      told.wait(lock, [this] { return isTold; });
      isTold = false;
      lock.unlock();
      stream.takeFinished();
    }
    Item* item = stream.front();
    stream.popFront();
    return item;
  }
  Item* step(const std::shared_ptr<const Program>& program, const std::vector<std::shared_ptr<Persistent>>& memories,
             const std::vector<float>& values, int64_t repeat = 1) {
    Item* item = stream.acquire();
    item->kind = Item::Kind::step;
    item->program = program;
    item->repeat = repeat;
    for (std::size_t index = 0; index < memories.size(); ++index) item->memories[index] = memories[index];
    MNEME_CHECK(grow(&item->input, program->elements[input] * 4).isOk());
    MNEME_CHECK(grow(&item->output, program->elements[output] * 4 * repeat).isOk());
    if (!values.empty()) std::memcpy(item->input.data(), values.data(), values.size() * 4);
    return item;
  }
};

inline std::shared_ptr<Persistent> memoryOf(int64_t elements) {
  std::shared_ptr<Persistent> memory;
  MNEME_CHECK(Persistent::allocate(elements, &memory).isOk());
  return memory;
}

}  // namespace mneme::test
