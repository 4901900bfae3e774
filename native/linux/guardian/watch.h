// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
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
// the deadline comes, and kills one that still does nothing. It serves one freeze after the other.
class Watch {
 public:
  // For a freeze of `count` targets: a process that has room for so many, the one of the last freeze where there is one. What is in
  // `close` is the guardian's alone, and so is what it opens later. 0 or errno.
  int Start(int count, const int* close, int close_count);
  // Hands over descriptors of the targets and of the switch: they count from now on, for the process reads all that was sent
  // to it before it learns that the guardian is lost. 0 or errno.
  int Take(const Target* targets, int count, const ExpeditedGracePeriods& grace_periods);
  // The first FIFREEZE is about to be called. 0 ms: no deadline. Wakes nobody: the timer is both processes'.
  void BeginDeadline(int64_t ms);
  // Nothing is left to be thawed: the process lets go of everything, and waits for the next freeze.
  void Rest();
  // Ends the process and waits until it has gone.
  void Stop();
  bool watches() const { return pid_ > 0 && !progress->over; }

  Progress* progress = nullptr;

 private:
  bool Reserve(int count);
  bool Say(int64_t word, const int* descriptors = nullptr, size_t count = 0);

  pid_t pid_ = 0;
  int capacity_ = 0;
  size_t bytes_ = 0;
  // The process' own numbers for the targets, of which the guardian has the memory only.
  int* directories_ = nullptr;
  // Its other end is the watch's: closed by the kernel when the last thread of the guardian has left it.
  Descriptor life_;
  Descriptor timer_;
};

}  // namespace concierge::guardian
