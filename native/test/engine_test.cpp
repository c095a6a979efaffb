// The engine on kernels made for the test: what verification refuses, when weights are packed again, and how streams
// order, repeat, share and end their work.
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "engine/stream.h"
#include "test/check.h"

using namespace mneme;

namespace {

Status verifySameCount(const Signature& signature, Requirements*) noexcept {
  if (signature.inputs.size != 1 || signature.outputs.size != 1 || !signature.inputs[0].present ||
      !signature.outputs[0].present || signature.inputs[0].count() != signature.outputs[0].count()) {
    return Status::error(Code::invalidProgram, "one input and one output of the same count");
  }
  return Status::ok();
}

Status runCopy(const Call& call) noexcept {
  std::memcpy(call.outputs[0], call.inputs[0], static_cast<std::size_t>(call.signature->inputs[0].count() * 4));
  return Status::ok();
}

// y = x + 1, shared out over the team
Status runAddOne(const Call& call) noexcept {
  const int64_t count = call.signature->inputs[0].count();
  call.team->run([&](int member) {
    const Share share = shareOf(count, member, call.team->size());
    for (int64_t index = share.begin; index < share.end; ++index) call.output(0)[index] = call.input(0)[index] + 1;
  });
  return Status::ok();
}

// y = 10 * x, through a packed copy; workspace and packing are as large as it asked
Status verifyPacked(const Signature& signature, Requirements* requirements) noexcept {
  requirements->preparedBytes = signature.inputs.size == 1 ? signature.inputs[0].count() * 4 : 0;
  requirements->preparedInputs = 1;
  requirements->workspaceBytes = 64 * signature.threads;
  return verifySameCount(signature, requirements);
}
std::atomic<int> preparations{0};
void prepareTimesTen(const Call& call) noexcept {
  ++preparations;
  for (int64_t index = 0; index < call.signature->inputs[0].count(); ++index) {
    static_cast<float*>(call.prepared)[index] = 10 * call.input(0)[index];
  }
}
Status runPacked(const Call& call) noexcept {
  std::memset(call.workspace, 1, static_cast<std::size_t>(64 * call.team->size()));
  std::memcpy(call.outputs[0], call.prepared, static_cast<std::size_t>(call.signature->inputs[0].count() * 4));
  return Status::ok();
}

// Overwrites its input.
Status runConsume(const Call& call) noexcept {
  for (int64_t index = 0; index < call.signature->inputs[0].count(); ++index) call.mutableInput(0)[index] = -1;
  return Status::ok();
}
Status verifyConsume(const Signature& signature, Requirements*) noexcept {
  return signature.inputs.size >= 1 && signature.inputs[0].present ? Status::ok()
                                                                   : Status::error(Code::invalidProgram, "one input");
}

// Runs until the stream is stopped.
Status runForever(const Call& call) noexcept {
  while (!call.team->stopping()) std::this_thread::yield();
  return Status::error(Code::stopped, "stopped");
}

Status runFail(const Call&) noexcept { return Status::error(Code::outOfRange, "id 70 at position 3"); }

const Kernel copyKernel{"copy", verifySameCount, nullptr, runCopy, 0, 0};
const Kernel addOne{"addOne", verifySameCount, nullptr, runAddOne, 0, 1};
const Kernel packed{"packed", verifyPacked, prepareTimesTen, runPacked, 0, 0};
const Kernel consume{"consume", verifyConsume, nullptr, runConsume, 1, 0};
const Kernel forever{"forever", verifySameCount, nullptr, runForever, 0, 0};
const Kernel fail{"fail", verifySameCount, nullptr, runFail, 0, 0};
const Kernel* const kernels[] = {&copyKernel, &addOne, &packed, &consume, &forever, &fail};
const KernelTable table{"test", {kernels, 6}, nullptr};

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

Status load(const std::vector<int32_t>& words, std::shared_ptr<const Program>* program) {
  return Program::load({words.data(), static_cast<int64_t>(words.size())}, table, program);
}
std::shared_ptr<const Program> loaded(const Builder& builder) {
  std::shared_ptr<const Program> program;
  const Status status = load(builder.words(), &program);
  if (!status.isOk()) std::printf("%s\n", status.message);
  MNEME_CHECK(status.isOk());
  return program;
}
bool refused(const Builder& builder, const char* reason) {
  std::shared_ptr<const Program> program;
  const Status status = load(builder.words(), &program);
  const bool expected = status.code == Code::invalidProgram && !program && std::strstr(status.message, reason);
  if (!expected) std::printf("expected '%s', got '%s'\n", reason, status.message);
  return expected;
}

// One instruction from buffer 0 to buffer 1.
Builder one(const char* name, Builder::Range from, Builder::Range to) {
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

std::shared_ptr<Persistent> memoryOf(int64_t elements) {
  std::shared_ptr<Persistent> memory;
  MNEME_CHECK(Persistent::allocate(elements, &memory).isOk());
  return memory;
}

}  // namespace

MNEME_TEST(refusals, "a program that leaves its arenas or mixes up operands is refused with the reason") {
  const Builder good = one("copy", {input, 0, 4}, {output, 0, 4});
  MNEME_CHECK(loaded(good) != nullptr);
  Builder bad = good;
  bad.buffers[0] = {input, 13, 4};
  MNEME_CHECK(refused(bad, "leaves its arena"));
  bad = good;
  bad.buffers[0] = {input, -1, 4};
  MNEME_CHECK(refused(bad, "negative"));
  bad = good;
  bad.buffers[0] = {input, 0, 0};
  MNEME_CHECK(refused(bad, "extent 0"));
  bad = good;
  bad.buffers[0] = {6, 0, 4};
  MNEME_CHECK(refused(bad, "no arena"));
  bad = good;
  bad.buffers[1] = {output, 0, 5};
  MNEME_CHECK(refused(bad, "instruction 0 (copy): one input and one output"));
  bad = good;
  bad.steps[0].inputs = {2};
  MNEME_CHECK(refused(bad, "no buffer 2"));
  bad = good;
  bad.steps[0].inputs = {-2};
  MNEME_CHECK(refused(bad, "no buffer -2"));
  bad = good;
  bad.steps[0].name = "copies";
  MNEME_CHECK(refused(bad, "no operation 'copies'"));
  bad = good;
  bad.inputPorts = {1};
  MNEME_CHECK(refused(bad, "another arena"));
  bad = good;
  bad.elements[2] = -5;
  MNEME_CHECK(refused(bad, "negative count"));
}

MNEME_TEST(overlaps, "operands overlap only where the kernel allows it") {
  MNEME_CHECK(refused(one("copy", {input, 0, 4}, {input, 8, 4}), "input arena"));
  MNEME_CHECK(refused(one("copy", {scratch, 0, 4}, {scratch, 3, 4}), "overlaps input 0"));
  MNEME_CHECK(refused(one("copy", {scratch, 0, 4}, {scratch, 0, 4}), "overlaps input 0"));
  MNEME_CHECK(refused(one("addOne", {scratch, 0, 4}, {scratch, 3, 4}), "overlaps input 0"));
  MNEME_CHECK(loaded(one("addOne", {scratch, 0, 4}, {scratch, 0, 4})) != nullptr);
  MNEME_CHECK(loaded(one("addOne", {scratch, 0, 4}, {state, 0, 4})) != nullptr);
  Builder builder = one("consume", {state, 0, 4}, {state, 2, 4});
  builder.steps[0] = {"consume", {0, 1}, {}};
  MNEME_CHECK(refused(builder, "input 0 is overwritten"));
  builder.buffers[1] = {state, 4, 4};
  MNEME_CHECK(loaded(builder)->writes == 1u << state);
}

MNEME_TEST(mutations, "words changed at random are refused or run inside their arenas") {
  Builder builder;
  builder.buffers = {{input, 0, 4}, {scratch, 0, 4}, {parameters, 4, 4}, {output, 0, 4}, {state, 8, 4}};
  builder.steps = {{"copy", {0}, {1}}, {"addOne", {1}, {1}}, {"packed", {2}, {4}}, {"consume", {1, 0}, {}}, {"addOne", {4}, {3}}};
  builder.inputPorts = {0};
  builder.outputPorts = {3};
  const std::vector<int32_t> good = builder.words();
  std::mt19937 random(1);
  const int32_t tempting[] = {0, 1, -1, 2, 3, 15, 16, 17, 64, INT32_MAX, INT32_MIN, 1 << 16, 1 << 30};
  Owner owner;
  int ran = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<int32_t> words = good;
    for (uint32_t change = random() % 3 + 1; change > 0; --change) {
      words[random() % words.size()] = random() % 4 == 0 ? static_cast<int32_t>(random()) : tempting[random() % 13];
    }
    if (random() % 8 == 0) words.resize(random() % words.size());
    std::shared_ptr<const Program> program;
    if (!load(words, &program).isOk()) continue;
    bool small = true;
    for (const int64_t elements : program->elements) small = small && elements <= 4096;
    if (!small) continue;  // fits no memory of this test
    const std::vector<std::shared_ptr<Persistent>> memories{memoryOf(4096), memoryOf(4096), memoryOf(4096)};
    owner.stream.submit(owner.step(program, memories, {}));
    owner.stream.release(owner.finished());
    ++ran;
  }
  MNEME_CHECK(ran > 1000);
}

