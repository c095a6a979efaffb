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

// How long a member looks for news before it sleeps. Waking a sleeper costs 7 us, so spinning that long loses at most
// as much again; the gaps between the instructions of a running program are mostly shorter than three times that, and a
// team that has gone idle takes no more than this from the event loop's core.
constexpr std::chrono::microseconds spinTime{20};

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
  // waits for, so then it sleeps at once.
  void waitWhile(uint32_t old, bool spin) noexcept {
    if (spin && spinWhile(old)) return;
    if (current() != old) return;
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (value_.load(std::memory_order_seq_cst) == old) changed_.wait(lock);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  bool spinWhile(uint32_t old) const noexcept {
    for (int round = 0; round < 64; ++round) {
      if (current() != old) return true;
      pause();
    }
    const auto end = std::chrono::steady_clock::now() + spinTime;
    do {
      for (int round = 0; round < 32; ++round) {
        if (current() != old) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
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
      started.waitWhile(seen, spin);
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
  members_->finished.waitWhile(members_->runs - 1, members_->spin);
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
    members.barrier.waitWhile(seen, members.spin);
  }
}

}  // namespace mneme
