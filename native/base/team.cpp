#include "base/team.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "base/denormals.h"

namespace mneme {
namespace {

// How long a thread looks for news before it sleeps. Waking a sleeper takes 7 us, on a virtual machine whose idle cores halt
// up to 30. A wait shorter than that has a bad habit to fall into: while one side is being woken the other falls asleep, and
// so in turn, each run then costing two wake-ups (measured: 50 us instead of 0.2, for good). Within a run the others are
// sure to arrive, so it is worth waiting longer.
constexpr std::chrono::microseconds patienceBetweenRuns{60};
constexpr std::chrono::microseconds patienceWithinRun{300};
// The first part of it is spent spinning; afterwards the core is offered to whoever wants it at every look, for on a busy
// machine that may be the very thread that is waited for (two members on one core: 10 us a run, 25 with ten of spinning).
constexpr std::chrono::microseconds spinTime{3};

void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// A number that one thread changes and others wait for: first spinning, then asleep.
class alignas(64) Announcement {
 public:
  uint32_t current() const noexcept { return value_.load(std::memory_order_acquire); }

  void announce(uint32_t value) noexcept {
    // Sequentially consistent on both sides: either this thread sees the sleeper, or the sleeper sees the value.
    value_.store(value, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
    { const std::lock_guard<std::mutex> lock(mutex_); }
    changed_.notify_all();
  }

  // Returns once the number is no longer `old`. With more threads than cores a spinning thread may hold up the one it
  // waits for: then `spin` is false, and the core is offered from the start.
  void waitWhile(uint32_t old, std::chrono::microseconds patience, bool spin) noexcept {
    if (lookWhile(old, patience, spin)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (value_.load(std::memory_order_seq_cst) == old) changed_.wait(lock);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  // Whether the number changed while this thread was still awake.
  bool lookWhile(uint32_t old, std::chrono::microseconds patience, bool spin) const noexcept {
    constexpr int looks = 32;  // between two looks at the clock
    for (int look = 0; spin && look < looks; ++look) {
      if (current() != old) return true;
      pause();
    }
    const auto start = std::chrono::steady_clock::now();
    for (auto now = start; now - start < patience; now = std::chrono::steady_clock::now()) {
      for (int look = 0; look < looks; ++look) {
        if (current() != old) return true;
        if (!spin || now - start >= spinTime) {
          std::this_thread::yield();
          break;
        }
        pause();
      }
    }
    return current() != old;
  }

  std::atomic<uint32_t> value_{0};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace

struct Team::Members {
  Announcement started;   // number of the run that members are to take part in
  Announcement finished;  // number of the last run that all members have left
  Announcement barrier;   // number of barriers that all members have reached
  alignas(64) std::atomic<int> running{0};
  alignas(64) std::atomic<int> arrived{0};
  void (*function)(void*, int) = nullptr;  // null: leave
  void* context = nullptr;
  uint32_t runs = 0;
  bool spin = true;
  std::vector<std::thread> threads;

  void serve(int member) noexcept {
    const DenormalsFlushed flushed;
    for (uint32_t seen = 0;; ++seen) {
      started.waitWhile(seen, patienceBetweenRuns, spin);
      if (function == nullptr) return;
      function(context, member);
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) finished.announce(seen + 1);
    }
  }

  void start(void (*next)(void*, int), void* nextContext) noexcept {
    function = next;
    context = nextContext;
    running.store(static_cast<int>(threads.size()), std::memory_order_relaxed);
    started.announce(++runs);
  }

  void leave() noexcept {
    start(nullptr, nullptr);
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
};

Team::Team(int threads) : size_(threads), members_(new Members) {
  members_->spin = threads <= coresAvailable();
  members_->threads.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int member = 1; member < threads; ++member) {
      members_->threads.emplace_back([members = members_.get(), member] { members->serve(member); });
    }
  } catch (...) {
    // The system gave fewer threads than asked for: what there is leaves again, and the caller hears of it.
    members_->leave();
    throw;
  }
}

Team::~Team() { members_->leave(); }

void Team::run(void (*function)(void* context, int member), void* context) noexcept {
  const DenormalsFlushed flushed;
  if (size_ == 1) {
    function(context, 0);
    return;
  }
  members_->start(function, context);
  function(context, 0);
  members_->finished.waitWhile(members_->runs - 1, patienceWithinRun, members_->spin);
}

void Team::barrier(int) noexcept {
  if (size_ == 1) return;
  Members& members = *members_;
  // Read before arriving: afterwards the last member may already have moved it on.
  const uint32_t seen = members.barrier.current();
  if (members.arrived.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
    members.arrived.store(0, std::memory_order_relaxed);
    members.barrier.announce(seen + 1);
  } else {
    members.barrier.waitWhile(seen, patienceWithinRun, members.spin);
  }
}

}  // namespace mneme