MNEME_TEST(packings, "weights are packed again when their memory was written or changed, and only then") {
  Builder builder = one("packed", {parameters, 0, 4}, {output, 0, 4});
  const auto reads = loaded(builder);
  builder.buffers.push_back({state, 0, 4});
  builder.steps.push_back({"copy", {2}, {0}});  // state -> parameters, after the packed product
  const auto writes = loaded(builder);
  const auto memory = memoryOf(16), other = memoryOf(16), values = memoryOf(16);
  for (int index = 0; index < 4; ++index) {
    reinterpret_cast<float*>(memory->data())[index] = 1;
    reinterpret_cast<float*>(other->data())[index] = 2;
    reinterpret_cast<float*>(values->data())[index] = 3;
  }
  Owner owner(2);
  const auto run = [&](const std::shared_ptr<const Program>& program, const std::shared_ptr<Persistent>& weights, float expected,
                       int preparationsExpected, int64_t repeat = 1) {
    const int before = preparations;
    owner.stream.submit(owner.step(program, {weights, nullptr, values}, {}, repeat));
    Item* item = owner.finished();
    MNEME_CHECK(item->status.isOk());
    MNEME_CHECK_NEAR(static_cast<float*>(item->output.data())[16 * (repeat - 1)], expected, 0);
    MNEME_CHECK(preparations - before == preparationsExpected);
    owner.stream.release(item);
  };
  run(reads, memory, 10, 1);
  run(reads, memory, 10, 0, 5);
  run(reads, other, 20, 1);
  run(reads, memory, 10, 1);
  Item* write = owner.stream.acquire();
  write->kind = Item::Kind::write;
  write->memories[0] = memory;
  write->offset = 0;
  write->count = 1;
  MNEME_CHECK(grow(&write->input, 4).isOk());
  *static_cast<float*>(write->input.data()) = 7;
  owner.stream.submit(write);
  owner.stream.release(owner.finished());
  run(reads, memory, 70, 1);
  run(writes, memory, 70, 1);
  run(writes, memory, 30, 1);
  run(reads, memory, 30, 1);
  run(writes, memory, 30, 3, 3);
}

