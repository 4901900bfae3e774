// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace concierge::guardian {
namespace {

// As low as permitted: below its present value only with CAP_SYS_RESOURCE, and a refusal changes nothing.
bool SpareFromOutOfMemoryKiller() {
  const Descriptor file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  static constexpr char kLowest[] = "-1000";
  return file && write(file.get(), kLowest, sizeof kLowest - 1) == sizeof kLowest - 1;
}

// One descriptor for each file system; with fewer, a freeze of many is refused before anything is frozen.
void RaiseDescriptorLimit() {
  static constexpr rlim_t kPlenty = 65536;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kPlenty) return;
  const rlimit raised{kPlenty, std::max(limit.rlim_max, kPlenty)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Hardened Harden(int control) {
  setsid();
  // It may have been started through a descriptor, whose number would be its name.
  prctl(PR_SET_NAME, "concierge-guard");
  umask(077);
  [[maybe_unused]] const int moved = chdir("/");
  // Kernels before 5.9 lack the call; then there is nothing to close but what Node opened without close-on-exec.
  syscall(SYS_close_range, control + 1, ~0U, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  RaiseDescriptorLimit();
  setpriority(PRIO_PROCESS, 0, -20);
  const bool spared = SpareFromOutOfMemoryKiller();
  // Memory that the kernel has to find for this process must not come from writing to a frozen disk (prctl(2), Linux 5.6).
  prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);

  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t endings;
  sigemptyset(&endings);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&endings, signal);
  return {Descriptor(signalfd(-1, &endings, SFD_CLOEXEC | SFD_NONBLOCK)), spared};
}

bool LockMemory() { return mlockall(MCL_CURRENT | MCL_FUTURE) == 0; }

}  // namespace concierge::guardian
