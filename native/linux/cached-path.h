// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "descriptor.h"

// Newer than the oldest headers that this is built with.
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

namespace concierge {

// A path descriptor (O_PATH) where the kernel knows the way from memory, so that no disk or server is waited for: openat2(2)
// with RESOLVE_CACHED, since Linux 5.12. Nothing is opened for reading, so that no virus scanner (fanotify(7)) is waited for
// either. Empty, with errno, where it does not know.
inline Descriptor OpenCachedPath(const char* path) {
  constexpr uint64_t kResolveCached = 0x20;
  const struct {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
  } how = {O_PATH | O_CLOEXEC, 0, kResolveCached};
  return Descriptor(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how)));
}

}  // namespace concierge
