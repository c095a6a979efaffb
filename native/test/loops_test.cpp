// Loops in programs: what they run, what is refused, and when weights are packed again.
#include <vector>

#include "test/check.h"
#include "test/engine_programs.h"

using namespace mneme;
using namespace mneme::test;

namespace {

std::vector<float> outputsOf(const Builder& builder, const std::vector<float>& inputs, int threads = 1) {
  Owner owner(threads);
  const auto program = loaded(builder);
  const std::vector<std::shared_ptr<Persistent>> memories{memoryOf(16), memoryOf(16), memoryOf(16)};
  owner.stream.submit(owner.step(program, memories, inputs));
  Item* item = owner.finished();
  MNEME_CHECK(item->status.isOk());
  const auto* first = static_cast<const float*>(item->output.data());
  std::vector<float> outputs(first, first + 16);
  owner.stream.release(item);
  return outputs;
}

// x [i] + 1 to the outputs, `count` times, `from` and `to` apart.
Builder running(int32_t count, int32_t from, int32_t to, int32_t start = 0) {
  Builder builder;
  builder.buffers = {{input, 0, 1, {0, from}}, {output, start, 1, {0, to}}};
  builder.steps = {{"addOne", {0}, {1}}};
  builder.loops = {{0, 1, count}};
  return builder;
}

}  // namespace

MNEME_TEST(loopsRun, "a loop runs its instructions over buffers that move, and each time a program runs anew") {
  const std::vector<float> ahead = outputsOf(running(4, 1, 2), {1, 2, 3, 4});
  MNEME_CHECK(ahead[0] == 2 && ahead[2] == 3 && ahead[4] == 4 && ahead[6] == 5);
  const std::vector<float> back = outputsOf(running(4, 1, -1, 3), {1, 2, 3, 4}, 2);
  MNEME_CHECK(back[0] == 5 && back[1] == 4 && back[2] == 3 && back[3] == 2);

  Owner owner;
  const auto program = loaded(running(4, 1, 1));
  const std::vector<std::shared_ptr<Persistent>> memories{memoryOf(16), memoryOf(16), memoryOf(16)};
  for (int round = 0; round < 2; ++round) {
    owner.stream.submit(owner.step(program, memories, {1, 2, 3, 4}, 3));
    Item* item = owner.finished();
    const auto* values = static_cast<const float*>(item->output.data());
    for (int repeat = 0; repeat < 3; ++repeat) MNEME_CHECK(values[16 * repeat] == 2 && values[16 * repeat + 3] == 5);
    owner.stream.release(item);
  }
}

MNEME_TEST(loopsNest, "loops lie in loops, and one that ends with another goes on with it") {
  Builder builder;
  // y[i][j] = x[j][i] + 1, and a counter of the outer loop's iterations
  builder.buffers = {{input, 0, 1, {0, 1, 1, 2}}, {output, 0, 1, {0, 3, 1, 1}}, {scratch, 0, 1}, {output, 8, 1}};
  builder.steps = {{"addOne", {2}, {2}}, {"addOne", {0}, {1}}, {"copy", {2}, {3}}};
  builder.loops = {{0, 2, 2}, {1, 2, 3}};
  const std::vector<float> outputs = outputsOf(builder, {1, 2, 3, 4, 5, 6});
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column) MNEME_CHECK(outputs[static_cast<std::size_t>(3 * row + column)] == static_cast<float>(1 + row + 2 * column + 1));
  }
}