MNEME_TEST(order, "items finish first in, first out, with repetitions appended") {
  // state += 1; output = state
  Builder builder = one("addOne", {state, 0, 16}, {state, 0, 16});
  builder.buffers.push_back({output, 0, 16});
  builder.steps.push_back({"copy", {0}, {2}});
  const auto program = loaded(builder);
  const auto memory = memoryOf(16);
  Owner owner(3);
  for (int round = 0; round < 50; ++round) {
    for (int index = 0; index < 8; ++index) {
      owner.stream.submit(owner.step(program, {nullptr, nullptr, memory}, {}, index + 1));
    }
    for (int index = 0; index < 8; ++index) {
      Item* item = owner.finished();
      for (int run = 0; run <= index; ++run) {
        const float expected = static_cast<float>(round * 36 + index * (index + 1) / 2 + run + 1);
        MNEME_CHECK_NEAR(static_cast<float*>(item->output.data())[16 * run + 15], expected, 0);
      }
      owner.stream.release(item);
    }
  }
  MNEME_CHECK(owner.wakes < 400);  // told of several at once
}

MNEME_TEST(failures, "a step that fails says which instruction, and the next one runs") {
  Builder builder = one("copy", {input, 0, 4}, {scratch, 0, 4});
  builder.buffers.push_back({output, 0, 4});
  builder.steps.push_back({"fail", {1}, {2}});
  const auto failing = loaded(builder);
  const auto good = loaded(one("addOne", {input, 0, 4}, {output, 0, 4}));
  Owner owner;
  owner.stream.submit(owner.step(failing, {}, {1, 2, 3, 4}));
  owner.stream.submit(owner.step(good, {}, {1, 2, 3, 4}));
  Item* item = owner.finished();
  MNEME_CHECK(item->status.code == Code::outOfRange);
  MNEME_CHECK(std::strcmp(item->status.message, "instruction 1 (fail): id 70 at position 3") == 0);
  owner.stream.release(item);
  item = owner.finished();
  MNEME_CHECK(item->status.isOk());
  MNEME_CHECK_NEAR(static_cast<float*>(item->output.data())[3], 5, 0);
  owner.stream.release(item);
}

