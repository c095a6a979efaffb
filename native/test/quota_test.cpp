// Limits of control groups, on files as the system has them.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/stat.h>

#include "base/cpu.h"
#include "base/quota.h"
#include "test/check.h"

using namespace mneme;

namespace {

// A folder that stands for the root of the file system.
class Root {
 public:
  Root() {
    char name[] = "/tmp/mneme-quota-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Root() { (void)!std::system(("rm -rf " + path_).c_str()); }
  void write(const std::string& file, const char* text) const {
    for (std::size_t slash = file.find('/', 1); slash != std::string::npos; slash = file.find('/', slash + 1))
      mkdir((path_ + file.substr(0, slash)).c_str(), 0700);
    std::FILE* stream = std::fopen((path_ + file).c_str(), "w");
    std::fputs(text, stream);
    std::fclose(stream);
  }
  double cores() const { return coresOfQuota(path_.c_str()); }

 private:
  std::string path_;
};

}  // namespace

MNEME_TEST(quotaUnified, "quota: version 2 of control groups: the smallest limit of a group and those around it") {
  const Root root;
  MNEME_CHECK(std::isinf(root.cores()));
  root.write("/proc/self/cgroup", "0::/pod/container\n");
  MNEME_CHECK(std::isinf(root.cores()));
  root.write("/sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  MNEME_CHECK(std::isinf(root.cores()));
  root.write("/sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  MNEME_CHECK(root.cores() == 1.5);
  root.write("/sys/fs/cgroup/pod/container/cpu.max", "50000 100000\n");
  MNEME_CHECK(root.cores() == 0.5);
}

MNEME_TEST(quotaByController, "quota: version 1 of control groups, with other controllers beside and groups that a container does not see") {
  const Root root;
  root.write("/proc/self/cgroup", "4:memory:/m\n2:cpuset:/s\n1:cpu,cpuacct:/docker/abc\n0::/\n");
  root.write("/sys/fs/cgroup/cpuset/s/cpu.cfs_quota_us", "100\n");
  MNEME_CHECK(std::isinf(root.cores()));
  root.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  MNEME_CHECK(std::isinf(root.cores()));
  root.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  MNEME_CHECK(root.cores() == 2);
  root.write("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "25000\n");
  root.write("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  MNEME_CHECK(root.cores() == 0.25);
}

MNEME_TEST(quotaNonsense, "quota: files that hold something else limit nothing") {
  const Root root;
  for (const char* groups : {"", "\n", ":", "::", "0::", "0::/..", "1:cpu", "x:cpu:/\n0::/a\n"}) {
    root.write("/proc/self/cgroup", groups);
    root.write("/sys/fs/cgroup/cpu.max", "");
    root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "0");
    root.write("/sys/fs/cgroup/a/cpu.max", "-5 nothing");
    MNEME_CHECK(std::isinf(root.cores()));
  }
  MNEME_CHECK(coresAvailable() >= 1);
}
