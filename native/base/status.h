// Status codes: how native code says what went wrong. No exceptions cross a boundary.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace mneme {

enum class Code : int32_t {
  ok = 0,
  invalidProgram,    // refused by verification
  invalidArgument,   // a call with operands that do not fit
  outOfRange,        // an id outside its table, found while running
  outOfMemory,
  stopped,           // the stream is going away; the step was not finished
};

// A code and a sentence. Trivially copyable, no allocation.
struct Status {
  Code code = Code::ok;
  char message[220] = {0};

  bool isOk() const noexcept { return code == Code::ok; }

  static Status ok() noexcept { return Status{}; }

  __attribute__((format(printf, 2, 3)))
  static Status error(Code code, const char* format, ...) noexcept {
    Status status;
    status.code = code;
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return status;
  }
};

}  // namespace mneme
