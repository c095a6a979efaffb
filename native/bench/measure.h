// Interleaved measurement: every round takes one sample of each case in turn, and one of the yardstick beside it, so that what
// the machine does meanwhile hits all of them alike. Medians are reported.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace mneme::bench {

inline double secondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

struct Case {
  std::string name;
  double operations;  // floating-point operations of one run, 0 where they are not the point
  int threads;
  std::function<void()> run;
  std::string against = {};  // name of the case that its time is compared with
  std::vector<double> seconds = {};
};

// Each sample lasts about `sample` seconds. `yardstick` returns the peak of one thread in operations a second.
inline double measure(std::vector<Case>& cases, int rounds, double sample, const std::function<double()>& yardstick) {
  std::vector<int> repeats;
  std::vector<double> peaks;
  for (const Case& one : cases) {
    one.run();
    const double start = secondsNow();
    one.run();
    repeats.push_back(std::max(1, static_cast<int>(sample / std::max(1e-9, secondsNow() - start) + 0.5)));
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      // Once untimed: the case before has filled the caches with its own data.
      cases[i].run();
      const double start = secondsNow();
      for (int repeat = 0; repeat < repeats[i]; ++repeat) cases[i].run();
      cases[i].seconds.push_back((secondsNow() - start) / repeats[i]);
    }
    peaks.push_back(yardstick());
  }
  // The clock only ever falls short of what the machine can do.
  return *std::max_element(peaks.begin(), peaks.end());
}

}  // namespace mneme::bench
