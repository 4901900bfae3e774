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
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

int main(int count, char** words) {
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
  static concierge::keeper::Keeper keeper(words, static_cast<Descriptor&&>(epoll), static_cast<Descriptor&&>(signals),
                                          static_cast<Descriptor&&>(pause), holdings, programs);
  return keeper.Run();
}
