#include "mount_point.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace concierge::guardian {
namespace {

// Which mount a descriptor is on: `mnt_id:` of /proc/PID/fdinfo (proc_pid_fdinfo(5), Linux 3.15). 0: not told.
int64_t MountIdOf(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : 0;
  if (length <= 0) return 0;
  text[length] = '\0';
  const char* found = strstr(text, "mnt_id:");
  return found == nullptr ? 0 : strtoll(found + 7, nullptr, 10);
}

}  // namespace

int OpenMountPoint(Target& target) {
  const Descriptor place(open(target.path, O_PATH | O_CLOEXEC));
  if (!place) return errno;
  const int64_t mount_id = target.mount_id == 0 ? 0 : MountIdOf(place.get());
  if (mount_id != 0 && mount_id != target.mount_id) return ESTALE;
  struct stat status{};
  if (fstat(place.get(), &status) != 0) return errno;
  // A single file can be a mount point too.
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) return EINVAL;
  char reopened[64];
  snprintf(reopened, sizeof reopened, "/proc/self/fd/%d", place.get());
  Descriptor opened(open(reopened, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!opened) return errno;
  target.directory = std::move(opened);
  return 0;
}

}  // namespace concierge::guardian
