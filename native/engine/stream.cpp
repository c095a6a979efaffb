#include "engine/stream.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>
#include <utility>

namespace mneme {

namespace {

constexpr std::size_t keptItems = 16;
constexpr auto longItem = std::chrono::microseconds(200);
constexpr auto longestSilence = std::chrono::microseconds(500);

// Holds the memories of a step: alone where it writes, with others where it only reads. Always locked in the order of
// their addresses, so that two steps never wait for each other.
class Access {
 public:
  Access(const std::shared_ptr<Persistent>* memories, uint32_t uses, uint32_t writes) {
    for (uint32_t arena = 0; arena < persistentArenas; ++arena) {
      if ((uses >> arena & 1) != 0) held_[count_++] = {memories[arena].get(), (writes >> arena & 1) != 0};
    }
    for (int index = 1; index < count_; ++index) {
      for (int at = index; at > 0 && std::less<Persistent*>()(held_[at].memory, held_[at - 1].memory); --at) {
        std::swap(held_[at], held_[at - 1]);
      }
    }
    for (int index = 0; index < count_; ++index) {
      if (held_[index].alone) held_[index].memory->access.lock();
      else held_[index].memory->access.lock_shared();
    }
  }
  ~Access() {
    for (int index = count_ - 1; index >= 0; --index) {
      if (held_[index].alone) held_[index].memory->access.unlock();
      else held_[index].memory->access.unlock_shared();
    }
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

 private:
  struct Held {
    Persistent* memory;
    bool alone;
  };
  Held held_[persistentArenas];
  int count_ = 0;
};

}  // namespace

void Stream::List::push(Item* item) noexcept {
  item->next = nullptr;
  (last ? last->next : first) = item;
  last = item;
  ++count;
}

Item* Stream::List::pop() noexcept {
  Item* item = first;
  if (!item) return nullptr;
  first = item->next;
  if (!first) last = nullptr;
  --count;
  return item;
}

Stream::Stream(int threads, void (*notify)(void*), void* context)
    : team_(threads), notify_(notify), context_(context), thread_([this] { work(); }) {}

Stream::~Stream() { stop(); }

Item* Stream::acquire() noexcept {
  if (!free_.empty()) {
    Item* item = free_.back();
    free_.pop_back();
    return item;
  }
  std::unique_ptr<Item> item(new (std::nothrow) Item);
  if (!item) return nullptr;
  items_.push_back(std::move(item));
  free_.reserve(items_.size());
  return items_.back().get();
}

void Stream::submit(Item* item) noexcept {
  bool sleeping;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push(item);
    sleeping = sleeping_;
  }
  if (sleeping) wake_.notify_one();
}

int64_t Stream::takeFinished() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  told_ = false;
  while (Item* item = finished_.pop()) taken_.push(item);
  return taken_.count;
}

void Stream::popFront() noexcept { taken_.pop(); }

void Stream::release(Item* item) noexcept {
  // What steps need again and again is kept; what is rare, or more than is ever in flight by design, is not.
  if (item->kind != Item::Kind::step || free_.size() >= keptItems) {
    item->input.release();
    item->output.release();
  }
  item->program.reset();
  for (std::shared_ptr<Persistent>& memory : item->memories) memory.reset();
  item->repeat = 1;
  free_.push_back(item);
}

void Stream::requestStop() noexcept {
  team_.stop();
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

void Stream::stop() noexcept {
  requestStop();
  if (thread_.joinable()) thread_.join();
}

void Stream::work() noexcept {
  while (Item* item = next()) {
    const Clock::time_point began = Clock::now();
    item->status = perform(*item);
    finish(item, began);
  }
}

Item* Stream::next() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!waiting_.first && !stopping_) {
    // What a disposed program left behind goes while there is nothing else to do.
    ready_.erase(std::remove_if(ready_.begin(), ready_.end(), [](const Ready& entry) { return entry.program.expired(); }),
                 ready_.end());
    sleeping_ = true;
    wake_.wait(lock, [this] { return waiting_.first || stopping_; });
    sleeping_ = false;
  }
  return stopping_ ? nullptr : waiting_.pop();
}

void Stream::finish(Item* item, Clock::time_point began) noexcept {
  const Clock::time_point now = Clock::now();
  bool tell;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (finished_.count == 0) oldestUntold_ = now;
    finished_.push(item);
    tell = !told_ && (now - began >= longItem || waiting_.count <= finished_.count || now - oldestUntold_ >= longestSilence);
    told_ = told_ || tell;
  }
  if (tell) notify_(context_);
}

void Stream::wakeOwnerBefore(Clock::duration expected) noexcept {
  if (expected < longItem) return;
  bool tell;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tell = finished_.count > 0 && !told_;
    told_ = told_ || tell;
  }
  if (tell) notify_(context_);
}

Status Stream::perform(Item& item) noexcept {
  if (item.kind == Item::Kind::step) {
    Ready* entry = ready(item.program);
    if (!entry) {
      const Status status = makeReady(item.program, &entry);
      if (!status.isOk()) return status;
    }
    wakeOwnerBefore(entry->lasted * item.repeat);
    const Clock::time_point began = Clock::now();
    const Status status = performStep(item, *entry);
    entry->lasted = (Clock::now() - began) / item.repeat;
    return status;
  }
  Persistent& memory = *item.memories[0];
  char* place = memory.data() + item.offset * 4;
  const auto bytes = static_cast<std::size_t>(item.count * 4);
  if (item.kind == Item::Kind::write) {
    const std::unique_lock<std::shared_mutex> alone(memory.access);
    if (bytes > 0) std::memcpy(place, static_cast<char*>(item.input.data()), bytes);
    ++memory.version;
  } else {
    const std::shared_lock<std::shared_mutex> shared(memory.access);
    if (bytes > 0) std::memcpy(static_cast<char*>(item.output.data()), place, bytes);
  }
  return Status::ok();
}

Status Stream::performStep(Item& item, Ready& entry) noexcept {
  const Program& program = *item.program;
  Status status = grow(&scratch_, program.elements[static_cast<int>(Arena::scratch)] * 4);
  if (status.isOk()) status = grow(&workspace_, entry.execution->workspaceBytes());
  if (!status.isOk()) return status;
  Step step;
  step.memories = item.memories;
  step.scratch = static_cast<char*>(scratch_.data());
  step.input = static_cast<char*>(item.input.data());
  for (int64_t run = 0; run < item.repeat; ++run) {
    step.output = static_cast<char*>(item.output.data()) + run * program.elements[static_cast<int>(Arena::output)] * 4;
    const Access access(item.memories, program.uses, program.writes);
    status = entry.execution->run(step, team_, workspace_.data());
    if (!status.isOk()) return status;
  }
  return Status::ok();
}

Stream::Ready* Stream::ready(const std::shared_ptr<const Program>& program) noexcept {
  for (Ready& entry : ready_) {
    if (!entry.program.owner_before(program) && !program.owner_before(entry.program)) return &entry;
  }
  return nullptr;
}

Status Stream::makeReady(const std::shared_ptr<const Program>& program, Ready** result) noexcept {
  try {
    Ready entry;
    entry.program = program;
    const Status status = Execution::create(program, team_.size(), &entry.execution);
    if (!status.isOk()) return status;
    ready_.push_back(std::move(entry));
    *result = &ready_.back();
    return status;
  } catch (const std::bad_alloc&) {
    return Status::error(Code::outOfMemory, "the system refused memory");
  }
}

}  // namespace mneme
