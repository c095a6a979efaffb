// The engine on kernels made for the test: what verification refuses, when weights are packed again, and how streams
// order, repeat, share and end their work.
#include <atomic>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "engine/stream.h"
#include "test/check.h"
#include "test/engine_programs.h"

using namespace mneme;
using namespace mneme::test;

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
