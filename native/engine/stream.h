// A queue of work with a thread and a team of its own: steps of programs, writes and reads of memories, first in, first out.
//
// One thread, the owner, acquires items, fills them, submits them, takes the finished ones and releases them. The
// stream's thread performs them and tells the owner by `notify` that some are finished: not for each, because waking a
// sleeping thread costs more than a small step, but when the work that waits has fallen to what is finished and untold,
// at the latest after half a millisecond, and always after an item that took 200 microseconds or is followed by one that will.
// (Measured with steps of 20 microseconds, eight in flight: 30.7 -> 23.6 microseconds a step.)
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/execution.h"
#include "engine/persistent.h"
#include "engine/program.h"

namespace mneme {

// One piece of work. Reused; the blocks of a step grow to what they once held and stay.
struct Item {
  enum class Kind { step, write, read };
  Kind kind = Kind::step;
  // step: repeats the program, each time with the same input; the outputs lie one after another.
  std::shared_ptr<const Program> program;
  int64_t repeat = 1;
  // step: the memories behind the persistent arenas; write and read: the first is the memory meant.
  std::shared_ptr<Persistent> memories[persistentArenas];
  // write and read: the elements meant
  int64_t offset = 0, count = 0;
  Memory input;   // step: the input arena; write: the elements
  Memory output;  // step: `repeat` output arenas; read: the elements
  Status status;
  Item* next = nullptr;
};

class Stream {
 public:
  // `notify` is called on the stream's thread. May throw std::system_error where no thread can be had.
  Stream(int threads, void (*notify)(void* context), void* context);
  ~Stream();  // stops
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int threads() const noexcept { return team_.size(); }

  // An item to fill; null where memory is exhausted.
  Item* acquire() noexcept;
  void submit(Item* item) noexcept;
  // Takes over what has finished since the last call; returns how many items `front` has now.
  int64_t takeFinished() noexcept;
  // The oldest item taken over; null if there is none.
  Item* front() const noexcept { return taken_.first; }
  void popFront() noexcept;
  // Gives back an item that was acquired, or taken by popFront.
  void release(Item* item) noexcept;

  // Asks the item that runs to end early and forgets those that wait.
  void requestStop() noexcept;
  // requestStop, then waits for the thread to end.
  void stop() noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  struct List {
    Item* first = nullptr;
    Item* last = nullptr;
    int64_t count = 0;
    void push(Item* item) noexcept;
    Item* pop() noexcept;
  };
  struct Ready {
    std::weak_ptr<const Program> program;
    std::unique_ptr<Execution> execution;
    Clock::duration lasted{0};
  };

  void work() noexcept;
  Item* next() noexcept;
  void finish(Item* item, Clock::time_point began) noexcept;
  void wakeOwnerBefore(Clock::duration expected) noexcept;
  Status perform(Item& item) noexcept;
  Status performStep(Item& item, Ready& ready) noexcept;
  Ready* ready(const std::shared_ptr<const Program>& program) noexcept;
  Status makeReady(const std::shared_ptr<const Program>& program, Ready** result) noexcept;

  Team team_;
  void (*const notify_)(void*);
  void* const context_;

  // The owner's
  std::vector<std::unique_ptr<Item>> items_;
  std::vector<Item*> free_;
  List taken_;

  // Shared, under mutex_
  std::mutex mutex_;
  std::condition_variable wake_;
  List waiting_, finished_;
  bool stopping_ = false;
  bool sleeping_ = false;
  bool told_ = false;    // the owner was notified and has not come yet
  Clock::time_point oldestUntold_{};

  // The thread's
  std::vector<Ready> ready_;
  Memory scratch_, workspace_;
  std::thread thread_;  // last: everything it uses exists before it starts
};

}  // namespace mneme
