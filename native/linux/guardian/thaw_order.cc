// SPDX-License-Identifier: Apache-2.0
#include "thaw_order.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "../descriptor.h"
#include "session.h"

namespace concierge::guardian {
namespace {

// A thaw takes milliseconds; after this the agent's own way has more to try.
constexpr timeval kPatience{5, 0};

Descriptor Connect(const char* directory) {
  const Descriptor place(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
  Descriptor socket(place ? ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1);
  if (!socket) return Descriptor();
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  // Through /proc, because the path of a socket ends at 107 bytes (unix(7)).
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", place.get(), kSocketName);
  return connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? std::move(socket) : Descriptor();
}

// EINVAL: it was not frozen any more. EINPROGRESS: it still freezes, and is thawed as soon as the kernel returns.
bool IsFailure(int error) { return error != 0 && error != EINVAL && error != EINPROGRESS; }

// One that somebody has stopped would not hear of it.
void Continue(const Descriptor& socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid > 0) kill(who.pid, SIGCONT);
}

}  // namespace

int OrderThaw(const char* directory) {
  const Descriptor socket = Connect(directory);
  if (!socket) return 0;
  Continue(socket);
  static constexpr char kOrder[] = "thaw\n";
  // Its lines are read from here on, whatever became of the order: a guardian that is gone has thawed or was killed.
  if (send(socket.get(), kOrder, sizeof kOrder - 1, MSG_NOSIGNAL) < 0 && errno != EPIPE) return 1;
  FILE* lines = fdopen(fcntl(socket.get(), F_DUPFD_CLOEXEC, 3), "r");
  if (lines == nullptr) return 1;
  int thawed = 0;
  int failed = 0;
  bool ended = false;
  char line[512];
  while (!ended && fgets(line, sizeof line, lines) != nullptr) {
    int target = 0;
    int error = 0;
    long long thawed_at = 0;
    if (sscanf(line, "thawed %d %d %lld", &target, &error, &thawed_at) == 3) {
      if (IsFailure(error)) {
        failed += 1;
        fprintf(stderr, "file system %d of the freeze would not thaw: %s\n", target, strerror(error));
      } else if (thawed_at != 0) {
        thawed += 1;
      }
    }
    char phase[16] = "";
    sscanf(line, "session %*s %15s", phase);
    ended = strncmp(line, "ended ", 6) == 0 || strcmp(phase, "over") == 0;
  }
  fclose(lines);
  if (thawed > 0) printf("%d file systems thawed by their guardian\n", thawed);
  if (!ended) fputs("the guardian of the freeze does not say that it has thawed\n", stderr);
  return ended && failed == 0 ? 0 : 1;
}

}  // namespace concierge::guardian
