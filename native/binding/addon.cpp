// The addon: its functions by name. What each takes is written at its definition; src/compute/engine/addon.ts has the
// same as TypeScript declarations. Nobody calls these but mneme's own engine, and still no argument makes them crash.
#include <new>
#include <system_error>

#include "binding/arguments.h"
#include "binding/environment.h"

namespace mneme::binding {

Environment* Environment::of(napi_env env) noexcept {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

namespace {

// No C++ exception leaves the addon.
template <napi_value (*function)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return function(env, info);
  } catch (const std::bad_alloc&) {
    return throwError(env, Code::outOfMemory, "the system refused memory");
  } catch (const std::system_error& error) {
    return throwError(env, Code::outOfMemory, error.what());
  }
}

struct Function {
  const char* name;
  napi_callback callback;
};

constexpr Function functions[] = {
    {"selectInstructionSet", guarded<selectInstructionSet>},
    {"machine", guarded<machine>},
    {"calibrate", guarded<calibrate>},
    {"loadProgram", guarded<loadProgram>},
    {"disposeProgram", guarded<disposeProgram>},
    {"execute", guarded<execute>},
    {"allocateMemory", guarded<allocateMemory>},
    {"disposeMemory", guarded<disposeMemory>},
    {"createStream", guarded<createStream>},
    {"disposeStream", guarded<disposeStream>},
    {"submit", guarded<submit>},
    {"write", guarded<write>},
    {"read", guarded<read>},
    {"collect", guarded<collect>},
};

}  // namespace

}  // namespace mneme::binding

NAPI_MODULE_INIT() {
  using namespace mneme::binding;
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
  auto* environment = new (std::nothrow) Environment;
  if (!environment || napi_set_instance_data(env, environment, destroy, nullptr) != napi_ok) {
    delete environment;
    return nullptr;
  }
  for (const Function& function : functions) {
    napi_value value = nullptr;
    if (napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.callback, nullptr, &value) != napi_ok ||
        napi_set_named_property(env, exports, function.name, value) != napi_ok) {
      return nullptr;
    }
  }
  return exports;
}
