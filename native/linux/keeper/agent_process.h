// SPDX-License-Identifier: Apache-2.0
// Starting an agent.
#pragma once

#include <sys/types.h>

#include "../descriptor.h"

namespace concierge::keeper {

struct StartedAgent {
  pid_t pid = -1;
  Descriptor socket;
};

// The pair of sockets: this end, which does not block, and the agent's, which is handed to `StartAgent`.
bool MakePair(Descriptor& ours, Descriptor& theirs);

// A child that executes `words` with its end of the pair. The process, or -1 with errno.
pid_t StartAgent(char** words, const Descriptor& theirs);

}  // namespace concierge::keeper
