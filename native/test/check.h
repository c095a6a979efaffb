// The least a unit test needs: named tests, checks that print what they compared, an exit status.
#pragma once

#include <cstdio>
#include <cstring>
#include <vector>

namespace mneme::test {

struct Test {
  const char* name;
  void (*run)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
inline int& failures() {
  static int count = 0;
  return count;
}
struct Registration {
  Registration(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

// Runs every test, or those whose name contains the first argument.
inline int runAll(int argumentCount, char** arguments) {
  int ran = 0;
  for (const Test& test : tests()) {
    if (argumentCount > 1 && !std::strstr(test.name, arguments[1])) continue;
    const int before = failures();
    test.run();
    ++ran;
    std::printf("%s %s\n", failures() == before ? "ok  " : "FAIL", test.name);
  }
  std::printf("%d passed, %d failed\n", ran - failures(), failures());
  return failures() == 0 && ran > 0 ? 0 : 1;
}

}  // namespace mneme::test

// clang-format off
#define MNEME_TEST(identifier, name)                                              \
  static void identifier();                                                       \
  static const mneme::test::Registration registration_##identifier(name, identifier); \
  static void identifier()
// clang-format on
#define MNEME_CHECK(condition)                                                       \
  do {                                                                               \
    if (!(condition)) {                                                              \
      ++mneme::test::failures();                                                     \
      std::printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);          \
    }                                                                                \
  } while (0)
#define MNEME_CHECK_NEAR(got, want, bound)                                           \
  do {                                                                               \
    const double got_ = (got), want_ = (want), bound_ = (bound);                     \
    if (!(got_ - want_ <= bound_ && want_ - got_ <= bound_)) {                       \
      ++mneme::test::failures();                                                     \
      std::printf("%s:%d: %s = %.9g, expected %.9g within %.3g\n", __FILE__, __LINE__, #got, got_, want_, bound_); \
    }                                                                                \
  } while (0)