MNEME_TEST(sharing, "steps of several streams on one memory do not mix") {
  // Two instructions a step: without exclusion another stream's step could come between them.
  Builder builder = one("addOne", {state, 0, 16}, {scratch, 0, 16});
  builder.steps.push_back({"copy", {1}, {0}});
  const auto program = loaded(builder);
  const auto memory = memoryOf(16);
  {
    Owner first, second(2);
    for (int index = 0; index < 100; ++index) {
      first.stream.submit(first.step(program, {nullptr, nullptr, memory}, {}, 20));
      second.stream.submit(second.step(program, {nullptr, nullptr, memory}, {}, 20));
    }
    for (int index = 0; index < 100; ++index) {
      first.stream.release(first.finished());
      second.stream.release(second.finished());
    }
  }
  MNEME_CHECK_NEAR(reinterpret_cast<float*>(memory->data())[0], 4000, 0);
}

MNEME_TEST(stops, "a stream ends at once in the middle of a step, with others waiting for its memory") {
  const auto endless = loaded(one("forever", {state, 0, 4}, {state, 8, 4}));
  const auto memory = memoryOf(16);
  Owner first, second;
  first.stream.submit(first.step(endless, {nullptr, nullptr, memory}, {}));
  second.stream.submit(second.step(endless, {nullptr, nullptr, memory}, {}));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.stream.requestStop();
  second.stream.requestStop();
  first.stream.stop();
  second.stream.stop();
  MNEME_CHECK(first.stream.takeFinished() + second.stream.takeFinished() <= 2);
}

MNEME_TEST(operands, "a program of one instruction runs on arrays outside any arena") {
  const auto program = loaded(one("addOne", {input, 0, 4}, {output, 0, 4}));
  std::unique_ptr<Execution> execution;
  MNEME_CHECK(Execution::create(program, 2, &execution).isOk());
  Team team(2);
  float values[4] = {1, 2, 3, 4};
  void* pointers[] = {values};
  MNEME_CHECK(execution->runOn(pointers, pointers, team, nullptr).isOk());
  MNEME_CHECK_NEAR(values[0] + values[1] + values[2] + values[3], 14, 0);
}
