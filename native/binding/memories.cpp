// Memories that outlive a step.
#include "binding/arguments.h"
#include "binding/environment.h"

namespace mneme::binding {

// allocateMemory(elements): id
napi_value allocateMemory(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  int64_t elements = 0;
  if (!arguments || !readInteger(env, arguments[0], "elements", 0, INT32_MAX, &elements)) return nullptr;
  std::shared_ptr<Persistent> memory;
  const Status status = Persistent::allocate(elements, &memory);
  if (!status.isOk()) return throwStatus(env, status);
  Environment& environment = *Environment::of(env);
  const int64_t id = ++environment.lastId;
  environment.memories.emplace(id, std::move(memory));
  int64_t total = 0;
  napi_adjust_external_memory(env, elements * 4, &total);  // so that the garbage collector knows its weight
  napi_value result = nullptr;
  napi_create_int64(env, id, &result);
  return result;
}

// disposeMemory(id): whether there was one. Steps in flight keep it until they have run.
napi_value disposeMemory(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  int64_t id = 0;
  if (!arguments || !readInteger(env, arguments[0], "memory", 0, maximumId, &id)) return nullptr;
  Environment& environment = *Environment::of(env);
  const auto found = environment.memories.find(id);
  const bool exists = found != environment.memories.end();
  if (exists) {
    int64_t total = 0;
    napi_adjust_external_memory(env, -found->second->elements() * 4, &total);
    environment.memories.erase(found);
  }
  napi_value result = nullptr;
  napi_get_boolean(env, exists, &result);
  return result;
}

}  // namespace mneme::binding
