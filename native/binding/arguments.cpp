#include "binding/arguments.h"

#include <cmath>

namespace mneme::binding {

const char* codeName(Code code) noexcept {
  switch (code) {
    case Code::invalidProgram: return "invalid-program";
    case Code::invalidArgument: return "invalid-argument";
    case Code::outOfRange: return "out-of-range";
    case Code::outOfMemory: return "out-of-memory";
    case Code::stopped: return "disposed";
    case Code::ok: break;
  }
  return "internal";
}

napi_value throwError(napi_env env, Code code, const char* message) noexcept {
  napi_throw_error(env, codeName(code), message);
  return nullptr;
}

napi_value throwStatus(napi_env env, const Status& status) noexcept { return throwError(env, status.code, status.message); }

namespace {

template <typename... Values>
bool refuse(napi_env env, const char* format, Values... values) noexcept {
  throwStatus(env, Status::error(Code::invalidArgument, format, values...));
  return false;
}

}  // namespace

bool readInteger(napi_env env, napi_value value, const char* name, int64_t minimum, int64_t maximum, int64_t* result) noexcept {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= static_cast<double>(minimum)) ||
      !(number <= static_cast<double>(maximum)) || number != std::floor(number)) {
    return refuse(env, "%s must be a whole number from %lld to %lld", name, static_cast<long long>(minimum),
                  static_cast<long long>(maximum));
  }
  *result = static_cast<int64_t>(number);
  return true;
}

bool readString(napi_env env, napi_value value, const char* name, std::string* result) {
  char text[64];
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text, sizeof text, &length) != napi_ok) {
    return refuse(env, "%s must be a string", name);
  }
  result->assign(text, length);
  return true;
}

bool readElements(napi_env env, napi_value value, const char* name, int64_t maximum, std::vector<napi_value>* result) {
  bool isArray = false;
  uint32_t length = 0;
  if (napi_is_array(env, value, &isArray) != napi_ok || !isArray || napi_get_array_length(env, value, &length) != napi_ok) {
    return refuse(env, "%s must be an array", name);
  }
  if (length > maximum) {
    return refuse(env, "%s has %u elements, expected %lld", name, length, static_cast<long long>(maximum));
  }
  for (uint32_t index = 0; index < length; ++index) {
    napi_value element = nullptr;
    if (napi_get_element(env, value, index, &element) != napi_ok) return false;  // a getter has thrown
    result->push_back(element);
  }
  return true;
}

bool readArray(napi_env env, napi_value value, const char* name, int64_t index, bool optional, ArrayView* result) noexcept {
  const auto position = static_cast<long long>(index);
  *result = ArrayView{};
  napi_valuetype kind = napi_undefined;
  if (napi_typeof(env, value, &kind) != napi_ok) return refuse(env, "%s %lld cannot be read", name, position);
  if (optional && (kind == napi_undefined || kind == napi_null)) return true;
  bool isTypedArray = false;
  napi_typedarray_type type{};
  std::size_t length = 0;
  napi_value buffer = nullptr;
  if (napi_is_typedarray(env, value, &isTypedArray) != napi_ok || !isTypedArray ||
      napi_get_typedarray_info(env, value, &type, &length, &result->data, &buffer, nullptr) != napi_ok ||
      (type != napi_float32_array && type != napi_int32_array)) {
    return refuse(env, "%s %lld must be a Float32Array or an Int32Array", name, position);
  }
  bool isArrayBuffer = false;
  napi_is_arraybuffer(env, buffer, &isArrayBuffer);
  result->shared = !isArrayBuffer;
  result->dtype = type == napi_float32_array ? Dtype::f32 : Dtype::i32;
  result->count = static_cast<int64_t>(length);
  result->present = true;
  return true;
}

bool readArrays(napi_env env, const std::vector<napi_value>& values, const char* name, bool optional,
                std::vector<ArrayView>* result) {
  for (std::size_t index = 0; index < values.size(); ++index) {
    ArrayView view;
    if (!readArray(env, values[index], name, static_cast<int64_t>(index), optional, &view)) return false;
    result->push_back(view);
  }
  return true;
}

bool fits(napi_env env, const ArrayView& array, const OperandType& type, const char* name, int64_t index) noexcept {
  const auto position = static_cast<long long>(index);
  if (array.present != type.present) {
    return refuse(env, "%s %lld is %s", name, position, type.present ? "missing" : "given but the program has none there");
  }
  if (!array.present) return true;
  if (array.dtype != type.dtype) {
    return refuse(env, "%s %lld must be a %s", name, position, type.dtype == Dtype::f32 ? "Float32Array" : "Int32Array");
  }
  if (array.count != type.count()) {
    return refuse(env, "%s %lld must have %lld elements, it has %lld%s", name, position, static_cast<long long>(type.count()),
                  static_cast<long long>(array.count), array.count == 0 ? " (is its buffer detached?)" : "");
  }
  return true;
}

}  // namespace mneme::binding
