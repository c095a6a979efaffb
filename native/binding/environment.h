// What the addon keeps for one JavaScript environment (the main thread, or one worker): everything that JavaScript
// knows by a number. Nothing is static; numbers are never used twice, so a stale or invented one is only not found.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "engine/execution.h"
#include "engine/persistent.h"
#include "engine/program.h"
#include "engine/stream.h"

namespace mneme::binding {

struct Environment;

// A stream with its way back to JavaScript. Owned by its thread-safe function: deleted when that is finalized.
struct StreamHandle {
  Environment* environment = nullptr;  // null once disposed
  napi_env env = nullptr;
  int64_t id = 0;
  napi_threadsafe_function wake = nullptr;
  napi_ref settle = nullptr;  // strong while work is in flight, so that an idle stream can be collected
  int64_t inFlight = 0;
  std::unique_ptr<Stream> stream;
};

struct LoadedProgram {
  std::shared_ptr<const Program> program;
  // For `execute`: the program of one instruction, ready for the number of threads it was last run with.
  std::unique_ptr<Execution> execution;
  int threads = 0;
};

struct Environment {
  int64_t lastId = 0;
  std::unordered_map<int64_t, LoadedProgram> programs;
  std::unordered_map<int64_t, std::shared_ptr<Persistent>> memories;
  std::unordered_map<int64_t, StreamHandle*> streams;
  // For `execute`, on the calling thread
  std::unique_ptr<Team> team;
  Memory workspace;

  static Environment* of(napi_env env) noexcept;
};

constexpr int64_t maximumThreads = 256;
constexpr int64_t maximumId = int64_t{1} << 52;

// programs.cpp
napi_value loadProgram(napi_env env, napi_callback_info info);
napi_value disposeProgram(napi_env env, napi_callback_info info);
napi_value execute(napi_env env, napi_callback_info info);
// memories.cpp
napi_value allocateMemory(napi_env env, napi_callback_info info);
napi_value disposeMemory(napi_env env, napi_callback_info info);
// streams.cpp
napi_value createStream(napi_env env, napi_callback_info info);
napi_value disposeStream(napi_env env, napi_callback_info info);
napi_value submit(napi_env env, napi_callback_info info);
napi_value write(napi_env env, napi_callback_info info);
napi_value read(napi_env env, napi_callback_info info);
napi_value collect(napi_env env, napi_callback_info info);
// machine.cpp
napi_value selectInstructionSet(napi_env env, napi_callback_info info);
napi_value machine(napi_env env, napi_callback_info info);
napi_value calibrate(napi_env env, napi_callback_info info);

}  // namespace mneme::binding
