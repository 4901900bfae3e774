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
#include <cstring>

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

// The words lie one behind the other (proc_pid_cmdline(5)).
char* shown = nullptr;
size_t shown_size = 0;
char own_words[4096];

}  // namespace

Hardened Harden(int control) {
  setsid();
  // It may have been started through a descriptor, whose number would be its name.
  ListAs(Role::kGuardian);
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

void KeepCommandLine(char** words) {
  char** last = words;
  while (last[0] != nullptr && last[1] != nullptr) last++;
  if (last[0] == nullptr) return;
  shown = words[0];
  shown_size = std::min(static_cast<size_t>(*last + strlen(*last) - words[0]), sizeof own_words);
  memcpy(own_words, shown, shown_size);
}

void ListAs(Role role) {
  static constexpr char kSpare[] = "concierge-spare";
  prctl(PR_SET_NAME, role == Role::kGuardian ? "concierge-guard" : role == Role::kWatch ? "concierge-watch" : kSpare);
  if (shown_size == 0) return;
  if (role == Role::kSpare) {
    memset(shown, 0, shown_size);
    memcpy(shown, kSpare, std::min(shown_size, sizeof kSpare - 1));
  } else {
    memcpy(shown, own_words, shown_size);
  }
}

bool LockMemory() { return mlockall(MCL_CURRENT | MCL_FUTURE) == 0; }

}  // namespace concierge::guardian
