// A program made ready for one team: its signatures for that many threads, the packed weights it keeps, and the loop
// over its instructions. Nothing is allocated while it runs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/persistent.h"
#include "engine/program.h"

namespace mneme {

// Where the arenas of one step lie. Each is as large as the program asks (Program::elements).
struct Step {
  const std::shared_ptr<Persistent>* memories = nullptr;  // persistentArenas of them; null where the program does not use it
  char* scratch = nullptr;
  char* input = nullptr;
  char* output = nullptr;
};

class Execution {
 public:
  static Status create(std::shared_ptr<const Program> program, int threads, std::unique_ptr<Execution>* result);

  // Bytes that `run` and `runOn` may use at `workspace`; 64-byte aligned.
  int64_t workspaceBytes() const noexcept { return workspaceBytes_; }
  const Program& program() const noexcept { return *program_; }

  // Runs every instruction once. The caller holds `access` of the memories: alone where the program writes.
  Status run(const Step& step, Team& team, void* workspace) noexcept;

  // Runs a program of one instruction on operands outside any arena, given in the order of its operands (null where
  // absent). The caller has checked their sizes and that they overlap only where Program's rules allow it.
  Status runOn(void* const* inputs, void* const* outputs, Team& team, void* workspace) noexcept;

 private:
  // Packed weights of one instruction, and what they were packed from.
  struct Prepared {
    int64_t offset = 0;       // in prepared_
    bool wanted = false;      // the instruction has a `prepare`
    bool persistent = false;  // it reads persistent arenas only, so that its result can be kept
    uint32_t arenas = 0;      // bit a: it reads persistent arena a
    uint64_t versions[persistentArenas] = {0, 0, 0};
    // Loops around the instruction in which nothing it reads moves or is written: packed once for all their iterations.
    std::vector<int32_t> steady;
  };

  Execution() = default;
  void noticeMemories(const Step& step) noexcept;
  bool isCurrent(const Prepared& prepared, const Step& step) const noexcept;
  std::size_t next(std::size_t instruction) noexcept;

  std::shared_ptr<const Program> program_;
  std::vector<Signature> signatures_;
  std::vector<Prepared> preparedOf_;
  Memory prepared_;
  int64_t workspaceBytes_ = 0;
  std::vector<void*> inputs_, outputs_;  // of the instruction that runs
  std::vector<int64_t> iterations_;      // of each loop: how many it has behind it
  // The memories of the last run: others make all packed weights stale. Weak, so that disposing frees them.
  std::weak_ptr<Persistent> last_[persistentArenas];
};

}  // namespace mneme
