// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "../descriptor.h"
#include "grace_periods.h"
#include "target.h"

namespace concierge::guardian {

// What the guardian has done so far, in memory that its watch sees too.
struct Progress {
  std::atomic<bool> thawing{false};
  std::atomic<bool> over{false};
  // Grace periods are expedited, and have to be put back.
  std::atomic<bool> expedited{false};
  // For each target: FIFREEZE was called, and no FITHAW has succeeded.
  std::atomic<bool>* frozen = nullptr;
};

// A process beside the guardian, made by fork, with descriptors of its own for everything that a thaw needs. It sleeps
// until the guardian is lost, and then thaws and puts back what was changed; it continues a guardian that is stopped when
// the deadline comes, and kills one that still does nothing.
class Watch {
 public:
  // Allocates the progress of `count` targets. False: no memory.
  bool Reserve(int count);
  // `targets` are open. 0 or errno. What is in `close` is the guardian's alone.
  int Start(Target* targets, int count, ExpeditedGracePeriods& grace_periods, const int* close, int close_count);
  // The first FIFREEZE is about to be called. 0 ms: no deadline.
  void BeginDeadline(int64_t ms);
  // Nothing is left to be thawed: ends the process and waits until it has gone.
  void Stop();
  bool running() const { return pid_ > 0; }

  Progress* progress = nullptr;

 private:
  pid_t pid_ = 0;
  // Its other end is the watch's: closed by the kernel when the last thread of the guardian has left it.
  Descriptor life_;
};

}  // namespace concierge::guardian
