// SPDX-License-Identifier: Apache-2.0
#include "front_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace concierge::keeper {

// systemd.exec(5), since version 248.
bool IsOfServiceManager() {
  const char* pid = getenv("SYSTEMD_EXEC_PID");
  return pid != nullptr && atoi(pid) == getpid();
}

pid_t StartFront(Descriptor& go, int status) {
  int number[2], wait[2];
  if (pipe2(number, O_CLOEXEC) < 0) return -1;
  const Descriptor number_reads(number[0]);
  Descriptor number_writes(number[1]);
  if (pipe2(wait, O_CLOEXEC) < 0) return -1;
  const Descriptor wait_reads(wait[0]);
  Descriptor wait_writes(wait[1]);
  // What is left behind by its parent would be the child of this process otherwise.
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  const pid_t between = fork();
  if (between == 0) {
    const pid_t front = fork();
    if (front == 0) {
      wait_writes.Reset();
      char byte;
      while (read(wait_reads.get(), &byte, 1) > 0) continue;
      _exit(status);
    }
    _exit(write(number_writes.get(), &front, sizeof front) == sizeof front ? 0 : 1);
  }
  number_writes.Reset();
  pid_t front = -1;
  if (between > 0) {
    if (read(number_reads.get(), &front, sizeof front) != sizeof front) front = -1;
    // When its end has been taken, what it has left behind has its new parent.
    waitpid(between, nullptr, 0);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  go = static_cast<Descriptor&&>(wait_writes);
  return front;
}

}  // namespace concierge::keeper
