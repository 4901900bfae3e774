// SPDX-License-Identifier: Apache-2.0
#include "agent_process.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace concierge::keeper {
namespace {

// Room for what all the descriptors that can be held are told in, as far as the system lets it be had.
constexpr int kSendBuffer = 1024 * 1024;

[[noreturn]] void Execute(char** words, int socket) {
  // After fork(2) of a process with one thread everything may be called, and what is allocated is the child's.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  char number[16];
  snprintf(number, sizeof number, "%d", socket);
  setenv("CONCIERGE_GA_KEEPER", number, 1);
  unsetenv("NOTIFY_SOCKET");
  if (getenv("LISTEN_PID") != nullptr) {
    snprintf(number, sizeof number, "%d", static_cast<int>(getpid()));
    setenv("LISTEN_PID", number, 1);
  }
  fcntl(socket, F_SETFD, 0);
  execvp(words[0], words);
  fprintf(stderr, "concierge-keeper: cannot execute %s: %s\n", words[0], strerror(errno));
  _exit(127);
}

}  // namespace

bool MakePair(Descriptor& ours, Descriptor& theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return false;
  ours.Reset(ends[0]);
  theirs.Reset(ends[1]);
  if (setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) < 0) {
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  }
  if (setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) < 0) {
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  }
  return true;
}

pid_t StartAgent(char** words, const Descriptor& theirs) {
  const pid_t pid = fork();
  if (pid == 0) Execute(words, theirs.get());
  return pid;
}

}  // namespace concierge::keeper
