// Streams, and the way back from their threads to JavaScript.
//
// Results come back first in, first out. The stream's thread wakes JavaScript through a thread-safe function that has
// no JavaScript function of its own; the wake calls `settle` with the number of finished items, and `settle` collects
// each into arrays that JavaScript made (cheaper there than here).
#include <cstring>

#include "binding/arguments.h"
#include "binding/environment.h"

namespace mneme::binding {

namespace {

// On the stream's thread.
void wakeJavaScript(void* context) {
  napi_call_threadsafe_function(static_cast<StreamHandle*>(context)->wake, nullptr, napi_tsfn_nonblocking);
}

// On the JavaScript thread; `env` is null while the environment goes away, and calls are refused while a worker ends.
void settleFinished(napi_env env, napi_value, void* context, void*) {
  auto* handle = static_cast<StreamHandle*>(context);
  if (!env || !handle->environment) return;
  const int64_t count = handle->stream->takeFinished();
  napi_value settle = nullptr, receiver = nullptr, argument = nullptr, result = nullptr;
  if (count == 0 || napi_get_reference_value(env, handle->settle, &settle) != napi_ok || !settle ||
      napi_get_undefined(env, &receiver) != napi_ok || napi_create_int64(env, count, &argument) != napi_ok ||
      napi_call_function(env, receiver, settle, 1, &argument, &result) == napi_ok) {
    return;
  }
  bool thrown = false;
  napi_value error = nullptr;
  if (napi_is_exception_pending(env, &thrown) == napi_ok && thrown &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

void deleteHandle(napi_env, void*, void* context) { delete static_cast<StreamHandle*>(context); }

// When the environment ends with the stream still open. Runs before the thread-safe function is torn down, because it
// was registered later: that is what makes ending a worker in the middle of a step safe.
void endStream(void* data);

// Ends the stream; the handle itself goes when its thread-safe function is finalized.
void dispose(StreamHandle* handle) {
  Environment& environment = *handle->environment;
  environment.streams.erase(handle->id);
  handle->environment = nullptr;
  handle->stream->stop();
  napi_delete_reference(handle->env, handle->settle);
  napi_release_threadsafe_function(handle->wake, napi_tsfn_abort);
}

void endStream(void* data) {
  auto* handle = static_cast<StreamHandle*>(data);
  // A step of this stream may be waiting for a step of another one that shares its memory.
  for (const auto& entry : handle->environment->streams) entry.second->stream->requestStop();
  dispose(handle);
}

StreamHandle* findStream(napi_env env, int64_t id) noexcept {
  const Environment& environment = *Environment::of(env);
  const auto found = environment.streams.find(id);
  if (found != environment.streams.end()) return found->second;
  throwError(env, Code::stopped, "the stream has been disposed of");
  return nullptr;
}

std::shared_ptr<Persistent> findMemory(napi_env env, int64_t id) noexcept {
  const Environment& environment = *Environment::of(env);
  const auto found = environment.memories.find(id);
  if (found != environment.memories.end()) return found->second;
  throwError(env, Code::stopped, "the memory has been disposed of");
  return nullptr;
}

// Queues the item; while work is in flight the process stays alive and `settle` cannot be collected.
napi_value send(StreamHandle* handle, Item* item) noexcept {
  if (handle->inFlight++ == 0) {
    napi_ref_threadsafe_function(handle->env, handle->wake);
    napi_reference_ref(handle->env, handle->settle, nullptr);
  }
  handle->stream->submit(item);
  return nullptr;
}

Item* acquire(napi_env env, StreamHandle* handle) noexcept {
  Item* item = handle->stream->acquire();
  if (!item) throwError(env, Code::outOfMemory, "the system refused memory");
  return item;
}

napi_value giveBack(napi_env env, StreamHandle* handle, Item* item, const Status& status) noexcept {
  handle->stream->release(item);
  return throwStatus(env, status);
}

}  // namespace

// createStream(threads, settle: (count) => void): id
napi_value createStream(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  int64_t threads = 0;
  napi_valuetype kind = napi_undefined;
  if (!arguments || !readInteger(env, arguments[0], "threads", 1, maximumThreads, &threads)) return nullptr;
  if (napi_typeof(env, arguments[1], &kind) != napi_ok || kind != napi_function) {
    return throwError(env, Code::invalidArgument, "settle must be a function");
  }
  Environment& environment = *Environment::of(env);
  auto handle = std::make_unique<StreamHandle>();
  handle->env = env;
  napi_value name = nullptr;
  if (napi_create_string_utf8(env, "mneme", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, arguments[1], 0, &handle->settle) != napi_ok) {
    return throwError(env, Code::outOfMemory, "the stream could not be made");
  }
  // The thread first: it may be refused, and cannot wake anybody before there is work.
  try {
    handle->stream = std::make_unique<Stream>(static_cast<int>(threads), wakeJavaScript, handle.get());
  } catch (...) {
    napi_delete_reference(env, handle->settle);
    throw;
  }
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, deleteHandle, handle.get(), settleFinished,
                                      &handle->wake) != napi_ok) {
    napi_delete_reference(env, handle->settle);
    return throwError(env, Code::outOfMemory, "the stream could not be made");
  }
  StreamHandle* owned = handle.release();
  napi_unref_threadsafe_function(env, owned->wake);
  napi_add_env_cleanup_hook(env, endStream, owned);
  owned->environment = &environment;
  owned->id = ++environment.lastId;
  environment.streams.emplace(owned->id, owned);
  napi_value result = nullptr;
  napi_create_int64(env, owned->id, &result);
  return result;
}

// disposeStream(id): whether there was one. What was in flight is stopped and never settles.
napi_value disposeStream(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  int64_t id = 0;
  if (!arguments || !readInteger(env, arguments[0], "stream", 0, maximumId, &id)) return nullptr;
  const Environment& environment = *Environment::of(env);
  const auto found = environment.streams.find(id);
  const bool exists = found != environment.streams.end();
  if (exists) {
    StreamHandle* handle = found->second;
    napi_remove_env_cleanup_hook(env, endStream, handle);
    if (handle->inFlight > 0) napi_unref_threadsafe_function(env, handle->wake);
    dispose(handle);
  }
  napi_value result = nullptr;
  napi_get_boolean(env, exists, &result);
  return result;
}

// submit(stream, program, parameters, updater, state, repeat, inputs): memories by id, 0 for none; inputs as an array
// of typed arrays, one for each input port. They are copied before it returns.
napi_value submit(napi_env env, napi_callback_info info) {
  const Arguments<7> arguments(env, info);
  if (!arguments) return nullptr;
  int64_t streamId = 0, programId = 0, memoryIds[persistentArenas] = {}, repeat = 0;
  std::vector<napi_value> values;
  std::vector<ArrayView> inputs;
  if (!readInteger(env, arguments[0], "stream", 0, maximumId, &streamId) ||
      !readInteger(env, arguments[1], "program", 0, maximumId, &programId)) {
    return nullptr;
  }
  for (int arena = 0; arena < persistentArenas; ++arena) {
    if (!readInteger(env, arguments[2 + arena], "memory", 0, maximumId, &memoryIds[arena])) return nullptr;
  }
  if (!readInteger(env, arguments[5], "repeat", 1, INT32_MAX, &repeat) ||
      !readElements(env, arguments[6], "inputs", maximumOperands, &values) || !readArrays(env, values, "input", false, &inputs)) {
    return nullptr;
  }

  StreamHandle* handle = findStream(env, streamId);
  if (!handle) return nullptr;
  const Environment& environment = *handle->environment;
  const auto found = environment.programs.find(programId);
  if (found == environment.programs.end()) return throwError(env, Code::stopped, "the program has been disposed of");
  const Program& program = *found->second.program;
  const auto elements = [&](Arena arena) { return program.elements[static_cast<int>(arena)]; };
  if (inputs.size() != program.inputPorts.size()) return throwError(env, Code::invalidArgument, "one array for each input port");
  if (repeat > 1 && (program.writes >> static_cast<int>(Arena::input) & 1) != 0) {
    return throwError(env, Code::invalidArgument, "a program that overwrites its inputs cannot be repeated");
  }
  std::shared_ptr<Persistent> memories[persistentArenas];
  for (int arena = 0; arena < persistentArenas; ++arena) {
    if ((program.uses >> arena & 1) == 0) continue;
    memories[arena] = findMemory(env, memoryIds[arena]);
    if (!memories[arena]) return nullptr;
    if (memories[arena]->elements() < program.elements[arena]) {
      return throwError(env, Code::invalidArgument, "a memory is smaller than the program needs");
    }
    for (int other = 0; other < arena; ++other) {
      if (memories[other] == memories[arena]) {
        return throwError(env, Code::invalidArgument, "one memory cannot stand for two arenas");
      }
    }
  }
  const auto portBuffer = [&](std::size_t port) -> const Buffer& {
    return program.buffers[static_cast<std::size_t>(program.inputPorts[port])];
  };
  for (std::size_t port = 0; port < inputs.size(); ++port) {
    if (!fits(env, inputs[port], portBuffer(port).type, "input", static_cast<int64_t>(port))) return nullptr;
  }

  Item* item = acquire(env, handle);
  if (!item) return nullptr;
  item->kind = Item::Kind::step;
  const int64_t outputElements = elements(Arena::output);
  Status status = grow(&item->input, elements(Arena::input) * 4);
  if (status.isOk() && outputElements > 0 && repeat > INT32_MAX / outputElements) {
    status = Status::error(Code::outOfMemory, "the outputs of %lld repetitions have more than 2^31 elements",
                           static_cast<long long>(repeat));
  }
  if (status.isOk()) status = grow(&item->output, outputElements * repeat * 4);
  if (!status.isOk()) return giveBack(env, handle, item, status);
  item->program = found->second.program;
  item->repeat = repeat;
  for (int arena = 0; arena < persistentArenas; ++arena) item->memories[arena] = std::move(memories[arena]);
  for (std::size_t port = 0; port < inputs.size(); ++port) {
    const Buffer& buffer = portBuffer(port);
    std::memcpy(static_cast<char*>(item->input.data()) + buffer.offset * 4, inputs[port].data,
                static_cast<std::size_t>(inputs[port].count * 4));
  }
  return send(handle, item);
}

namespace {

// What `write` and `read` have in common: an item for a range of a memory.
bool acquireRange(napi_env env, const Arguments<4>& arguments, int64_t count, StreamHandle** handle, Item** item) {
  int64_t streamId = 0, memoryId = 0, offset = 0;
  if (!readInteger(env, arguments[0], "stream", 0, maximumId, &streamId) ||
      !readInteger(env, arguments[1], "memory", 0, maximumId, &memoryId) ||
      !readInteger(env, arguments[2], "offset", 0, INT32_MAX, &offset)) {
    return false;
  }
  *handle = findStream(env, streamId);
  std::shared_ptr<Persistent> memory = *handle ? findMemory(env, memoryId) : nullptr;
  if (!memory) return false;
  if (offset + count > memory->elements()) {
    throwStatus(env, Status::error(Code::outOfRange, "elements %lld to %lld of a memory of %lld", static_cast<long long>(offset),
                                   static_cast<long long>(offset + count), static_cast<long long>(memory->elements())));
    return false;
  }
  *item = acquire(env, *handle);
  if (!*item) return false;
  (*item)->memories[0] = std::move(memory);
  (*item)->offset = offset;
  (*item)->count = count;
  return true;
}

}  // namespace

// write(stream, memory, offset, data): `data` is copied before it returns.
napi_value write(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  ArrayView data;
  StreamHandle* handle = nullptr;
  Item* item = nullptr;
  if (!arguments || !readArray(env, arguments[3], "data", 0, false, &data) ||
      !acquireRange(env, arguments, data.count, &handle, &item)) {
    return nullptr;
  }
  item->kind = Item::Kind::write;
  const Status status = grow(&item->input, data.count * 4);
  if (!status.isOk()) return giveBack(env, handle, item, status);
  if (data.count > 0) std::memcpy(item->input.data(), data.data, static_cast<std::size_t>(data.count * 4));
  return send(handle, item);
}

// read(stream, memory, offset, count): collect takes an array of `count` elements.
napi_value read(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  int64_t count = 0;
  StreamHandle* handle = nullptr;
  Item* item = nullptr;
  if (!arguments || !readInteger(env, arguments[3], "count", 0, INT32_MAX, &count) ||
      !acquireRange(env, arguments, count, &handle, &item)) {
    return nullptr;
  }
  item->kind = Item::Kind::read;
  const Status status = grow(&item->output, count * 4);
  if (!status.isOk()) return giveBack(env, handle, item, status);
  return send(handle, item);
}

namespace {

// Copies the results of the item into the arrays: for a step one for each output port, with the repetitions one after
// another; for a read one; for a write none.
bool copyOut(napi_env env, const Item& item, const std::vector<ArrayView>& arrays) noexcept {
  const bool isStep = item.kind == Item::Kind::step;
  const std::size_t expected = isStep ? item.program->outputPorts.size() : item.kind == Item::Kind::read ? 1 : 0;
  if (arrays.size() != expected) {
    throwError(env, Code::invalidArgument, "one array for each output port");
    return false;
  }
  for (std::size_t port = 0; port < expected; ++port) {
    const ArrayView& array = arrays[port];
    int64_t offset = 0, count = item.count, stride = 0;
    if (isStep) {
      const Buffer& buffer = item.program->buffers[static_cast<std::size_t>(item.program->outputPorts[port])];
      offset = buffer.offset;
      count = buffer.type.count();
      stride = item.program->elements[static_cast<int>(Arena::output)];
    }
    if (array.count != count * item.repeat) {
      throwError(env, Code::invalidArgument, "an output array has the wrong number of elements");
      return false;
    }
    for (int64_t run = 0; run < item.repeat && count > 0; ++run) {
      std::memcpy(static_cast<char*>(array.data) + run * count * 4,
                  static_cast<const char*>(item.output.data()) + (run * stride + offset) * 4, static_cast<std::size_t>(count * 4));
    }
  }
  return true;
}

}  // namespace

// collect(stream, arrays): takes the oldest finished item; throws what went wrong with it.
napi_value collect(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  int64_t streamId = 0;
  std::vector<napi_value> values;
  std::vector<ArrayView> arrays;
  if (!arguments || !readInteger(env, arguments[0], "stream", 0, maximumId, &streamId) ||
      !readElements(env, arguments[1], "arrays", maximumOperands, &values) || !readArrays(env, values, "array", false, &arrays)) {
    return nullptr;
  }
  StreamHandle* handle = findStream(env, streamId);
  if (!handle) return nullptr;
  Item* item = handle->stream->front();
  if (!item) return throwError(env, Code::invalidArgument, "nothing has finished");
  handle->stream->popFront();
  if (--handle->inFlight == 0) {
    napi_reference_unref(env, handle->settle, nullptr);
    napi_unref_threadsafe_function(env, handle->wake);
  }
  if (item->status.isOk()) copyOut(env, *item, arrays);
  else throwStatus(env, item->status);
  handle->stream->release(item);
  return nullptr;
}

}  // namespace mneme::binding
