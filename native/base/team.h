// A team of threads that runs one function at a time on all its members.
//
// The thread that calls `run` is member 0; the others are the team's own. Between two runs the members look out
// for some ten microseconds, then sleep; the threads of an idle team cost nothing. Denormals are flushed
// (FTZ and DAZ) in every member for the length of a run, and only there.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace mneme {

class Team {
 public:
  // threads >= 1. A team of one owns no thread.
  explicit Team(int threads);
  ~Team();  // joins
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const noexcept { return size_; }

  // Calls function(context, member) once on every member and returns when all have returned.
  void run(void (*function)(void* context, int member), void* context) noexcept;

  // The same with a callable taking `int member`.
  template <typename Callable>
  void run(Callable&& callable) noexcept {
    using Type = std::remove_reference_t<Callable>;
    run([](void* context, int member) { (*static_cast<Type*>(context))(member); },
        const_cast<std::remove_const_t<Type>*>(&callable));
  }

  // To be called by every member of a running function: returns when all have arrived.
  void barrier(int member) noexcept;

  // Long instructions poll this between time steps and return early: the stream is being torn down.
  bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }
  void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }

 private:
  struct Members;
  int size_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<Members> members_;
};

// Member `member` of `team` takes [begin, end) of `count` things, in multiples of `grain`.
struct Share {
  int64_t begin;
  int64_t end;
};
inline Share shareOf(int64_t count, int member, int members, int64_t grain = 1) noexcept {
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t begin = grains * member / members * grain;
  const int64_t end = grains * (member + 1) / members * grain;
  return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace mneme
