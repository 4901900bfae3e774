// SPDX-License-Identifier: Apache-2.0
#include "descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "descriptor.h"
#include "system-error.h"

// Newer than the oldest headers that this is built with.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace concierge {

namespace {

// What is started while the others are looked for is found in the next round.
constexpr int kMaximumRounds = 32;
// As much as execve(2) takes for one process by default.
constexpr size_t kMaximumEnvironment = 2 * 1024 * 1024;

struct Process {
  pid_t pid;
  pid_t parent;
  pid_t session;
  // /proc/PID: it stands for this very process, whoever gets its number later.
  Descriptor directory;
};

std::string Contents(const Process& process, const char* name, size_t limit) {
  std::string text;
  const Descriptor file(openat(process.directory.get(), name, O_RDONLY | O_CLOEXEC));
  char chunk[4096];
  while (file && text.size() < limit) {
    const ssize_t count = Retry([&] { return read(file.get(), chunk, sizeof chunk); });
    if (count <= 0) break;
    text.append(chunk, static_cast<size_t>(count));
  }
  return text;
}

// Those that live, this one not among them.
std::vector<Process> Processes() {
  std::vector<Process> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (proc == nullptr) return processes;
  for (const dirent* entry = readdir(proc.get()); entry != nullptr; entry = readdir(proc.get())) {
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    Process process{atoi(entry->d_name), 0, 0, Descriptor(openat(dirfd(proc.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC))};
    const std::string stat = Contents(process, "stat", 4096);
    // `PID (NAME) STATE PPID PGRP SESSION …`, and a name may have blanks and brackets (proc_pid_stat(5)).
    const size_t name_end = stat.rfind(')');
    char state;
    int parent, group, session;
    if (name_end == std::string::npos || sscanf(stat.c_str() + name_end, ") %c %d %d %d", &state, &parent, &group, &session) != 4) continue;
    if (state == 'Z' || state == 'X' || process.pid == getpid()) continue;
    process.parent = parent;
    process.session = session;
    processes.push_back(std::move(process));
  }
  return processes;
}

bool IsMarked(const Process& process, const std::string& mark) {
  const std::string environment = '\0' + Contents(process, "environ", kMaximumEnvironment);
  return environment.find('\0' + mark + '\0') != std::string::npos;
}

void Kill(const Process& process) {
  if (syscall(SYS_pidfd_send_signal, process.directory.get(), SIGKILL, nullptr, 0) == 0 || errno != ENOSYS) return;
  kill(process.pid, SIGKILL);
}

}  // namespace

void EndDescendants(pid_t root, const std::string& mark) {
  std::set<pid_t> sessions{root};
  for (int round = 0; round < kMaximumRounds; round++) {
    std::vector<Process> others = Processes();
    // Its number is its own until it has been killed.
    std::set<pid_t> found;
    if (round == 0) {
      found.insert(root);
      // Its whole group at once, so that no shell has the time to say what became of its children.
      if (std::any_of(others.begin(), others.end(), [root](const Process& process) { return process.pid == root; })) kill(-root, SIGKILL);
    }
    const auto belongs = [&](const Process& process) {
      return found.count(process.pid) > 0 || found.count(process.parent) > 0 || sessions.count(process.session) > 0;
    };
    // Without the environment first: reading it has to wait for a process that the kernel holds.
    for (const bool marked_too : {false, true}) {
      for (;;) {
        const auto first = std::partition(others.begin(), others.end(), [&](const Process& process) {
          return !belongs(process) && !(marked_too && IsMarked(process, mark));
        });
        if (first == others.end()) break;
        for (auto process = first; process != others.end(); ++process) {
          found.insert(process->pid);
          if (process->session == process->pid) sessions.insert(process->pid);
          Kill(*process);
        }
        others.erase(first, others.end());
      }
    }
    if (found.empty()) return;
  }
}

}  // namespace concierge
