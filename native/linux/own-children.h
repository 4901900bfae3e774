// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>

namespace concierge {

// Children that this process has started, and of which somebody here learns how they ended. As process 1 of a container
// it becomes the parent of strangers too (orphans.cc), and has to tell them apart.

// Around the start of a child: until it is over nobody can say whose a new child is.
class ChildStart {
 public:
  ChildStart();
  ~ChildStart();
  ChildStart(const ChildStart&) = delete;
  ChildStart& operator=(const ChildStart&) = delete;
  // It has been started.
  void Is(pid_t pid);
};

// How a process has ended: by itself, or by a signal.
struct ChildEnd {
  bool exited;
  int status;
};

// None while it runs. Its end is not taken: as long as the zombie stands, its number is nobody else's and its group can be reached.
std::optional<ChildEnd> EndOfChild(pid_t pid);

// Takes the end of a child that has ended; its number is free then.
void ReapChild(pid_t pid);

// The same, once it has ended.
void AwaitChild(pid_t pid);

// Takes the ends of children that have ended and were not started here. False: not now, for one is being started.
bool ReapOrphans();

}  // namespace concierge
