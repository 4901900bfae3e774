// SPDX-License-Identifier: Apache-2.0
// concierge-keeper [--] PROGRAM [ARGUMENTS...]: what outlives an agent. docs/keeper.md tells how.

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "keeper.h"

namespace {

using concierge::Descriptor;

// Numbers below 3 that nobody gave would be taken by what is to be held.
void FillStandardDescriptors() {
  int number;
  do {
    number = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (number >= 0 && number < 3);
  if (number >= 0) close(number);
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Descriptor BlockedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

int main(int count, char** words) {
  // Asked by a keeper whose place this one is to take.
  if (count == 3 && strcmp(words[1], "--takes-over") == 0) {
    return strcmp(words[2], concierge::keeper::kOldestFormat) == 0 || strcmp(words[2], concierge::keeper::kNewestFormat) == 0 ? 0 : 1;
  }
  char** const all = words;
  words++;
  count--;
  if (count > 0 && strcmp(words[0], "--") == 0) {
    words++;
    count--;
  }
  if (count == 0 || words[0][0] == '-') {
    fputs("usage: concierge-keeper [--] PROGRAM [ARGUMENTS...]\n", stderr);
    return 2;
  }
  // Standard error may be a pipe that nobody reads any more.
  signal(SIGPIPE, SIG_IGN);
  FillStandardDescriptors();
  RaiseDescriptorLimit();
  Descriptor signals = BlockedSignals();
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor pause(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!signals || !epoll || !pause) {
    perror("concierge-keeper");
    return 1;
  }
  // What an agent leaves running is the child of this process from then on.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  static concierge::keeper::Holdings holdings;
  static concierge::keeper::Programs programs;
  // Where the next one will be found: the link in /proc leads to this very file, whatever lies there by then.
  static char program[4096];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  static concierge::keeper::Reign reign;
  const bool inherits = concierge::keeper::Inherit(reign, holdings, programs);
  static concierge::keeper::Keeper keeper(length > 0 ? program : all[0], all, words, static_cast<Descriptor&&>(epoll), static_cast<Descriptor&&>(signals),
                                          static_cast<Descriptor&&>(pause), holdings, programs);
  return keeper.Run(inherits ? &reign : nullptr);
}
