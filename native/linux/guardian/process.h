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

// As what a process is listed.
enum class Role { kGuardian, kWatch, kSpare };

// `words`: what it was started with. From then on it can be listed by its role.
void KeepCommandLine(char** words);

// In ps(1) and /proc/PID/comm and cmdline: a guardian or watch that waits for the next freeze holds nothing, and is neither.
void ListAs(Role role);

// Keeps every page of this process, present and future, in memory. False where it is not permitted.
bool LockMemory();

}  // namespace concierge::guardian
