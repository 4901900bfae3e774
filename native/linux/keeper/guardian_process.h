// SPDX-License-Identifier: Apache-2.0
// The guardian of a freeze as a fork of the keeper: no program has to be read from a disk, and none be executed.
#pragma once

#include <sys/types.h>

#include "../descriptor.h"
#include "holdings.h"
#include "programs.h"

namespace concierge::keeper {

// A child that is the guardian at this end of a conversation (docs/freeze.md), listed under its own name instead of `words`,
// which this process was started with. The process, or -1 with errno.
pid_t StartGuardian(const Descriptor& control, char** words, Holdings& holdings, Programs& programs);

}  // namespace concierge::keeper
