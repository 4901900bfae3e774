// SPDX-License-Identifier: Apache-2.0
// Opening a mount point for FIFREEZE and FITHAW, so that it is the wanted mount that is opened. Of the agent and of its
// freeze guardian, which knows no exceptions.
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "descriptor.h"

namespace concierge {

// Which mount a descriptor is on: `mnt_id:` of /proc/PID/fdinfo (proc_pid_fdinfo(5), Linux 3.15). 0: not told.
inline int64_t MountIdOf(int fd) {
  char path[64];
  // Of the thread: one that has a mount namespace of its own has no other.
  snprintf(path, sizeof path, "/proc/thread-self/fdinfo/%d", fd);
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : 0;
  if (length <= 0) return 0;
  text[length] = '\0';
  const char* found = strstr(text, "mnt_id:");
  return found == nullptr ? 0 : strtoll(found + 7, nullptr, 10);
}

// Looks first and opens then, so that a FIFO or device that was mounted over, or a hung FUSE file system that covers the
// mount, is never opened. `mount_id` 0: whichever mount is on top. 0 or errno: ESTALE where another mount is on top.
inline int OpenMountPoint(const char* path, int64_t mount_id, Descriptor& directory) {
  const Descriptor place(open(path, O_PATH | O_CLOEXEC));
  if (!place) return errno;
  const int64_t found = mount_id == 0 ? 0 : MountIdOf(place.get());
  if (found != 0 && found != mount_id) return ESTALE;
  struct stat status{};
  if (fstat(place.get(), &status) != 0) return errno;
  // A single file can be a mount point too.
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) return EINVAL;
  char reopened[64];
  snprintf(reopened, sizeof reopened, "/proc/self/fd/%d", place.get());
  Descriptor opened(open(reopened, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!opened) return errno;
  directory = std::move(opened);
  return 0;
}

// FITHAW once. 0, or errno: EINVAL where nothing is frozen. The kernel does not use the third argument.
inline int ThawOnce(int directory) {
  for (;;) {
    if (ioctl(directory, FITHAW, 0) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

}  // namespace concierge
