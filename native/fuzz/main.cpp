// A coverage-guided fuzzer of program verification.
//
//   mneme_fuzz CORPUS [--count N] [--seed S] [--keep FOLDER]    N programs made from those in the folder CORPUS
//   mneme_fuzz FILE...                                          those programs once: to look at one that failed
//
// The same seed and count give the same programs. What reaches new places of the engine is worked on further, and written to
// FOLDER where that is given. A program that fails is left behind as fuzz-failure.words.
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "fuzz/coverage.h"
#include "fuzz/mutator.h"
#include "fuzz/target.h"

using namespace mneme;
using namespace mneme::fuzz;
namespace fs = std::filesystem;

namespace {

constexpr unsigned longestSeconds = 60;  // of one program: more is a hang
constexpr std::size_t largestCorpus = 20000;
constexpr std::size_t longestWords = 1 << 16;

// The program being looked at, for the one who comes after a crash.
Words current;

void leaveBehind() {
  std::FILE* file = std::fopen("fuzz-failure.words", "wb");
  if (!file) return;
  std::fwrite(current.data(), 4, current.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "fuzz: the program is in fuzz-failure.words\n");
}

void onSignal(int number) {
  std::fprintf(stderr, "fuzz: %s\n", number == SIGALRM ? "a program hangs" : "aborted");
  leaveBehind();
  _exit(1);
}

Outcome look(const Words& words, uint64_t seed) {
  current = words;
  alarm(longestSeconds);
  const Outcome outcome = check(words, seed);
  alarm(0);
  return outcome;
}

Words readWords(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  Words words(bytes.size() / 4);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

void writeWords(const fs::path& path, const Words& words) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(words.size() * 4));
}

// Sorted by name: the same order on every machine.
std::vector<fs::path> filesIn(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".words") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Every seed is a program, and every kernel has one.
int checkSeeds(const std::vector<Words>& seeds, const KernelTable& kernels) {
  std::set<std::string> found;
  int faults = 0;
  for (std::size_t index = 0; index < seeds.size(); ++index) {
    for (uint64_t way = 0; way < 9; ++way) faults += look(seeds[index], way) != Outcome::ran;
    operationsOf(seeds[index], [](void* names, const char* name) { static_cast<std::set<std::string>*>(names)->insert(name); }, &found);
  }
  if (faults > 0) std::fprintf(stderr, "fuzz: %d runs of seeds were refused: the corpus is out of date (npm run fuzz:corpus)\n", faults);
  for (int64_t index = 0; index < kernels.kernels.size; ++index) {
    const char* name = kernels.kernels[index]->name;
    if (found.count(name) > 0) continue;
    std::fprintf(stderr, "fuzz: no program of the corpus has '%s': add one to scripts/fuzz-corpus.mjs\n", name);
    ++faults;
  }
  return faults;
}

int run(const fs::path& corpus, uint64_t count, uint64_t seed, const char* keep) {
  const KernelTable* kernels = nullptr;
  if (!selectKernelTable("portable", &kernels).isOk()) return 1;
  std::vector<Words> programs, refused;  // what reached new places
  for (const fs::path& path : filesIn(corpus)) programs.push_back(readWords(path));
  const std::size_t seeds = programs.size();
  if (seeds == 0 || checkSeeds(programs, *kernels) > 0) return 1;
  const int64_t before = placesReached();

  Mutator mutator(seed, *kernels);
  uint64_t outcomes[3] = {0, 0, 0};
  for (uint64_t index = 0; index < count; ++index) {
    // Most of the time from what runs: a program that is refused hides all of its faults but one.
    const std::vector<Words>& parents = mutator.chance(4) && !refused.empty() ? refused : programs;
    const Words words = mutator.mutate(parents[mutator.below(parents.size())], programs[mutator.below(programs.size())]);
    if (words.size() > longestWords) continue;
    const int64_t reached = placesReached();
    const Outcome outcome = look(words, mutator.below(1u << 30));
    ++outcomes[static_cast<int>(outcome)];
    if (placesReached() == reached || programs.size() + refused.size() >= largestCorpus) continue;
    (outcome == Outcome::ran ? programs : refused).push_back(words);
    if (keep) writeWords(fs::path(keep) / (std::to_string(seed) + "-" + std::to_string(index) + ".words"), words);
  }
  std::printf("fuzz: %llu programs from %zu seeds, seed %llu: %llu refused, %llu ran, %llu too large to run; %zu reached new places, %lld -> %lld\n",
              static_cast<unsigned long long>(count), seeds, static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(outcomes[0]), static_cast<unsigned long long>(outcomes[2]),
              static_cast<unsigned long long>(outcomes[1]), programs.size() + refused.size() - seeds, static_cast<long long>(before),
              static_cast<long long>(placesReached()));
  return 0;
}

}  // namespace

int main(int argumentCount, char** arguments) {
  __sanitizer_set_death_callback(leaveBehind);
  for (const int number : {SIGALRM, SIGABRT}) signal(number, onSignal);
  uint64_t count = 20000, seed = 1;
  const char* keep = nullptr;
  std::vector<std::string> paths;
  for (int index = 1; index < argumentCount; ++index) {
    const std::string argument = arguments[index];
    const bool named = argument == "--count" || argument == "--seed" || argument == "--keep";
    if (!named) paths.push_back(argument);
    else if (index + 1 == argumentCount) paths.clear();
    else if (argument == "--count") count = std::strtoull(arguments[++index], nullptr, 10);
    else if (argument == "--seed") seed = std::strtoull(arguments[++index], nullptr, 10);
    else keep = arguments[++index];
  }
  if (paths.empty()) {
    std::fprintf(stderr, "usage: mneme_fuzz CORPUS [--count N] [--seed S] [--keep FOLDER] | FILE...\n");
    return 2;
  }
  if (fs::is_directory(paths[0])) return run(paths[0], count, seed, keep);
  for (const std::string& path : paths) {
    for (uint64_t way = 0; way < 9; ++way) look(readWords(path), way);
  }
  return 0;
}
