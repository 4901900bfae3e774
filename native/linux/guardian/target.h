// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "../descriptor.h"

namespace concierge::guardian {

enum class Stage : uint8_t { kThawed, kFreezing, kFrozen };

// A superblock of the session. Once the workers run, everything from `stage` on is read and written under their lock.
struct Target {
  int level = 0;
  // Of the mount that has to be reached, against one that covers it; 0: whichever is on top.
  int64_t mount_id = 0;
  const char* path = nullptr;
  Descriptor directory;
  // In memory that the watch sees too: it may be frozen.
  std::atomic<bool>* frozen = nullptr;

  Stage stage = Stage::kThawed;
  bool flushing = false;
  bool freeze_tried = false;
  bool thawing = false;
  bool thawed = false;
  int flush_error = 0;
  int freeze_error = 0;
  int thaw_error = 0;
  int64_t flush_ns = 0;
  int64_t freeze_ns = 0;
  int64_t frozen_at = 0;
  int64_t thawed_at = 0;
};

inline int64_t Nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace concierge::guardian
