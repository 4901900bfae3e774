// SPDX-License-Identifier: Apache-2.0
// The guardian of a freeze: a process of its own that makes the calls which may block, and that thaws when the deadline
// comes, whatever has become of the agent. docs/freeze.md tells how it is used.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "process.h"
#include "session.h"
#include "thaw_order.h"

int main(int count, char** words) {
  using concierge::Descriptor;
  if (count == 3 && strcmp(words[1], "thaw") == 0) return concierge::guardian::OrderThaw(words[2]);
  static constexpr int kControl = 3;
  Descriptor control(kControl);
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kControl, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    fputs("concierge-guardian is started by concierge-ga, which talks to it on descriptor 3; or: concierge-guardian thaw STATE-DIRECTORY\n", stderr);
    return 2;
  }
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  concierge::guardian::KeepCommandLine(words);
  concierge::guardian::Hardened hardened = concierge::guardian::Harden(kControl);
  // Too large for a stack that is kept small, and alive as long as the process.
  static concierge::guardian::Session session(std::move(control), std::move(hardened));
  return session.Run();
}
