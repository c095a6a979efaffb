// Programs: loaded once, run by streams; and one instruction run at once on the caller's own arrays.
#include <algorithm>

#include "binding/arguments.h"
#include "binding/environment.h"

namespace mneme::binding {

// loadProgram(instructionSet, words: Int32Array): id
napi_value loadProgram(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  std::string instructionSet;
  ArrayView words;
  if (!arguments || !readString(env, arguments[0], "instructionSet", &instructionSet) ||
      !readArray(env, arguments[1], "words", 0, false, &words)) {
    return nullptr;
  }
  if (words.dtype != Dtype::i32) return throwError(env, Code::invalidArgument, "words must be an Int32Array");
  const KernelTable* kernels = kernelTable(instructionSet.c_str());
  if (!kernels) return throwError(env, Code::invalidArgument, "this machine has no such instruction set");
  // Copied first: another thread may write to a shared buffer between check and use.
  const auto* first = static_cast<const int32_t*>(words.data);
  const std::vector<int32_t> copy(first, first + words.count);
  LoadedProgram loaded;
  const Status status = Program::load({copy.data(), words.count}, *kernels, &loaded.program);
  if (!status.isOk()) return throwStatus(env, status);
  Environment& environment = *Environment::of(env);
  const int64_t id = ++environment.lastId;
  environment.programs.emplace(id, std::move(loaded));
  napi_value result = nullptr;
  napi_create_int64(env, id, &result);
  return result;
}

// disposeProgram(id): whether there was one. Steps in flight keep it until they have run.
napi_value disposeProgram(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  int64_t id = 0;
  if (!arguments || !readInteger(env, arguments[0], "program", 0, maximumId, &id)) return nullptr;
  napi_value result = nullptr;
  napi_get_boolean(env, Environment::of(env)->programs.erase(id) > 0, &result);
  return result;
}

namespace {

bool overlap(const ArrayView& a, const ArrayView& b) noexcept {
  const auto* first = static_cast<const char*>(a.data);
  const auto* second = static_cast<const char*>(b.data);
  return a.count > 0 && b.count > 0 && first < second + b.count * 4 && second < first + a.count * 4;
}

bool hasBit(uint32_t mask, std::size_t index) noexcept { return index < 32 && (mask >> index & 1) != 0; }

// Program's rules for operands that overlap, for arrays of the caller's.
Status checkOverlap(const Kernel& kernel, const std::vector<ArrayView>& inputs, const std::vector<ArrayView>& outputs) noexcept {
  const auto refuse = [](const char* what, std::size_t first, std::size_t second) {
    return Status::error(Code::invalidArgument, "%s: %zu and %zu", what, first, second);
  };
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    for (std::size_t other = 0; other < o; ++other) {
      if (overlap(outputs[o], outputs[other])) return refuse("two outputs share memory", other, o);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!overlap(outputs[o], inputs[i])) continue;
      const bool same = outputs[o].data == inputs[i].data && outputs[o].count == inputs[i].count &&
                        outputs[o].dtype == inputs[i].dtype;
      if (same && hasBit(kernel.inPlace, i) && !hasBit(kernel.consumes, i)) continue;
      return refuse("an input and an output share memory", i, o);
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t other = 0; hasBit(kernel.consumes, i) && other < inputs.size(); ++other) {
      if (other != i && overlap(inputs[i], inputs[other])) return refuse("an input that is overwritten shares memory", i, other);
    }
  }
  return Status::ok();
}

bool readOperands(napi_env env, const std::vector<napi_value>& values, const std::vector<OperandType>& types,
                  const char* name, std::vector<ArrayView>* views, std::vector<void*>* pointers) {
  if (!readArrays(env, values, name, true, views)) return false;
  if (views->size() != types.size()) {
    throwStatus(env, Status::error(Code::invalidArgument, "%zu %ss given, expected %zu", views->size(), name, types.size()));
    return false;
  }
  for (std::size_t index = 0; index < types.size(); ++index) {
    const ArrayView& view = (*views)[index];
    if (!fits(env, view, types[index], name, static_cast<int64_t>(index))) return false;
    if (view.shared) {  // its contents could change between a kernel's check and its use
      throwStatus(env, Status::error(Code::invalidArgument, "%s %zu lies in a SharedArrayBuffer: copy it", name, index));
      return false;
    }
    pointers->push_back(view.data);
  }
  return true;
}

// The execution for this number of threads, with the team and the workspace it needs.
Status makeReady(Environment& environment, LoadedProgram& loaded, int threads) {
  if (!loaded.execution || loaded.threads != threads) {
    const Status status = Execution::create(loaded.program, threads, &loaded.execution);
    if (!status.isOk()) return status;
    loaded.threads = threads;
  }
  if (!environment.team || environment.team->size() != threads) environment.team = std::make_unique<Team>(threads);
  return grow(&environment.workspace, loaded.execution->workspaceBytes());
}

}  // namespace

// execute(program, threads, inputs, outputs): runs a program of one instruction on arrays, without copying. Each is
// given as an array of typed arrays in the order of the instruction's operands, null where one is absent.
napi_value execute(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  int64_t id = 0, threads = 0;
  std::vector<napi_value> inputValues, outputValues;
  if (!arguments || !readInteger(env, arguments[0], "program", 0, maximumId, &id) ||
      !readInteger(env, arguments[1], "threads", 1, maximumThreads, &threads) ||
      !readElements(env, arguments[2], "inputs", maximumOperands, &inputValues) ||
      !readElements(env, arguments[3], "outputs", maximumOperands, &outputValues)) {
    return nullptr;
  }
  Environment& environment = *Environment::of(env);
  const auto found = environment.programs.find(id);
  if (found == environment.programs.end()) return throwError(env, Code::stopped, "the program has been disposed of");
  LoadedProgram& loaded = found->second;
  if (loaded.program->instructions.size() != 1) {
    return throwError(env, Code::invalidArgument, "only a program of one instruction runs on arrays");
  }
  const Instruction& instruction = loaded.program->instructions[0];
  std::vector<ArrayView> inputs, outputs;
  std::vector<void*> inputPointers, outputPointers;
  if (!readOperands(env, inputValues, instruction.inputTypes, "input", &inputs, &inputPointers) ||
      !readOperands(env, outputValues, instruction.outputTypes, "output", &outputs, &outputPointers)) {
    return nullptr;
  }
  Status status = checkOverlap(*instruction.kernel, inputs, outputs);
  if (status.isOk()) status = makeReady(environment, loaded, static_cast<int>(threads));
  if (!status.isOk()) return throwStatus(env, status);
  inputPointers.push_back(nullptr);  // never an empty vector, whose data may be null
  outputPointers.push_back(nullptr);
  status = loaded.execution->runOn(inputPointers.data(), outputPointers.data(), *environment.team, environment.workspace.data());
  return status.isOk() ? nullptr : throwStatus(env, status);
}

}  // namespace mneme::binding
