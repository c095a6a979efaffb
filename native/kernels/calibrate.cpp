#include "kernels/calibrate.h"

#include <chrono>

#include "simd/target_begin.h"
#include "simd/vector.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

double now() noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Sums are compared with a value they cannot have, so that the compiler may not drop the work.
volatile float sink;

// Two units with a latency of four take eight independent chains; 12 leave room for processors with more of either.
constexpr int chains = 12;

double multiplyAddRate(double seconds) noexcept {
  constexpr int64_t rounds = 20000;
  double best = 0;
  const double end = now() + seconds;
  do {
    Vector accumulator[chains];
    for (int chain = 0; chain < chains; ++chain) accumulator[chain] = broadcast(static_cast<float>(chain));
    Vector factor = broadcast(0.999f), addend = broadcast(0.001f);
    pin(factor);
    pin(addend);
    const double start = now();
    for (int64_t round = 0; round < rounds; ++round) {
      for (int chain = 0; chain < chains; ++chain) accumulator[chain] = fma(accumulator[chain], factor, addend);
    }
    const double elapsed = now() - start;
    Vector sum = zero();
    for (int chain = 0; chain < chains; ++chain) sum = add(sum, accumulator[chain]);
    float lanes[Vector::width];
    store(lanes, sum);
    sink = lanes[0];
    const double rate = 2e-9 * Vector::width * chains * rounds / elapsed;
    if (rate > best) best = rate;
  } while (now() < end);
  return best;
}

double readRate(const void* memory, int64_t bytes, double seconds) noexcept {
  constexpr int streams = 8;
  const float* data = static_cast<const float*>(memory);
  const int64_t step = streams * Vector::width;
  const int64_t elements = bytes / static_cast<int64_t>(sizeof(float)) / step * step;
  // At least 4 MB between two looks at the clock.
  const int64_t rounds = 1 + (int64_t{4} << 20) / bytes;
  double best = 0;
  const double end = now() + seconds;
  do {
    Vector sum[streams];
    for (int stream = 0; stream < streams; ++stream) sum[stream] = zero();
    const double start = now();
    for (int64_t round = 0; round < rounds; ++round) {
      for (int64_t i = 0; i < elements; i += step) {
        for (int stream = 0; stream < streams; ++stream) sum[stream] = add(sum[stream], load(data + i + stream * Vector::width));
      }
    }
    const double elapsed = now() - start;
    Vector total = zero();
    for (int stream = 0; stream < streams; ++stream) total = add(total, sum[stream]);
    float lanes[Vector::width];
    store(lanes, total);
    sink = lanes[0];
    const double rate = 1e-9 * 4.0 * static_cast<double>(elements) * static_cast<double>(rounds) / elapsed;
    if (rate > best) best = rate;
  } while (now() < end);
  return best;
}

}  // namespace

extern const Calibration calibration;
const Calibration calibration = {multiplyAddRate, readRate};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
