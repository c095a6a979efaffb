// Reading the arguments of a call from JavaScript, and throwing where they do not fit.
//
// Every reader returns false after it has thrown; the caller then returns null at once. JavaScript may run while
// elements of an array are read (an array may have getters), so everything is read before anything is looked up.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "kernels/kernel.h"

namespace mneme::binding {

// `code` of the JavaScript error, as src/errors.ts has it.
const char* codeName(Code code) noexcept;

// Throws an Error with that code and message; returns null for `return throwError(...)`.
napi_value throwError(napi_env env, Code code, const char* message) noexcept;
napi_value throwStatus(napi_env env, const Status& status) noexcept;

// A typed array at the moment it was looked at: valid until JavaScript runs again.
struct ArrayView {
  Dtype dtype = Dtype::f32;
  int64_t count = 0;
  void* data = nullptr;
  bool shared = false;   // backed by a SharedArrayBuffer
  bool present = false;  // false for null and undefined
};

template <int count>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) noexcept : env_(env) {
    std::size_t given = count;
    if (napi_get_cb_info(env, info, &given, values_, nullptr, nullptr) != napi_ok) given = 0;
    complete_ = given >= count;
    if (!complete_) throwError(env, Code::invalidArgument, "too few arguments");
  }
  explicit operator bool() const noexcept { return complete_; }
  napi_env env() const noexcept { return env_; }
  napi_value operator[](int index) const noexcept { return values_[index]; }

 private:
  napi_env env_;
  napi_value values_[count] = {};
  bool complete_ = false;
};

// A whole number in [minimum, maximum].
bool readInteger(napi_env env, napi_value value, const char* name, int64_t minimum, int64_t maximum, int64_t* result) noexcept;
bool readString(napi_env env, napi_value value, const char* name, std::string* result);
// The elements of an array, at most `maximum`.
bool readElements(napi_env env, napi_value value, const char* name, int64_t maximum, std::vector<napi_value>* result);
// A Float32Array or Int32Array; null or undefined where `optional`.
bool readArray(napi_env env, napi_value value, const char* name, int64_t index, bool optional, ArrayView* result) noexcept;
bool readArrays(napi_env env, const std::vector<napi_value>& values, const char* name, bool optional,
                std::vector<ArrayView>* result);
// That the array is what an operand of this type needs.
bool fits(napi_env env, const ArrayView& array, const OperandType& type, const char* name, int64_t index) noexcept;

}  // namespace mneme::binding
