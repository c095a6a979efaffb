#include "engine/execution.h"

#include <algorithm>

namespace mneme {

namespace {

constexpr int64_t roundUp64(int64_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

bool sameOwner(const std::weak_ptr<Persistent>& a, const std::shared_ptr<Persistent>& b) noexcept {
  return !a.owner_before(b) && !b.owner_before(a);
}

// Whether some instruction of the loop writes what the buffer reads, or the buffer moves in the loop.
bool changesIn(const Program& program, const Buffer& buffer, int32_t number) noexcept {
  for (const Stride& stride : buffer.strides) {
    if (stride.loop == number) return true;
  }
  const Reach read = reachOf(buffer, program.loops);
  const Loop& loop = program.loops[static_cast<std::size_t>(number)];
  const auto meets = [&](int32_t operand) {
    if (operand < 0) return false;
    const Buffer& other = program.buffers[static_cast<std::size_t>(operand)];
    const Reach written = reachOf(other, program.loops);
    return other.arena == buffer.arena && written.low < read.high && read.low < written.high;
  };
  for (int32_t index = loop.first; index < loop.end; ++index) {
    const Instruction& instruction = program.instructions[static_cast<std::size_t>(index)];
    for (const int32_t output : instruction.outputs) {
      if (meets(output)) return true;
    }
    for (std::size_t input = 0; input < instruction.inputs.size() && input < 32; ++input) {
      if ((instruction.kernel->consumes >> input & 1) != 0 && meets(instruction.inputs[input])) return true;
    }
  }
  return false;
}

// The innermost of the loops around an instruction, as far out as none of the inputs in the mask changes.
std::vector<int32_t> steadyLoops(const Program& program, const Instruction& instruction, uint32_t preparedInputs) {
  std::vector<int32_t> steady;
  for (auto loop = instruction.loops.rbegin(); loop != instruction.loops.rend(); ++loop) {
    for (std::size_t input = 0; input < instruction.inputs.size() && input < 32; ++input) {
      if ((preparedInputs >> input & 1) == 0 || instruction.inputs[input] < 0) continue;
      if (changesIn(program, program.buffers[static_cast<std::size_t>(instruction.inputs[input])], *loop)) return steady;
    }
    steady.push_back(*loop);
  }
  return steady;
}

Status named(const Status& status, std::size_t index, const Kernel& kernel) noexcept {
  return Status::error(status.code, "instruction %zu (%s): %s", index, kernel.name, status.message);
}

}  // namespace

Status Execution::create(std::shared_ptr<const Program> program, int threads, std::unique_ptr<Execution>* result) {
  std::unique_ptr<Execution> execution(new Execution);
  std::size_t inputs = 1, outputs = 1;
  int64_t preparedBytes = 0;
  for (std::size_t index = 0; index < program->instructions.size(); ++index) {
    const Instruction& instruction = program->instructions[index];
    const Signature signature = signatureOf(instruction, threads);
    Requirements requirements;
    const Status status = instruction.kernel->verify(signature, &requirements);
    if (!status.isOk()) return named(status, index, *instruction.kernel);
    execution->signatures_.push_back(signature);
    execution->workspaceBytes_ = std::max(execution->workspaceBytes_, requirements.workspaceBytes);

    Prepared prepared;
    prepared.wanted = instruction.kernel->prepare != nullptr && requirements.preparedBytes > 0;
    if (prepared.wanted) {
      prepared.offset = preparedBytes;
      preparedBytes += roundUp64(requirements.preparedBytes);
      prepared.persistent = true;
      for (std::size_t input = 0; input < instruction.inputs.size() && input < 32; ++input) {
        if ((requirements.preparedInputs >> input & 1) == 0 || instruction.inputs[input] < 0) continue;
        const auto arena = static_cast<int>(program->buffers[static_cast<std::size_t>(instruction.inputs[input])].arena);
        if (arena < persistentArenas) prepared.arenas |= 1u << arena;
        else prepared.persistent = false;
      }
    }
    if (prepared.wanted) prepared.steady = steadyLoops(*program, instruction, requirements.preparedInputs);
    execution->preparedOf_.push_back(std::move(prepared));
    inputs = std::max(inputs, instruction.inputs.size());
    outputs = std::max(outputs, instruction.outputs.size());
  }
  const Status status = grow(&execution->prepared_, preparedBytes);
  if (!status.isOk()) return status;
  execution->inputs_.resize(inputs);
  execution->outputs_.resize(outputs);
  execution->iterations_.resize(program->loops.size());
  execution->program_ = std::move(program);
  *result = std::move(execution);
  return Status::ok();
}

void Execution::noticeMemories(const Step& step) noexcept {
  for (int arena = 0; arena < persistentArenas; ++arena) {
    if (sameOwner(last_[arena], step.memories[arena])) continue;
    last_[arena] = step.memories[arena];
    for (Prepared& prepared : preparedOf_) prepared.versions[arena] = 0;
  }
}

bool Execution::isCurrent(const Prepared& prepared, const Step& step) const noexcept {
  if (!prepared.persistent) return false;
  for (int arena = 0; arena < persistentArenas; ++arena) {
    if ((prepared.arenas >> arena & 1) != 0 && prepared.versions[arena] != step.memories[arena]->version) return false;
  }
  return true;
}

// The instruction after one: the first of the innermost loop that ends here and is not done, else the one that follows.
std::size_t Execution::next(std::size_t index) noexcept {
  for (const int32_t number : program_->instructions[index].endingLoops) {
    const Loop& loop = program_->loops[static_cast<std::size_t>(number)];
    int64_t& iteration = iterations_[static_cast<std::size_t>(number)];
    if (++iteration < loop.count) return static_cast<std::size_t>(loop.first);
    iteration = 0;
  }
  return index + 1;
}

Status Execution::run(const Step& step, Team& team, void* workspace) noexcept {
  noticeMemories(step);
  char* bases[arenaCount] = {nullptr, nullptr, nullptr, step.scratch, step.input, step.output};
  for (int arena = 0; arena < persistentArenas; ++arena) {
    if (step.memories[arena]) bases[arena] = step.memories[arena]->data();
  }
  const auto place = [&](const std::vector<int32_t>& operands, std::vector<void*>& pointers) {
    for (std::size_t index = 0; index < operands.size(); ++index) {
      if (operands[index] < 0) {
        pointers[index] = nullptr;
      } else {
        const Buffer& buffer = program_->buffers[static_cast<std::size_t>(operands[index])];
        int64_t offset = buffer.offset;
        for (const Stride& stride : buffer.strides) offset += stride.elements * iterations_[static_cast<std::size_t>(stride.loop)];
        pointers[index] = bases[static_cast<int>(buffer.arena)] + offset * 4;
      }
    }
  };

  std::fill(iterations_.begin(), iterations_.end(), 0);
  for (std::size_t index = 0; index < program_->instructions.size(); index = next(index)) {
    if (team.stopping()) return Status::error(Code::stopped, "the stream was stopped");
    const Instruction& instruction = program_->instructions[index];
    place(instruction.inputs, inputs_);
    place(instruction.outputs, outputs_);
    Prepared& prepared = preparedOf_[index];
    const Call call{&signatures_[index], inputs_.data(), outputs_.data(), workspace, static_cast<char*>(prepared_.data()) + prepared.offset, &team};
    const bool first = std::all_of(prepared.steady.begin(), prepared.steady.end(),
                                   [&](int32_t loop) { return iterations_[static_cast<std::size_t>(loop)] == 0; });
    if (prepared.wanted && first && !isCurrent(prepared, step)) {
      instruction.kernel->prepare(call);
      for (int arena = 0; arena < persistentArenas; ++arena) {
        if ((prepared.arenas >> arena & 1) != 0) prepared.versions[arena] = step.memories[arena]->version;
      }
    }
    const Status status = instruction.kernel->run(call);
    for (int arena = 0; arena < persistentArenas; ++arena) {
      if ((instruction.writes >> arena & 1) != 0) ++step.memories[arena]->version;
    }
    if (!status.isOk()) return named(status, index, *instruction.kernel);
  }
  return Status::ok();
}

Status Execution::runOn(void* const* inputs, void* const* outputs, Team& team, void* workspace) noexcept {
  const Kernel& kernel = *program_->instructions[0].kernel;
  const Call call{&signatures_[0], inputs, outputs, workspace, prepared_.data(), &team};
  if (preparedOf_[0].wanted) kernel.prepare(call);
  return kernel.run(call);
}

}  // namespace mneme
