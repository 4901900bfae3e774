// SPDX-License-Identifier: Apache-2.0
// What a keeper is doing, for whoever may look at its descriptors: a memory file, which nobody has to ask this process for.
#pragma once

#include <cstddef>

#include "../descriptor.h"
#include "holdings.h"
#include "programs.h"

namespace concierge::keeper {

// Name of the memory file, as /proc/PID/fd shows it: `/memfd:keeper-status (deleted)`.
constexpr char kStatusName[] = "keeper-status";

struct Doing {
  const char* what;     // awake, asleep, pausing, ending
  long long since_ms;   // CLOCK_MONOTONIC
  int agent;            // process, -1
  unsigned starts;      // agents so far
  unsigned deaths;      // of them, unexpectedly ended
  const char* last_death;
};

class StatusFile {
 public:
  void Open();
  void Write(const Doing& doing, Holdings& holdings, const Programs& programs) const;

 private:
  Descriptor file_;
};

}  // namespace concierge::keeper
