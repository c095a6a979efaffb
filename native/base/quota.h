// What a control group (a container's limit, systemd's CPUQuota) leaves of the processor.
#pragma once

namespace mneme {

// Cores' worth of time that this process may use, 0.5 for half a core; infinite where nothing limits it. `root` stands before
// the paths of the system's files, for tests.
double coresOfQuota(const char* root = "") noexcept;

}  // namespace mneme
