// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../descriptor.h"

namespace concierge::guardian {

// Makes this process hard to lose: a session of its own, first in line for the processor, last in line for the
// out-of-memory killer, no signal but SIGKILL, no core dump, no descriptor but the control socket.
struct Hardened {
  // Readable when somebody asks the process to end.
  Descriptor endings;
  // Whether the out-of-memory killer passes it over.
  bool spared;
};
Hardened Harden(int control);

// Keeps every page of this process, present and future, in memory. False where it is not permitted.
bool LockMemory();

}  // namespace concierge::guardian
