// The thread team, aligned memory, the processor's description, denormals.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "base/denormals.h"
#include "base/memory.h"
#include "base/team.h"
#include "test/check.h"

using namespace mneme;

MNEME_TEST(everyMemberRunsOnce, "team: every member runs once, and run returns after all of them") {
  for (int threads = 1; threads <= 9; ++threads) {
    Team team(threads);
    std::vector<int> calls(static_cast<std::size_t>(threads), 0);
    for (int round = 0; round < 200; ++round) {
      team.run([&](int member) { ++calls[static_cast<std::size_t>(member)]; });
    }
    for (const int count : calls) MNEME_CHECK(count == 200);
  }
}

MNEME_TEST(barrierSeparates, "team: what was written before a barrier is read after it by every member") {
  for (const int threads : {1, 2, 3, 8}) {
    Team team(threads);
    std::vector<int> written(static_cast<std::size_t>(threads), -1);
    std::atomic<int> wrong{0};
    team.run([&](int member) {
      for (int round = 0; round < 300; ++round) {
        written[static_cast<std::size_t>(member)] = round;
        team.barrier(member);
        for (const int value : written) wrong += value != round;
        team.barrier(member);
      }
    });
    MNEME_CHECK(wrong == 0);
  }
}

MNEME_TEST(sleepersWake, "team: members that went to sleep between runs and inside barriers wake up") {
  Team team(3);
  std::atomic<int> calls{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    team.run([&](int member) {
      if (member == round % 3) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      team.barrier(member);
      ++calls;
    });
  }
  MNEME_CHECK(calls == 15);
}

MNEME_TEST(idleTeamSleeps, "team: an idle team takes no processor time") {
  Team team(4);
  team.run([](int) {});
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  // Three members that spun on would have used 0.1 s or more; the limit on spinning is 20 us each.
  MNEME_CHECK(seconds < 0.02);
}

MNEME_TEST(teamsSideBySide, "team: teams on several threads do not disturb each other") {
  std::vector<std::thread> callers;
  std::atomic<int> calls{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&calls] {
      Team team(2);
      for (int round = 0; round < 100; ++round) {
        team.run([&](int member) {
          team.barrier(member);
          ++calls;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  MNEME_CHECK(calls == 4 * 100 * 2);
}

MNEME_TEST(sharesCover, "team: shares cover everything once, in whole grains") {
  for (const int64_t count : {0, 1, 5, 16, 100, 4097}) {
    for (const int64_t grain : {1, 16, 512}) {
      for (int members = 1; members <= 5; ++members) {
        int64_t next = 0;
        for (int member = 0; member < members; ++member) {
          const Share share = shareOf(count, member, members, grain);
          MNEME_CHECK(share.begin == next && share.end >= share.begin);
          MNEME_CHECK(share.begin % grain == 0 || share.begin == count);
          next = share.end;
        }
        MNEME_CHECK(next == count);
      }
    }
  }
}

MNEME_TEST(denormalsFlushed, "denormals: zero in every member while it runs, and as before afterwards") {
  volatile float tiny = 1e-38f;
  MNEME_CHECK(tiny * 0.25f != 0.0f);
  for (const int threads : {1, 3}) {
    Team team(threads);
    std::atomic<int> flushed{0};
    team.run([&](int) { flushed += tiny * 0.25f == 0.0f; });
    MNEME_CHECK(flushed == threads);
    MNEME_CHECK(tiny * 0.25f != 0.0f);
  }
}

MNEME_TEST(memoryAligned, "memory: aligned, zeroed, moved without copying") {
  for (const int64_t bytes : {int64_t{1}, int64_t{100}, int64_t{4096}, int64_t{5} << 20}) {
    Memory memory;
    MNEME_CHECK(Memory::allocate(bytes, &memory).isOk());
    MNEME_CHECK(memory.bytes() == bytes);
    MNEME_CHECK(reinterpret_cast<uintptr_t>(memory.data()) % memoryAlignment == 0);
    const unsigned char* data = static_cast<const unsigned char*>(memory.data());
    MNEME_CHECK(data[0] == 0 && data[bytes - 1] == 0);
    Memory other = std::move(memory);
    MNEME_CHECK(other.data() == data && memory.data() == nullptr && memory.bytes() == 0);
  }
  Memory empty;
  MNEME_CHECK(Memory::allocate(0, &empty).isOk() && empty.data() == nullptr);
}

MNEME_TEST(memoryRefused, "memory: sizes beyond this machine are refused with the size in GiB") {
  Memory memory;
  const int64_t available = memoryAvailable();
  MNEME_CHECK(available > 0);
  for (const int64_t bytes : {int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX - 63, available + 1}) {
    const Status status = Memory::allocate(bytes, &memory);
    MNEME_CHECK(status.code == Code::outOfMemory);
    MNEME_CHECK(std::strstr(status.message, "GiB") != nullptr);
    MNEME_CHECK(memory.data() == nullptr);
  }
}

MNEME_TEST(processorDescribed, "cpu: AVX-512 implies AVX2, there is a core, and the name is printable") {
  const CpuFeatures features = cpuFeatures();
  MNEME_CHECK(features.avx2 || !features.avx512);
  MNEME_CHECK(coresAvailable() >= 1);
  char name[64];
  cpuName(name);
  MNEME_CHECK(std::strlen(name) > 0 && std::strlen(name) < sizeof name);
  for (const char* letter = name; *letter; ++letter) MNEME_CHECK(*letter >= ' ' && *letter <= '~');
}
