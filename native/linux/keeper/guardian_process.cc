// SPDX-License-Identifier: Apache-2.0
#include "guardian_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "../guardian/process.h"
#include "../guardian/session.h"

namespace concierge::keeper {
namespace {

// As the guardian is started otherwise: descriptors beyond it are closed.
constexpr int kControl = 3;

// The whole pages of a table that this process has no use for. What it has is locked into memory page by page.
template <class Table>
void GiveBack(Table& table) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t from = (reinterpret_cast<uintptr_t>(&table) + page - 1) / page * page;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(&table) + sizeof table) / page * page;
  if (from < to) munmap(reinterpret_cast<void*>(from), to - from);
}

// In what /proc/PID/cmdline shows: the words lie one behind the other (proc_pid_cmdline(5)).
void NameAs(const char* name, char** words) {
  char** last = words;
  while (last[1] != nullptr) last++;
  const auto size = static_cast<size_t>(*last + strlen(*last) - words[0]);
  memset(words[0], 0, size);
  memcpy(words[0], name, strlen(name) < size ? strlen(name) : size);
}

[[noreturn]] void BeGuardian(int control, char** words, Holdings& holdings, Programs& programs) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int number : {0, 1, 2}) dup2(null, number);
  dup2(control, kControl);
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  GiveBack(holdings);
  GiveBack(programs);
  NameAs("concierge-guardian", words);
  guardian::KeepCommandLine(words);
  guardian::Hardened hardened = guardian::Harden(kControl);
  // As in guardian/main.cc.
  static guardian::Session session(Descriptor(kControl), static_cast<guardian::Hardened&&>(hardened));
  _exit(session.Run());
}

}  // namespace

pid_t StartGuardian(const Descriptor& control, char** words, Holdings& holdings, Programs& programs) {
  const pid_t pid = fork();
  if (pid == 0) BeGuardian(control.get(), words, holdings, programs);
  return pid;
}

}  // namespace concierge::keeper
