#include "base/quota.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace mneme {
namespace {

constexpr int longestPath = 4096;

struct Path {
  char text[longestPath];
};

// False where there is no such file, or it begins otherwise than `format` says.
bool readNumbers(const char* folder, const char* file, const char* format, double* first, double* second) noexcept {
  Path path;
  if (std::snprintf(path.text, longestPath, "%s/%s", folder, file) >= longestPath) return false;
  std::FILE* stream = std::fopen(path.text, "r");
  if (stream == nullptr) return false;
  const int wanted = second == nullptr ? 1 : 2;
  const bool read = std::fscanf(stream, format, first, second) == wanted;
  std::fclose(stream);
  return read;
}

// Of one group; a group without a limit says "max" (version 2) or -1 (version 1).
double coresOfGroup(const char* folder) noexcept {
  double quota = 0, period = 0;
  if (readNumbers(folder, "cpu.max", "%lf %lf", &quota, &period) && quota > 0 && period > 0) return quota / period;
  if (readNumbers(folder, "cpu.cfs_quota_us", "%lf", &quota, nullptr) && quota > 0 &&
      readNumbers(folder, "cpu.cfs_period_us", "%lf", &period, nullptr) && period > 0) {
    return quota / period;
  }
  return INFINITY;
}

// The smallest of a group and all groups around it, up to the folder where the controller is mounted. Within a container the
// group may be one of the host, which is not there: its own limit then stands at the top.
double coresOfGroups(const char* mount, const char* group) noexcept {
  Path path;
  if (std::snprintf(path.text, longestPath, "%s%s", mount, group) >= longestPath) return INFINITY;
  const std::size_t top = std::strlen(mount);
  double cores = INFINITY;
  for (;;) {
    cores = std::fmin(cores, coresOfGroup(path.text));
    char* slash = std::strrchr(path.text, '/');
    if (slash == nullptr || static_cast<std::size_t>(slash - path.text) < top) return cores;
    *slash = '\0';
  }
}

// Whether the list "cpu,cpuacct" names the controller.
bool hasProcessor(const char* controllers) noexcept {
  for (const char* name = controllers; name != nullptr; name = std::strchr(name, ',')) {
    if (*name == ',') ++name;
    if (std::strncmp(name, "cpu", 3) == 0 && (name[3] == ',' || name[3] == '\0')) return true;
  }
  return false;
}

}  // namespace

double coresOfQuota(const char* root) noexcept {
  Path path;
  if (std::snprintf(path.text, longestPath, "%s/proc/self/cgroup", root) >= longestPath) return INFINITY;
  std::FILE* groups = std::fopen(path.text, "r");
  if (groups == nullptr) return INFINITY;
  double cores = INFINITY;
  char line[longestPath];
  // A line is NUMBER:CONTROLLERS:GROUP; version 2 has the number 0 and no controllers.
  while (std::fgets(line, sizeof line, groups) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    char* controllers = std::strchr(line, ':');
    char* group = controllers == nullptr ? nullptr : std::strchr(controllers + 1, ':');
    if (group == nullptr) continue;
    *group++ = '\0';
    ++controllers;
    if (*controllers != '\0' && !hasProcessor(controllers)) continue;
    if (std::snprintf(path.text, longestPath, "%s/sys/fs/cgroup%s%s", root, *controllers == '\0' ? "" : "/", controllers) >= longestPath) continue;
    cores = std::fmin(cores, coresOfGroups(path.text, group));
  }
  std::fclose(groups);
  return cores;
}

}  // namespace mneme
