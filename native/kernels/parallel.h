// How the general kernels use the team: everyone if the work is worth it, else the calling thread alone.
#pragma once

#include <cstdint>

#include "base/denormals.h"
#include "base/team.h"

namespace mneme {

// What one member of a crew knows. A crew of one is the calling thread.
struct Crew {
  Team* team;
  int member;
  int members;

  void barrier() const noexcept {
    if (members > 1) team->barrier(member);
  }
  Share share(int64_t count, int64_t grain = 1) const noexcept { return shareOf(count, member, members, grain); }
};

// Work below this goes to the calling thread alone. Handing over to spinning members and waiting for them takes 0.2 to
// 0.5 us, and 7 us where they had gone to sleep: two threads gain half the time, so that shorter work may lose.
constexpr double worthSharing = 4000;  // nanoseconds

// Calls work(crew) on every member, or once where the work, estimated in nanoseconds of one core, is small. The result
// may not depend on which.
template <typename Work>
void shareWork(Team& team, double nanoseconds, Work&& work) noexcept {
  if (team.size() == 1 || nanoseconds < worthSharing) {
    const DenormalsFlushed flushed;
    work(Crew{&team, 0, 1});
    return;
  }
  const int members = team.size();
  team.run([&](int member) { work(Crew{&team, member, members}); });
}

}  // namespace mneme
