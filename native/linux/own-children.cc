// SPDX-License-Identifier: Apache-2.0
#include "own-children.h"

#include <dirent.h>
#include <sys/wait.h>

#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "system-error.h"

namespace concierge {

namespace {

std::mutex mutex;
std::set<pid_t> own;
size_t starting = 0;

}  // namespace

ChildStart::ChildStart() {
  const std::lock_guard lock(mutex);
  starting++;
}

ChildStart::~ChildStart() {
  const std::lock_guard lock(mutex);
  starting--;
}

void ChildStart::Is(pid_t pid) {
  const std::lock_guard lock(mutex);
  own.insert(pid);
}

std::optional<ChildEnd> EndOfChild(pid_t pid) {
  siginfo_t info = {};
  // Somebody else has reaped it; what became of it is not to be known.
  if (Retry([&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT); }) < 0) return ChildEnd{true, 255};
  if (info.si_pid == 0) return std::nullopt;
  return ChildEnd{info.si_code == CLD_EXITED, info.si_status};
}

void ReapChild(pid_t pid) {
  // In one go: as soon as it is reaped, its number may be that of the next child.
  const std::lock_guard lock(mutex);
  Retry([&] { return waitpid(pid, nullptr, WNOHANG); });
  own.erase(pid);
}

void AwaitChild(pid_t pid) {
  siginfo_t info;
  Retry([&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); });
  ReapChild(pid);
}

bool ReapOrphans() {
  const std::lock_guard lock(mutex);
  if (starting > 0) return false;
  // waitid(2) would show the same ended child again and again as long as nobody takes its end.
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir("/proc/self/task"), closedir);
  if (tasks == nullptr) return true;
  for (const dirent* task = readdir(tasks.get()); task != nullptr; task = readdir(tasks.get())) {
    std::ifstream children(std::string("/proc/self/task/") + task->d_name + "/children");
    for (pid_t pid = 0; children >> pid;) {
      if (own.count(pid) == 0) waitpid(pid, nullptr, WNOHANG);
    }
  }
  return true;
}

}  // namespace concierge
