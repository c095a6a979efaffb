// Streams as worker threads use them: each thread owns streams of its own, all share programs and memories, and everything ends
// at any moment. With the real kernels, so that the thread sanitizer sees what a process with workers does.
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "engine/stream.h"
#include "test/check.h"

using namespace mneme;

namespace {

enum : int32_t { parameters, updater, state, scratch, input, output };
constexpr int32_t rows = 4, width = 48;

struct Range {
  int32_t arena, offset;
  std::vector<int32_t> shape;
};
struct Step {
  const char* name;
  std::vector<int32_t> inputs, outputs, words;
};

// The words of a program of f32 buffers; engine/program.h has the layout.
std::shared_ptr<const Program> programOf(const std::vector<int32_t>& elements, const std::vector<Range>& buffers, const std::vector<Step>& steps,
                                         const std::vector<int32_t>& inputs, const std::vector<int32_t>& outputs) {
  const auto size = [](const auto& list) { return static_cast<int32_t>(list.size()); };
  std::vector<int32_t> words{0x6d6e656d, 2, size(steps), size(buffers), size(steps), 0, size(inputs), size(outputs)};
  const auto append = [&](const std::vector<int32_t>& more) { words.insert(words.end(), more.begin(), more.end()); };
  append(elements);
  for (const Step& step : steps) {
    int32_t name[16] = {0};
    std::memcpy(name, step.name, std::strlen(step.name));
    words.insert(words.end(), name, name + 16);
  }
  for (const Range& range : buffers) {
    append({range.arena, range.offset, 0, size(range.shape), 0});
    append(range.shape);
  }
  for (int32_t index = 0; index < size(steps); ++index) {
    const Step& step = steps[static_cast<std::size_t>(index)];
    append({index, size(step.inputs), size(step.outputs), size(step.words)});
    append(step.inputs);
    append(step.outputs);
    append(step.words);
  }
  append(inputs);
  append(outputs);
  const KernelTable* kernels = nullptr;
  std::shared_ptr<const Program> program;
  MNEME_CHECK(selectKernelTable(nullptr, &kernels).isOk());
  const Status status = Program::load({words.data(), size(words)}, *kernels, &program);
  if (!status.isOk()) std::printf("%s\n", status.message);
  MNEME_CHECK(status.isOk());
  return program;
}

// parameters += 1, through a map in place: it writes what others read.
std::shared_ptr<const Program> increases() {
  const std::vector<int32_t> addOne{0, 1, 1, 1, 1, 1, 0x3f800000, 10, 2, 0, 1, 0, 0, 2};
  return programOf({width * width, 0, 0, 0, 0, 0}, {{parameters, 0, {width * width}}}, {{"map", {0}, {0}, addOne}}, {}, {});
}

// y = x · parameters, with weights that are packed and kept.
std::shared_ptr<const Program> multiplies() {
  return programOf({width * width, 0, 0, 0, rows * width, rows * width},
                   {{input, 0, {rows, width}}, {parameters, 0, {width, width}}, {output, 0, {rows, width}}},
                   {{"matmul", {0, 1, -1}, {2}, {0, 0}}}, {0}, {2});
}

// What all threads share.
struct World {
  std::shared_ptr<const Program> writing = increases(), reading = multiplies();
  std::shared_ptr<Persistent> memories[3];
  std::atomic<int64_t> increased[3] = {};
  std::mutex mutex;  // guards the programs, which are replaced

  World() {
    for (auto& memory : memories) MNEME_CHECK(Persistent::allocate(width * width, &memory).isOk());
  }
};

// One owner's stream; `notify` comes from the stream's thread, as the addon's does.
struct Owner {
  std::atomic<int> wakes{0};
  Stream stream;
  explicit Owner(int threads) : stream(threads, [](void* context) { ++static_cast<Owner*>(context)->wakes; }, this) {}

  void submit(World& world, std::mt19937& random) {
    Item* item = stream.acquire();
    const std::size_t chosen = random() % 3;
    item->memories[0] = world.memories[chosen];
    item->offset = 0;
    item->count = width;
    switch (random() % 4) {
      case 0: {
        item->kind = Item::Kind::read;
        MNEME_CHECK(grow(&item->output, width * 4).isOk());
        break;
      }
      default: {
        item->kind = Item::Kind::step;
        const bool writes = random() % 2 == 0;
        {
          const std::lock_guard<std::mutex> lock(world.mutex);
          item->program = writes ? world.writing : world.reading;
        }
        item->repeat = 1 + random() % 2;
        MNEME_CHECK(grow(&item->input, rows * width * 4).isOk());
        MNEME_CHECK(grow(&item->output, rows * width * 4 * item->repeat).isOk());
        if (writes) world.increased[chosen] += item->repeat;
      }
    }
    stream.submit(item);
  }
  // Takes what has finished. @returns how many
  int64_t take() {
    const int64_t count = stream.takeFinished();
    for (int64_t index = 0; index < count; ++index) {
      Item* item = stream.front();
      stream.popFront();
      MNEME_CHECK(item->status.isOk() || item->status.code == Code::stopped);
      stream.release(item);
    }
    return count;
  }
};

// Runs `work(thread)` on so many threads at once.
template <typename Work>
void together(int threads, Work work) {
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) all.emplace_back([&work, thread] { work(thread); });
  for (std::thread& thread : all) thread.join();
}

}  // namespace

MNEME_TEST(shared, "streams of many threads share programs and memories, and no step is lost or mixed") {
  World world;
  together(6, [&](int thread) {
    std::mt19937 random(static_cast<uint32_t>(thread));
    Owner owner(1 + thread % 3);
    int64_t waiting = 0;
    for (int index = 0; index < 60; ++index, ++waiting) owner.submit(world, random);
    while (waiting > 0) {
      waiting -= owner.take();
      std::this_thread::yield();
    }
  });
  for (int index = 0; index < 3; ++index) {
    const auto* values = reinterpret_cast<const float*>(world.memories[index]->data());
    for (int at = 0; at < width * width; ++at) MNEME_CHECK(values[at] == static_cast<float>(world.increased[index]));
  }
}

MNEME_TEST(endings, "streams end at any moment, with steps in flight and others waiting for the same memory") {
  World world;
  std::atomic<int> running{6};
  // As a main thread that loads and disposes of programs while workers use them.
  std::thread loader([&] {
    while (running > 0) {
      auto writing = increases(), reading = multiplies();
      const std::lock_guard<std::mutex> lock(world.mutex);
      world.writing.swap(writing);
      world.reading.swap(reading);
    }
  });
  together(6, [&](int thread) {
    std::mt19937 random(static_cast<uint32_t>(100 + thread));
    for (int life = 0; life < 12; ++life) {
      Owner owner(1 + static_cast<int>(random() % 3));
      for (int index = static_cast<int>(random() % 20); index >= 0; --index) {
        owner.submit(world, random);
        if (random() % 4 == 0) owner.take();
      }
      // Asked first, then ended; or ended at once by the destructor, with whatever is still under way.
      if (random() % 2 == 0) owner.stream.requestStop();
      if (random() % 2 == 0) owner.stream.stop();
      if (random() % 2 == 0) owner.take();
    }
    --running;
  });
  loader.join();
  // Nobody holds anything any longer.
  for (const auto& memory : world.memories) {
    MNEME_CHECK(memory.use_count() == 1);
    MNEME_CHECK(memory->access.try_lock());
    memory->access.unlock();
  }
}