MNEME_TEST(loopsRefuse, "loops and strides that lead out of arenas, or overflow, are refused with the reason") {
  MNEME_CHECK(refused(running(17, 1, 0), "buffer 0 leaves its arena while loop 0 runs"));
  MNEME_CHECK(refused(running(2, -1, 1), "buffer 0 leaves its arena"));
  MNEME_CHECK(refused(running(INT32_MAX, INT32_MAX, 0), "buffer 0 leaves its arena"));
  MNEME_CHECK(refused(running(INT32_MAX, INT32_MIN, 0), "buffer 0 leaves its arena"));
  MNEME_CHECK(refused(running(0, 1, 1), "loop 0 runs 0 times"));
  MNEME_CHECK(refused(running(-1, 1, 1), "loop 0 runs -1 times"));
  Builder bad = running(2, 1, 1);
  bad.loops = {{0, 2, 2}};
  MNEME_CHECK(refused(bad, "loop 0 runs from instruction 0 to 2 of 1"));
  bad.loops = {{1, 1, 2}};
  MNEME_CHECK(refused(bad, "loop 0 runs from"));
  bad.loops = {{-1, 1, 2}};
  MNEME_CHECK(refused(bad, "loop 0 runs from"));
  bad.loops = {{0, INT32_MIN, 2}};
  MNEME_CHECK(refused(bad, "loop 0 runs from"));
  bad.loops = std::vector<std::vector<int32_t>>(9, {0, 1, 1});
  MNEME_CHECK(refused(bad, "lies in more than 7 others"));
  bad.loops = {{0, 1, 1 << 16}, {0, 1, 1 << 15}};
  MNEME_CHECK(refused(bad, "loop 1 would run 2147483648 times"));
  bad = running(2, 1, 1);
  bad.buffers[0].strides = {1, 1};
  MNEME_CHECK(refused(bad, "moves in loop 1, which is none"));
  bad.buffers[0].strides = {-1, 1};
  MNEME_CHECK(refused(bad, "which is none"));
  bad.buffers[0].strides = {0, 1, 0, 1};
  MNEME_CHECK(refused(bad, "do not stand in order"));
  bad = running(2, 1, 1);
  bad.inputPorts = {0};
  MNEME_CHECK(refused(bad, "input port 0: buffer 0 moves"));
  bad = running(2, 1, 1);
  bad.steps.push_back({"copy", {0}, {1}});
  MNEME_CHECK(refused(bad, "instruction 1 (copy): buffer 0 moves in loop 0, which is another one"));
  bad.loops = {{0, 1, 2}, {0, 2, 2}};
  MNEME_CHECK(refused(bad, "loop 1 ends after the loop around it"));
  bad.loops = {{1, 2, 2}, {0, 1, 2}};
  MNEME_CHECK(refused(bad, "loop 1 begins before"));
}

MNEME_TEST(loopsOverlap, "operands overlap in no iteration, or in every one exactly where the kernel allows it") {
  const auto scratchy = [](const char* name, int32_t offset, int32_t from, int32_t to) {
    Builder builder;
    builder.buffers = {{scratch, 0, 2, {0, from}}, {scratch, offset, 2, {0, to}}};
    builder.steps = {{name, {0}, {1}}};
    builder.loops = {{0, 1, 3}};
    return builder;
  };
  MNEME_CHECK(loaded(scratchy("copy", 2, 4, 4)) != nullptr);              // side by side
  MNEME_CHECK(loaded(scratchy("copy", 2, 2, 2)) != nullptr);              // where the next reads what this one wrote
  MNEME_CHECK(refused(scratchy("copy", 4, 2, 0), "overlaps input 0"));    // runs into it
  MNEME_CHECK(refused(scratchy("copy", 1, 2, 2), "overlaps input 0"));
  MNEME_CHECK(loaded(scratchy("addOne", 0, 2, 2)) != nullptr);            // in place in every iteration
  MNEME_CHECK(refused(scratchy("addOne", 0, 2, 4), "overlaps input 0"));  // in the first one only
}

MNEME_TEST(loopsPack, "weights are packed once before the loops in which nothing changes them, else in each iteration") {
  Builder builder;
  builder.buffers = {{scratch, 0, 2}, {output, 0, 2}, {scratch, 4, 2}, {input, 0, 2}};
  builder.steps = {{"copy", {3}, {0}}, {"packed", {0}, {1}}, {"addOne", {2}, {2}}};
  builder.loops = {{1, 3, 5}};
  preparations = 0;
  MNEME_CHECK(outputsOf(builder, {1, 2})[1] == 20);
  MNEME_CHECK(preparations == 1);

  builder.loops = {{0, 3, 2}, {1, 3, 5}};  // copied again in each iteration of the outer loop
  preparations = 0;
  outputsOf(builder, {1, 2});
  MNEME_CHECK(preparations == 2);

  builder.buffers[2] = {scratch, 1, 2};  // the loop writes a part of it
  builder.loops = {{1, 3, 5}};
  preparations = 0;
  MNEME_CHECK(outputsOf(builder, {1, 2})[1] == 60);
  MNEME_CHECK(preparations == 5);

  builder.buffers[2] = {scratch, 4, 2};
  builder.buffers[0].strides = {0, 1};  // it moves
  builder.steps = {{"addOne", {2}, {2}}, {"packed", {0}, {1}}};
  builder.loops = {{0, 2, 3}};
  preparations = 0;
  outputsOf(builder, {});
  MNEME_CHECK(preparations == 3);
}
